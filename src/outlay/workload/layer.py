"""A transformer layer as operators on one device, for given degrees of parallelism.

Degrees are numbers or arrays. Tensor parallelism splits heads and feed-forward columns, sequence parallelism what lies
between them [1]_, context parallelism the sequence, expert parallelism the experts. Bytes of activations follow the
accounting of [1]_ (§4.1), operator by operator.

.. [1] V. Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models", MLSys 2023,
arXiv:2205.05198.
"""

from __future__ import annotations

from outlay.workload.architecture import Architecture, Attention, Experts, Layer
from outlay.workload.feed_forward import expert_operators, mlp_operators
from outlay.workload.mixers import attention_operators
from outlay.workload.operators import Matmul, MemoryBound, Number, Operator
from outlay.workload.recurrence import recurrent_operators
from outlay.workload.shard import Shard, norm, residual, touch


def layer_operators(
    layer: Layer, hidden: int, shard: Shard, *, dropout: float = 0.0, rotary: bool = True
) -> list[Operator]:
    """The operators of one layer, in order of execution.

    >>> from outlay.workload.architecture import transformer
    >>> gpt = transformer(layers=1, hidden=1024, heads=16, vocab=50257)
    >>> work = layer_operators(gpt.blocks[0].layer, 1024, Shard(micro_batch=1, sequence_length=1024))
    >>> bool(sum(op.flop_forward for op in work if isinstance(op, Matmul)) == 24 * 1024 * 1024**2)
    True
    """
    operators: list[Operator] = []
    if isinstance(layer.mixer, Attention):
        operators += norm("input norm", hidden, shard, layer.norm_bias)
        operators += attention_operators(layer.mixer, hidden, shard, rotary=rotary)
        if not layer.parallel:
            operators += residual("attention residual", hidden, shard, dropout)
    elif layer.mixer is not None:
        operators += norm("input norm", hidden, shard, layer.norm_bias)
        operators += recurrent_operators(layer.mixer, hidden, shard)
        operators += residual("mixer residual", hidden, shard, dropout)
    if layer.cross_attention is not None:
        operators += norm("cross norm", hidden, shard, layer.norm_bias)
        operators += attention_operators(layer.cross_attention, hidden, shard, rotary=False)
        operators += residual("cross residual", hidden, shard, dropout)
    if layer.feed_forward is not None:
        if not layer.parallel:
            operators += norm("feed-forward norm", hidden, shard, layer.norm_bias)
        if isinstance(layer.feed_forward, Experts):
            operators += expert_operators(layer.feed_forward, hidden, shard)
        else:
            operators += mlp_operators(layer.feed_forward, hidden, shard)
        operators += residual("feed-forward residual", hidden, shard, dropout)
    # Sandwich norms (Gemma 2 and 3, OLMo 2 after instead of before) are norms beyond the one in front of each part.
    parts = sum(part is not None for part in (layer.mixer, layer.feed_forward, layer.cross_attention))
    for extra in range(max(0, layer.norms - parts)):
        operators += norm(f"post norm {extra + 1}", hidden, shard, layer.norm_bias)
    return operators


def embedding_operators(architecture: Architecture, shard: Shard) -> list[Operator]:
    """Token look-up, learned positions, dropout: memory traffic only."""
    numbers = shard.tokens_between * architecture.hidden
    return [
        touch(
            "embedding",
            numbers,
            reads=1,
            writes=1,
            shard=shard,
            kernels=2,
            saved=shard.stored * numbers * bool(architecture.dropout),
        )
    ]


def head_operators(architecture: Architecture, shard: Shard, *, fused_loss: bool = False) -> list[Operator]:
    """Final norm, projection to the vocabulary, and cross-entropy over vocabulary-parallel logits.

    A fused cross-entropy reads the 16-bit logits once, and once more to write their gradients: nothing of it is in fp32
    outside the kernel. An eager one passes over fp32 copies, one kernel a step.
    """
    if not architecture.head:
        return norm("final norm", architecture.hidden, shard, False)
    tokens, columns = shard.tokens * architecture.predicted_share, architecture.vocab / shard.tensor
    logits = tokens * columns
    return [
        *norm("final norm", architecture.hidden, shard, architecture.learned_positions),
        Matmul(
            name="head",
            rows=tokens,
            columns=columns,
            depth=architecture.hidden,
            low_precision=False,
            saved=shard.stored * shard.tokens_between * architecture.hidden,
        ),
        _fused_cross_entropy(logits, shard) if fused_loss else _eager_cross_entropy(logits, shard),
    ]


def _eager_cross_entropy(logits: Number, shard: Shard) -> MemoryBound:
    """16-bit logits are read, written as fp32, then maximum, exponential and sum pass over them; backward writes fp32
    and 16-bit gradients."""
    return MemoryBound(
        name="cross-entropy",
        bytes_forward=(shard.stored + 4.0 * 5) * logits,
        bytes_backward=(4.0 * 2 + shard.stored) * logits,
        kernels_forward=8,
        kernels_backward=4,
        saved=(shard.stored + 4.0) * logits,
    )


def _fused_cross_entropy(logits: Number, shard: Shard) -> MemoryBound:
    return MemoryBound(
        name="cross-entropy",
        bytes_forward=shard.stored * logits,
        bytes_backward=2.0 * shard.stored * logits,
        kernels_forward=2,
        kernels_backward=2,
        saved=(shard.stored + 4.0) / 2.0 * logits,
    )
