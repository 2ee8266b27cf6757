"""DeepSeek's multi-head latent attention (V2, V3, R1, Kimi K2), and the sparse attention on top of it (V3.2, GLM-5)."""

from __future__ import annotations

from dataclasses import replace

from outlay.workload.architecture import Architecture, Attention, Index, Layer
from outlay.workload.families.experts import sparse_feed_forwards
from outlay.workload.families.reader import Reader
from outlay.workload.families.shape import Keys, decoder, dimensions, runs

KEYS = Keys()
SPARSE = ("deepseek_v32", "glm_moe_dsa")
"""Types whose queries attend to no more keys than an index chooses."""
TYPES = ("deepseek_v2", "deepseek_v3", *SPARSE)


def build(read: Reader) -> Architecture:
    """A decoder whose keys and values come from one latent vector a token.

    The projections into the latent spaces and out of the heads have a bias with `attention_bias`, those out of the latent
    spaces never. Multi-token-prediction layers are noted, and not part of the stack: no class of `transformers` builds them.
    """
    size = dimensions(read, KEYS)
    query_rank, kv_rank = read.optional_count("q_lora_rank"), read.count("kv_lora_rank")
    rope, nope = read.count("qk_rope_head_dim"), read.count("qk_nope_head_dim")
    bias = read.flag("attention_bias")
    attention = Attention(
        heads=size.heads,
        kv_heads=size.heads,
        head_dim=rope + nope,
        value_dim=read.count("v_head_dim"),
        output_bias=bias,
        norm_parameters=(query_rank or 0) + kv_rank,
        query_rank=query_rank,
        kv_rank=kv_rank,
        rope_dim=rope,
        extra_parameters=((query_rank or 0) + kv_rank + rope) if bias else 0,
    )
    feed_forwards = sparse_feed_forwards(read, size.depth) or []
    return decoder(
        read,
        size,
        runs(
            Layer(mixer=mixer, feed_forward=feed_forward)
            for mixer, feed_forward in zip(_attentions(read, attention, size.depth), feed_forwards, strict=False)
        ),
        final_norm=size.hidden,
        max_length=read.optional_count("max_position_embeddings"),
        multi_token_prediction=read.optional_count("num_nextn_predict_layers", least=0) or 0,
    )


def _attentions(read: Reader, attention: Attention, depth: int) -> list[Attention]:
    """The attention of each layer: with an index of its own, or with the choice of the layer before (`shared`)."""
    if read.model_type not in SPARSE:
        return [attention] * depth
    index = Index(heads=read.count("index_n_heads"), head_dim=read.count("index_head_dim"))
    own = replace(attention, chosen=read.count("index_topk"), index=index)
    return [own if full else replace(own, index=None) for full in _full(read, depth)]


def _full(read: Reader, depth: int) -> list[bool]:
    """Which layers run an index: as `indexer_types` lists them, or every `index_topk_freq`-th after the first few."""
    types = read.config.get("indexer_types")
    if types is None:
        every = read.optional_count("index_topk_freq") or 1
        first = read.optional_count("index_skip_topk_offset") or 2
        return [max(place - first + 1, 0) % every == 0 for place in range(depth)]
    known = {"full": True, "shared": False}
    if not isinstance(types, list | tuple) or len(types) != depth or not all(str(kind) in known for kind in types):
        read.contradiction(f"`indexer_types`: expected a list of {depth:,} of full and shared, one a layer", "layer")
        return [True] * depth
    return [known[str(kind)] for kind in types]
