"""What mixes tokens, as operators on one device: softmax attention (MHA, GQA, MQA, MLA) and state-space layers."""

from __future__ import annotations

import numpy as np

from outlay.workload.architecture import Attention, StateSpace
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
        width = heads * attention.head_dim + kv_heads * (attention.head_dim + attention.value_dim)
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
            window=attention.window if attention.window else None,
            relative=attention.relative,
            shards=shard.context,
            saved=saved_qkv if shard.forward else saved_qkv + 4.0 * tokens * heads,
            # Softmax output and its dropped-out copy in 16 bits, and a mask byte (Korthikanti's 5 a s² b).
            saved_unfused=(2.0 * shard.stored + 1.0) * scores,
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


def state_space_operators(mixer: StateSpace, hidden: int, shard: Shard) -> list[Operator]:
    """A Mamba-2 mixer: the scan runs as chunked products (state-space duality), so it counts as matmul work."""
    tokens, split = shard.tokens, shard.tensor
    inner, groups, heads = mixer.inner / split, np.maximum(mixer.groups / split, 1.0), mixer.heads / split
    width = 2 * inner + 2 * groups * mixer.state + heads
    convolved = inner + 2 * groups * mixer.state
    chunk = mixer.chunk
    return [
        Matmul(
            name="mixer in-projection",
            rows=tokens,
            columns=width,
            depth=hidden,
            saved=shard.kept_between * hidden,
        ),
        touch("short convolution", tokens * convolved, reads=1, writes=1, shard=shard, saved=shard.kept * width),
        # Within a chunk: scores (chunk × state) and their product with the inputs; across chunks: state in and out.
        Matmul(
            name="scan within chunks",
            rows=tokens,
            columns=chunk,
            depth=groups * mixer.state + inner,
            weights=False,
            low_precision=False,
        ),
        Matmul(
            name="scan across chunks",
            rows=tokens,
            columns=2 * mixer.state,
            depth=inner,
            weights=False,
            low_precision=False,
        ),
        touch("gated norm", tokens * inner, reads=2, writes=1, shard=shard, saved=shard.kept * inner * 2),
        Matmul(
            name="mixer out-projection",
            rows=tokens,
            columns=hidden,
            depth=inner,
            saved=shard.kept_linear * inner,
        ),
    ]
