"""DBRX: a mixture of experts whose attention and experts are described in configs of their own."""

from __future__ import annotations

from outlay.workload.architecture import Architecture, Attention, Layer
from outlay.workload.families.experts import experts
from outlay.workload.families.reader import Reader
from outlay.workload.families.shape import Keys, decoder, dimensions, runs

KEYS = Keys(hidden="d_model", depth="n_layers", heads="n_heads")


def build(read: Reader) -> Architecture:
    size = dimensions(read, KEYS)
    width = read.head_dim(size.hidden, size.heads, width=KEYS.hidden, depth_of_heads=KEYS.heads, key=None)
    kv_heads = read.nested("attn_config").kv_heads(size.heads, "kv_n_heads")
    attention = Attention(heads=size.heads, kv_heads=kv_heads, head_dim=width, value_dim=width)
    sparse = experts(read.nested("ffn_config"), ("moe_num_experts", "moe_top_k", "ffn_hidden_size"))
    return decoder(
        read,
        size,
        runs([Layer(mixer=attention, feed_forward=sparse)] * size.depth),
        final_norm=size.hidden,
        max_length=read.optional_count("max_seq_len"),
        dropout=read.probability("resid_pdrop"),
    )
