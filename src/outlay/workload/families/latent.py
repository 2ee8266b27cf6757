"""DeepSeek's multi-head latent attention (V2, V3, R1, Kimi K2)."""

from __future__ import annotations

from outlay.workload.architecture import Architecture, Attention, Layer
from outlay.workload.families.experts import sparse_feed_forwards
from outlay.workload.families.reader import Reader
from outlay.workload.families.shape import Keys, decoder, dimensions, runs

KEYS = Keys()
TYPES = ("deepseek_v2", "deepseek_v3")


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
        runs(Layer(mixer=attention, feed_forward=feed_forward) for feed_forward in feed_forwards),
        final_norm=size.hidden,
        max_length=read.optional_count("max_position_embeddings"),
        multi_token_prediction=read.optional_count("num_nextn_predict_layers", least=0) or 0,
    )
