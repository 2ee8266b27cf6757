"""Decoders of gated delta rules and gated attention in turn (Qwen3-Next, Qwen3.5)."""

from __future__ import annotations

from outlay.workload.architecture import Architecture, Attention, GatedDelta, Layer, Mlp, Recurrent
from outlay.workload.families.experts import sparse_feed_forwards
from outlay.workload.families.reader import Reader
from outlay.workload.families.shape import Dimensions, Keys, decoder, dimensions, runs

KEYS = Keys()
TYPES = ("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text")
KINDS = ("linear_attention", "full_attention")
INTERVAL = 4
"""Every so many layers one attends to all, unless the config says otherwise."""


def build(read: Reader) -> Architecture:
    """Each layer is a mixer and a feed-forward; `layer_types` or `full_attention_interval` say which mixer."""
    size = dimensions(read, KEYS)
    mixers: dict[str, Attention | Recurrent] = {
        "linear_attention": _delta(read),
        "full_attention": _attention(read, size),
    }
    feed_forwards = sparse_feed_forwards(read, size.depth)
    if feed_forwards is None:
        feed_forwards = [Mlp(width=read.count("intermediate_size"), gated=True)] * size.depth
    return decoder(
        read,
        size,
        runs(
            Layer(mixer=mixers[kind], feed_forward=feed_forward)
            for kind, feed_forward in zip(_kinds(read, size.depth), feed_forwards, strict=True)
        ),
        final_norm=size.hidden,
        max_length=read.optional_count("max_position_embeddings"),
        multi_token_prediction=read.optional_count("mtp_num_hidden_layers", least=0) or 0,
    )


def _kinds(read: Reader, depth: int) -> list[str]:
    listed = read.config.get("layer_types")
    if listed is None:
        stated = read.stated("full_attention_interval")
        interval = read.count("full_attention_interval") if stated else INTERVAL
        if not stated:
            read.assume("layer_types", f"every {interval}. layer attends to all")
        return [KINDS[(place + 1) % interval == 0] for place in range(depth)]
    if not isinstance(listed, list | tuple) or len(listed) != depth:
        read.contradiction(f"`{read.prefix}layer_types`: expected a list of {depth:,} entries, one a layer", "layer")
        return [KINDS[1]] * depth
    unknown = sorted({str(kind) for kind in listed if kind not in KINDS})
    if unknown:
        read.problems.append(f"`{read.prefix}layer_types` has {', '.join(unknown[:3])}: expected {', '.join(KINDS)}")
        return [KINDS[1]] * depth
    return [str(kind) for kind in listed]


def _delta(read: Reader) -> GatedDelta:
    key_heads, value_heads = read.count("linear_num_key_heads"), read.count("linear_num_value_heads")
    if value_heads % key_heads:
        read.contradiction(
            f"`linear_num_value_heads` is {value_heads}: expected a multiple of `linear_num_key_heads`, {key_heads}",
            "linear_num",
        )
    return GatedDelta(
        key_heads=key_heads,
        value_heads=value_heads,
        key_dim=read.count("linear_key_head_dim"),
        value_dim=read.count("linear_value_head_dim"),
        kernel=read.count("linear_conv_kernel_dim"),
    )


def _attention(read: Reader, size: Dimensions) -> Attention:
    width = read.head_dim(size.hidden, size.heads, width=KEYS.hidden, depth_of_heads=KEYS.heads)
    bias = read.flag("attention_bias")
    return Attention(
        heads=size.heads,
        kv_heads=read.kv_heads(size.heads),
        head_dim=width,
        value_dim=width,
        query_bias=bias,
        kv_bias=bias,
        output_bias=bias,
        # Norms of queries and keys, whose weights all heads share; the gate has a bias where the queries have one.
        norm_parameters=2 * width,
        extra_parameters=size.heads * width if bias else 0,
        gated=True,
    )
