"""One device's part of a micro-batch, and the memory traffic that every layer has: passes over activations, norms, residuals."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from outlay.workload.operators import MemoryBound, Number, Operator

STORED = 2.0
"""Bytes of a saved 16-bit activation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One device's part of a micro-batch: `micro_batch` sequences of `sequence_length` tokens, divided by the
    degrees."""

    micro_batch: Number
    sequence_length: Number
    tensor: Number = 1
    context: Number = 1
    expert: Number = 1
    expert_tensor: Number = 1
    sequence_parallel: Number = False
    stored: float = STORED
    """Bytes of an activation in memory: 2, or 4 where nothing is done in 16 bits."""
    stored_linear: float = STORED
    """Bytes of a saved input of a projection: 1 where an fp8 recipe keeps the quantized copy."""
    fused_elementwise: bool = True
    """Whether neighbours among elementwise operations run as one kernel, rather than one kernel an operation."""
    document: float | None = None
    """Tokens that attend to each other, where several documents are packed into a sequence; None is the whole of it."""
    stored_norm: float = 0.0
    """Bytes that a root-mean-square norm keeps of each input beside its output: of the copy in which it works."""
    forward: bool = False
    """Nothing goes back through it, as in serving: what operators would read, write and keep for that is left at 0."""
    tokens: Number = field(init=False, repr=False, compare=False)
    """Tokens of a micro-batch on this device inside tensor-parallel regions."""
    tokens_between: Number = field(init=False, repr=False, compare=False)
    """Tokens between tensor-parallel regions: all of them, or one part each with sequence parallelism."""
    kept: Number = field(init=False, repr=False, compare=False)
    """Bytes that are saved of one activation of every token, for the way back; none where there is none."""
    kept_linear: Number = field(init=False, repr=False, compare=False)
    """The same of a projection's input."""
    kept_between: Number = field(init=False, repr=False, compare=False)
    """The same between tensor-parallel regions."""

    def __post_init__(self) -> None:
        # Every operator asks for them.
        tokens = self.micro_batch * self.sequence_length / self.context
        between = (
            tokens if self.sequence_parallel is False else tokens / np.where(self.sequence_parallel, self.tensor, 1)
        )
        object.__setattr__(self, "tokens", tokens)
        object.__setattr__(self, "tokens_between", between)
        object.__setattr__(self, "kept", 0.0 if self.forward else self.stored * tokens)
        object.__setattr__(self, "kept_linear", 0.0 if self.forward else self.stored_linear * tokens)
        object.__setattr__(self, "kept_between", 0.0 if self.forward else self.stored_linear * between)


def touch(
    name: str,
    numbers: Number,
    *,
    reads: int,
    writes: int,
    shard: Shard,
    kernels: int = 1,
    routing: bool = False,
    saved: Number = 0.0,
) -> MemoryBound:
    """A pass over `numbers` activations; backward reads what forward read and the gradient, and writes a gradient
    for each read."""
    return MemoryBound(
        name=name,
        bytes_forward=shard.stored * numbers * (reads + writes),
        bytes_backward=0.0 if shard.forward else shard.stored * numbers * (2 * reads + writes),
        kernels_forward=kernels,
        kernels_backward=kernels,
        saved=saved,
        routing=routing,
    )


def norm(name: str, hidden: int, shard: Shard, bias: bool) -> list[Operator]:
    numbers = shard.tokens_between * hidden
    # PyTorch has a kernel for LayerNorm; a root-mean-square norm as written in Python converts to fp32, squares, averages,
    # scales, converts back and multiplies by the weight.
    eager = not shard.fused_elementwise and not bias
    passes = 4 * shard.stored + 4.0 * 6 if eager else 2 * shard.stored
    return [
        MemoryBound(
            name=name,
            bytes_forward=passes * numbers,
            bytes_backward=0.0 if shard.forward else 1.5 * passes * numbers,
            kernels_forward=6 if eager else 1,
            kernels_backward=10 if eager else 2,
            saved=0.0 if shard.forward else (shard.stored + shard.stored_norm * eager) * numbers,
            parameters=hidden * (2 if bias else 1),
        )
    ]


def residual(name: str, hidden: int, shard: Shard, dropout: float) -> list[Operator]:
    """Add (and drop out): reads two, writes one; backward passes the gradient on, through the mask where there is
    one."""
    numbers = shard.tokens_between * hidden
    mask = 1.0 if dropout else 0.0
    apart = dropout > 0 and not shard.fused_elementwise
    return [
        MemoryBound(
            name=name,
            bytes_forward=numbers * ((5 if apart else 3) * shard.stored + mask),
            kernels_forward=1 + apart,
            bytes_backward=numbers * (2 * shard.stored + mask) if dropout else numbers * shard.stored,
            saved=numbers * mask if dropout else 0.0,
        )
    ]
