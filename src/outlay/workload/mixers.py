"""Softmax attention as operators on one device: MHA, GQA, MQA, MLA, with an index of keys where it is sparse."""

from __future__ import annotations

import numpy as np

from outlay.workload.architecture import Attention, Index
from outlay.workload.operators import AttentionCore, Matmul, Number, Operator
from outlay.workload.shard import Shard, touch


def attention_operators(attention: Attention, hidden: int, shard: Shard, *, rotary: bool = True) -> list[Operator]:
    """Projections and core of softmax attention (MHA, GQA, MQA or MLA)."""
    tokens, split = shard.tokens, shard.tensor
    heads = attention.heads / split
    kv_heads = np.maximum(attention.kv_heads / split, 1.0)
    value_width = heads * attention.value_dim
    operators: list[Operator] = []
    kept = shard.kept_between * hidden
    length = shard.sequence_length
    keys = length + attention.memory
    if attention.kv_rank is None:
        queries = heads * attention.head_dim * (2 if attention.gated else 1)
        width = queries + kv_heads * (attention.head_dim + attention.value_dim)
        operators.append(
            Matmul(
                name="query-key-value projection",
                rows=tokens * keys / length,
                columns=width,
                depth=hidden,
                saved=kept * keys / length,
            )
        )
        if attention.relative:
            operators.append(
                Matmul(name="position projection", rows=keys, columns=heads * attention.head_dim, depth=hidden)
            )
        rotated = heads * attention.head_dim + kv_heads * attention.head_dim
    else:
        # The latent projections are not split: every tensor-parallel rank holds the whole latent vector.
        query_in = attention.query_rank or hidden
        nope = attention.head_dim - attention.rope_dim
        between = shard.tokens_between
        down = (attention.query_rank or 0) + attention.kv_rank + attention.rope_dim
        operators.append(Matmul(name="latent down-projection", rows=between, columns=down, depth=hidden, saved=kept))
        operators.append(
            touch("latent norms", between * down, reads=1, writes=1, shard=shard, saved=shard.stored * between * down)
        )
        operators.append(
            Matmul(name="query up-projection", rows=tokens, columns=heads * attention.head_dim, depth=query_in)
        )
        operators.append(
            Matmul(
                name="key-value up-projection",
                rows=tokens,
                columns=heads * (nope + attention.value_dim),
                depth=attention.kv_rank,
                saved=shard.kept_linear * (attention.kv_rank + (attention.query_rank or 0)),
            )
        )
        kv_heads = heads
        rotated = heads * attention.head_dim * 2.0
    if rotary:
        # By itself: halves swapped, two products, a sum.
        reads, writes = (1, 1) if shard.fused_elementwise else (5, 4)
        operators.append(
            touch("rotary embedding", tokens * rotated, reads=reads, writes=writes, kernels=writes, shard=shard)
        )
    if attention.index is not None:
        operators += index_operators(attention.index, attention.query_rank or hidden, hidden, shard)
    saved_qkv: Number = 0.0
    scores: Number = 0.0
    if not shard.forward:
        saved_qkv = (
            shard.stored * tokens * (heads * attention.head_dim + kv_heads * (attention.head_dim + attention.value_dim))
        )
        scores = shard.micro_batch * heads * length * keys / shard.context
    packed = 1.0 if shard.document is None else np.maximum(length / shard.document, 1.0)
    operators.append(
        AttentionCore(
            name="attention",
            batch=shard.micro_batch * packed,
            heads=heads,
            kv_heads=kv_heads,
            queries=length / packed,
            keys=keys / packed,
            head_dim=attention.head_dim,
            value_dim=attention.value_dim,
            causal=attention.causal,
            window=attention.window or attention.chosen,
            relative=attention.relative,
            shards=shard.context,
            saved=saved_qkv if shard.forward else saved_qkv + 4.0 * tokens * heads,
            # Softmax output and its dropped-out copy in 16 bits, and a mask byte (Korthikanti's 5 a s² b).
            saved_unfused=(2.0 * shard.stored + 1.0) * scores,
        )
    )
    if attention.gated:
        operators.append(
            touch(
                "attention gate", tokens * value_width, reads=2, writes=1, shard=shard, saved=shard.kept * value_width
            )
        )
    operators.append(
        Matmul(
            name="attention output projection",
            rows=tokens,
            columns=hidden,
            depth=value_width,
            saved=shard.kept * value_width,
        )
    )
    return operators


def index_operators(index: Index, rank: int, hidden: int, shard: Shard) -> list[Operator]:
    """What scores keys for sparse attention: two products, small passes, and scores of all keys that a query sees.

    Every tensor-parallel device does all of it. The keys' product runs beside the queries', and is counted with the weights of
    heads; passes are those that SGLang launches for queries, one after another: rotary positions, a Hadamard rotation,
    narrowing to 8 bits, weights of heads, and keys to the cache (https://github.com/sgl-project/sglang,
    python/sglang/srt/layers/attention/nsa/nsa_indexer.py, read 2026-11).
    """
    between, length = shard.tokens_between, shard.sequence_length
    width = index.heads * index.head_dim
    queries, keys = between * width, between * index.head_dim
    return [
        Matmul(name="index query projection", rows=between, columns=width, depth=rank),
        Matmul(
            name="index key projection",
            rows=between,
            columns=index.head_dim + index.heads,
            depth=hidden,
            low_precision=False,
        ),
        touch("index rotary embedding", queries + keys, reads=1, writes=1, shard=shard),
        touch("index rotation", queries + keys, reads=1, writes=1, shard=shard),
        touch("index narrowing", queries + keys, reads=1, writes=1, shard=shard, saved=shard.kept_linear * width),
        touch("index weights", between * index.heads, reads=1, writes=1, shard=shard),
        touch("index keys kept", keys, reads=1, writes=1, shard=shard),
        AttentionCore(
            name="index scores",
            batch=shard.micro_batch,
            heads=index.heads,
            kv_heads=1.0,
            queries=length,
            keys=length,
            head_dim=index.head_dim,
            value_dim=0,
            causal=True,
            window=None,
            shards=shard.context,
        ),
    ]
