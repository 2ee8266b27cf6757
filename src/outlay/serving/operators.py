"""A serving step as operators on one device: the projections of all its tokens, and two kinds of attention.

Projections, norms and experts are those of training's forward pass over `tokens` rows; what differs is attention, which
reads a cache, so :func:`layer_work` leaves its core out and :mod:`outlay.serving.iteration` times prompts and decoding
sequences apart. Decoding through latent attention (MLA) absorbs the up-projections: queries are brought to the latent
space head by head, attend to the one latent vector of each token, and the result is brought back.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from outlay.layout import Layout
from outlay.workload import (
    Architecture,
    Attention,
    AttentionCore,
    Layer,
    Matmul,
    MemoryBound,
    Number,
    Operator,
    Shard,
    embedding_operators,
    layer_operators,
)
from outlay.workload.shard import norm

LATENT_CORE = ("query up-projection", "key-value up-projection")


def layer_work(layer: Layer, hidden: int, tokens: Number, layout: Layout, *, rotary: bool = True) -> list[Operator]:
    """The operators of one layer over `tokens` tokens of an instance, without the core of attention.

    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=1, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> work = layer_work(llama.blocks[0].layer, 4096, 16, Layout())
    >>> [op.name for op in work if isinstance(op, Matmul)]
    ['query-key-value projection', 'attention output projection', 'feed-forward up-projection', 'feed-forward down-projection']
    """
    shard = Shard(
        micro_batch=tokens / layout.data,
        sequence_length=1,
        tensor=layout.tensor,
        expert=layout.expert,
        expert_tensor=layout.expert_tensor,
        sequence_parallel=False,
        forward=True,
    )
    operators = layer_operators(layer, hidden, shard, rotary=rotary)
    return [op for op in operators if not isinstance(op, AttentionCore)]


def latent_decoding(attention: Attention, sequences: Number, layout: Layout) -> list[Operator]:
    """What decoding through latent attention adds to, and spares from, the projections of every token.

    The key-value up-projection does not run; its two halves multiply queries and results instead, head by head.
    """
    if attention.kv_rank is None:
        return []
    heads, rows = attention.heads / layout.tensor, sequences / layout.data
    nope = attention.head_dim - attention.rope_dim
    return [
        Matmul(name="query into latent", rows=rows, columns=attention.kv_rank, depth=nope, count=heads),
        Matmul(name="value from latent", rows=rows, columns=attention.value_dim, depth=attention.kv_rank, count=heads),
    ]


def absorbed(
    operators: list[Operator], attention: Attention, layout: Layout, *, tokens: Number, prefill: Number
) -> list[Operator]:
    """Up-projections of keys and values for prompts alone, and the products that decoding takes in their place."""
    share = np.where(np.greater(tokens, 0), prefill / np.maximum(tokens, 1e-9), 0.0)
    kept: list[Operator] = [
        replace(op, rows=op.rows * share) if isinstance(op, Matmul) and op.name == LATENT_CORE[1] else op
        for op in operators
    ]
    return kept + latent_decoding(attention, tokens - prefill, layout)


def ends(architecture: Architecture, tokens: Number, logits: Number, layout: Layout) -> list[Operator]:
    """Embedding of `tokens`, and the final norm, head and sampling of the `logits` tokens that are predicted."""
    through = Shard(micro_batch=tokens / layout.data, sequence_length=1, tensor=layout.tensor, sequence_parallel=False)
    last = Shard(micro_batch=logits / layout.data, sequence_length=1, tensor=layout.tensor, sequence_parallel=False)
    operators = embedding_operators(architecture, through)
    operators += norm("final norm", architecture.hidden, last, architecture.learned_positions)
    if architecture.head:
        columns = architecture.vocab / layout.tensor
        operators.append(
            Matmul(name="head", rows=last.tokens, columns=columns, depth=architecture.hidden, low_precision=False)
        )
        # Logits are read and written as fp32 by temperature, softmax and the draw.
        operators.append(
            MemoryBound(
                name="sampling",
                bytes_forward=4.0 * 6 * last.tokens * architecture.vocab,
                bytes_backward=0.0,
                kernels_forward=6,
            )
        )
    return operators
