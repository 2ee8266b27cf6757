"""Families in the line of GPT-2: LayerNorm with biases, plain feed-forwards, learned, rotary or ALiBi positions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from outlay.workload.architecture import Architecture, Attention, Layer, Mlp
from outlay.workload.families.reader import Reader
from outlay.workload.families.shape import Dimensions, Keys, decoder, dimensions, runs

GPT2 = Keys(hidden="n_embd", depth="n_layer", heads="n_head")
NEO = Keys(depth="num_layers", heads="num_heads")
PLAIN = Keys()
BLOOM = Keys(depth="n_layer", heads="n_head")
MPT = Keys(hidden="d_model", depth="n_layers", heads="n_heads")


def attention(
    read: Reader, keys: Keys, size: Dimensions, *, kv_heads: int | None = None, bias: bool = True
) -> Attention:
    """Attention whose heads share the hidden width evenly."""
    width = read.head_dim(size.hidden, size.heads, width=keys.hidden, depth_of_heads=keys.heads, key=None)
    shared = kv_heads or size.heads
    return Attention(
        heads=size.heads,
        kv_heads=shared,
        head_dim=width,
        value_dim=width,
        query_bias=bias,
        kv_bias=bias,
        output_bias=bias,
    )


def _gpt2(read: Reader) -> Architecture:
    size = dimensions(read, GPT2)
    kv_heads = 1 if read.model_type == "gpt_bigcode" and read.flag("multi_query") else None
    layer = Layer(
        mixer=attention(read, GPT2, size, kv_heads=kv_heads),
        feed_forward=Mlp(width=_inner(read, "n_inner", size), gated=False, bias=True),
        norm_bias=True,
    )
    length = read.count("n_positions")
    return decoder(
        read,
        size,
        runs([layer] * size.depth),
        final_norm=2 * size.hidden,
        positions=length,
        max_length=length,
        rotary=False,
        dropout=read.probability("resid_pdrop"),
    )


def _gpt_neo(read: Reader) -> Architecture:
    """Local attention in every second layer; only the output projection has a bias."""
    size = dimensions(read, NEO)
    facts = replace(attention(read, NEO, size, bias=False), output_bias=True)
    local = replace(facts, window=read.count("window_size"))
    mlp = Mlp(width=_inner(read, "intermediate_size", size), gated=False, bias=True)
    kinds = _attention_kinds(read, size.depth)
    length = read.count("max_position_embeddings")
    return decoder(
        read,
        size,
        runs(Layer(mixer=local if kind == "local" else facts, feed_forward=mlp, norm_bias=True) for kind in kinds),
        final_norm=2 * size.hidden,
        positions=length,
        max_length=length,
        rotary=False,
        dropout=read.probability("resid_dropout"),
    )


def _attention_kinds(read: Reader, depth: int) -> list[str]:
    """`attention_types` lists runs, `[[["global", "local"], 12]]`; `attention_layers` has an entry a layer."""
    kinds = read.config.get("attention_layers")
    types = read.config.get("attention_types")
    if kinds is None and isinstance(types, list):
        try:
            kinds = [kind for pattern, times in types for _ in range(min(times, depth)) for kind in pattern]
        except (TypeError, ValueError):
            kinds = []
    if kinds is None:
        read.assume("attention_types", "global and local by turns")
        return ["local" if i % 2 else "global" for i in range(depth)]
    if not isinstance(kinds, list) or len(kinds) != depth or not {"global", "local"}.issuperset(map(str, kinds)):
        read.contradiction(f"`attention_types`: expected {depth:,} layers, each global or local", "layer")
        return ["global"] * depth
    return [str(kind) for kind in kinds]


def _gptj(read: Reader) -> Architecture:
    """Attention and feed-forward side by side after one norm; the head has a bias."""
    size = dimensions(read, GPT2)
    layer = Layer(
        mixer=attention(read, GPT2, size, bias=False),
        feed_forward=Mlp(width=_inner(read, "n_inner", size), gated=False, bias=True),
        norms=1,
        norm_bias=True,
        parallel=True,
    )
    return decoder(
        read,
        size,
        runs([layer] * size.depth),
        final_norm=2 * size.hidden,
        head_bias=True,
        max_length=read.optional_count("n_positions"),
        dropout=read.probability("resid_pdrop"),
    )


def _gpt_neox(read: Reader) -> Architecture:
    """Side by side as well, but each with its own norm."""
    size = dimensions(read, PLAIN)
    layer = Layer(
        mixer=attention(read, PLAIN, size, bias=read.flag("attention_bias")),
        feed_forward=Mlp(width=read.count("intermediate_size"), gated=False, bias=True),
        norm_bias=True,
        parallel=read.flag("use_parallel_residual"),
    )
    return decoder(
        read,
        size,
        runs([layer] * size.depth),
        final_norm=2 * size.hidden,
        max_length=read.optional_count("max_position_embeddings"),
        dropout=read.probability("hidden_dropout"),
    )


def _opt(read: Reader) -> Architecture:
    """Two more positions than tokens; the 350 M model has a narrower embedding with projections in and out."""
    size = dimensions(read, PLAIN)
    bias, affine = read.flag("enable_bias"), read.flag("layer_norm_elementwise_affine")
    layer = Layer(
        mixer=attention(read, PLAIN, size, bias=bias),
        feed_forward=Mlp(width=read.count("ffn_dim"), gated=False, bias=bias),
        norm_bias=True,
        norm_parameters=None if affine else 0,
    )
    width = read.optional_count("word_embed_proj_dim") or size.hidden
    projection = width * size.hidden if width != size.hidden else 0
    final = read.flag("do_layer_norm_before") and not read.flag("_remove_final_layer_norm") and affine
    length = read.count("max_position_embeddings")
    return decoder(
        read,
        size,
        runs([layer] * size.depth),
        final_norm=2 * size.hidden if final else 0,
        positions=length + 2,
        embedding_width=width if projection else None,
        projection=projection,
        head_projection=projection,
        max_length=length,
        rotary=False,
        dropout=read.probability("dropout"),
    )


def _bloom(read: Reader) -> Architecture:
    """ALiBi positions and a norm on the embedding."""
    size = dimensions(read, BLOOM)
    mlp = Mlp(width=4 * size.hidden, gated=False, bias=True)
    layer = Layer(mixer=attention(read, BLOOM, size), feed_forward=mlp, norm_bias=True)
    return decoder(
        read,
        size,
        runs([layer] * size.depth),
        final_norm=2 * size.hidden,
        embedding_norm=2 * size.hidden,
        rotary=False,
        max_length=read.optional_count("seq_length"),
        dropout=read.probability("hidden_dropout"),
    )


def _mpt(read: Reader) -> Architecture:
    """ALiBi positions and no bias anywhere; the feed-forward is four times the width, as the class has it."""
    size = dimensions(read, MPT)
    layer = Layer(mixer=attention(read, MPT, size, bias=False), feed_forward=Mlp(width=4 * size.hidden, gated=False))
    return decoder(
        read,
        size,
        runs([layer] * size.depth),
        final_norm=size.hidden,
        rotary=False,
        max_length=read.optional_count("max_seq_len"),
        dropout=read.probability("resid_pdrop"),
    )


def _falcon(read: Reader) -> Architecture:
    """Falcon 7B shares one key-value head, the 40B and 180B share several; norms differ by generation."""
    size = dimensions(read, PLAIN)
    new, multi_query = read.flag("new_decoder_architecture"), read.flag("multi_query")
    kv_heads = read.kv_heads(size.heads, "num_kv_heads") if new else (1 if multi_query else size.heads)
    bias, parallel = read.flag("bias"), read.flag("parallel_attn")
    norms = read.optional_count("num_ln_in_parallel_attn") or (2 if new else 1)
    layer = Layer(
        mixer=attention(read, PLAIN, size, kv_heads=kv_heads, bias=bias),
        feed_forward=Mlp(width=_inner(read, "ffn_hidden_size", size), gated=False, bias=bias),
        norms=(2 if norms == 2 else 1) if parallel else 2,
        norm_bias=True,
        parallel=parallel,
    )
    return decoder(
        read,
        size,
        runs([layer] * size.depth),
        final_norm=2 * size.hidden,
        rotary=not read.flag("alibi"),
        max_length=read.optional_count("max_position_embeddings"),
        dropout=read.probability("hidden_dropout"),
    )


def _inner(read: Reader, key: str, size: Dimensions) -> int:
    """Width of the feed-forward: four times the hidden width where the config has none."""
    width = read.optional_count(key)
    if width is None:
        read.assume(key, 4 * size.hidden, "4 × the hidden width")
    return width or 4 * size.hidden


BUILDERS: dict[str, tuple[Keys, Callable[[Reader], Architecture]]] = {
    "gpt2": (GPT2, _gpt2),
    "gpt_bigcode": (GPT2, _gpt2),
    "gpt_neo": (NEO, _gpt_neo),
    "gptj": (GPT2, _gptj),
    "codegen": (GPT2, _gptj),
    "gpt_neox": (PLAIN, _gpt_neox),
    "opt": (PLAIN, _opt),
    "bloom": (BLOOM, _bloom),
    "mpt": (MPT, _mpt),
    "falcon": (PLAIN, _falcon),
}
