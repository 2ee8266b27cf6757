"""The operators: what one device executes, as plain shapes.

Four kinds are enough for every model: a dense matrix product, a grouped one (experts), the core of attention, and
everything that only moves memory. Dimensions are numbers or NumPy arrays and broadcast, so that one list of operators
describes one layout or a million. A multiply–add is 2 FLOP.

`saved` is what the operator keeps for its own backward pass, in bytes a micro-batch on this device. An input that two
operators share is counted at one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Number: TypeAlias = float | NDArray[Any]
"""A number, or an array of them: one a layout."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matmul:
    """`rows` × `depth` times `depth` × `columns`, executed `count` times; its backward is two products of the
    same size.

    >>> product = Matmul(name="output projection", rows=4096, columns=4096, depth=4096)
    >>> product.flop_forward == 2 * 4096**3 and product.flop_backward == 4 * 4096**3
    True
    """

    name: str
    rows: Number
    columns: Number
    depth: Number
    count: Number = 1.0
    weights: bool = True
    """Whether the right-hand side is a weight: then it has parameters, and a weight gradient is accumulated."""
    saved: Number = 0.0
    low_precision: bool = True
    """Whether fp8 and fp4 recipes run it in that type (projections of layers do, the head and the router do not)."""
    trained: bool = True
    """Whether the weight gets a gradient; of a frozen one the backward pass is the input's gradient alone."""
    held: bool = True
    """Whether the weight is one of the model's own, rather than made anew for each pass."""

    @property
    def flop_forward(self) -> Number:
        return 2.0 * self.rows * self.columns * self.depth * self.count

    @property
    def flop_backward(self) -> Number:
        return (2.0 if self.trained or not self.weights else 1.0) * self.flop_forward

    @property
    def parameters(self) -> Number:
        return self.columns * self.depth * self.count if self.weights and self.held else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedMatmul:
    """`groups` products that share `rows` among them: the experts of a mixture; `imbalance` ≥ 1 is fullest over
    mean."""

    name: str
    rows: Number
    columns: Number
    depth: Number
    groups: Number
    imbalance: Number = 1.0
    saved: Number = 0.0
    low_precision: bool = True
    trained: bool = True

    @property
    def flop_forward(self) -> Number:
        return 2.0 * self.rows * self.columns * self.depth

    @property
    def flop_backward(self) -> Number:
        return (2.0 if self.trained else 1.0) * self.flop_forward

    @property
    def parameters(self) -> Number:
        return self.groups * self.columns * self.depth


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionCore:
    """softmax(QKᵀ)V of `batch` sequences; causal attention and windows do only the FLOP inside the mask.

    >>> core = AttentionCore(name="attention", batch=1, heads=32, kv_heads=8, queries=8192, keys=8192, head_dim=128,
    ...     value_dim=128, causal=False, window=None)
    >>> core.flop_forward == 4 * 32 * 8192**2 * 128
    True
    """

    name: str
    batch: Number
    heads: Number
    kv_heads: Number
    queries: Number
    keys: Number
    head_dim: int
    value_dim: int
    causal: bool
    window: int | None
    relative: bool = False
    """Scores are those of keys plus those of projected relative positions, which no fused kernel computes."""
    shards: Number = 1.0
    """Context-parallel devices among which the (balanced) work is split."""
    saved: Number = 0.0
    saved_unfused: Number = 0.0
    """What an attention that writes its score matrix to memory keeps beyond `saved`."""

    @property
    def pairs(self) -> Number:
        """Query–key pairs inside the mask, a head and sequence: causal counts the diagonal's half."""
        return attended_pairs(self.queries, self.keys, causal=self.causal, window=self.window)

    @property
    def blocks(self) -> Number:
        """Squares of `queries / shards` times `keys / shards` that each device attends to one after another, as their
        keys come round the ring; 1 without context parallelism.

        >>> core = AttentionCore(name="a", batch=1, heads=1, kv_heads=1, queries=4096, keys=4096, head_dim=64,
        ...     value_dim=64, causal=True, window=None, shards=4)
        >>> float(core.blocks)
        4.0
        """
        own = attended_pairs(
            self.queries / self.shards, self.keys / self.shards, causal=self.causal, window=self.window
        )
        return self.pairs / self.shards / own

    @property
    def flop_forward(self) -> Number:
        return 2.0 * self.batch * self.heads * self.pairs * (self.head_dim + self.value_dim) / self.shards

    @property
    def flop_backward(self) -> Number:
        """Five products for the forward's two (scores are made again inside the fused kernel): counted as 2 ×, the
        model's FLOP."""
        return 2.0 * self.flop_forward

    parameters = 0.0
    trained = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBound:
    """Element-wise work, norms, dropout, look-ups: `bytes_*` moved by `kernels_*` launches."""

    name: str
    bytes_forward: Number
    bytes_backward: Number
    kernels_forward: int = 1
    kernels_backward: int = 1
    saved: Number = 0.0
    parameters: Number = 0.0
    routing: bool = False
    """Whether it sends tokens to experts and back: kernels that matured late."""
    trained: bool = True
    decoded: Number = 0.0
    """Weights that it decodes from the type in which they are stored, each way."""

    flop_forward = 0.0
    flop_backward = 0.0


Operator: TypeAlias = Matmul | GroupedMatmul | AttentionCore | MemoryBound


def attended_pairs(queries: Number, keys: Number, *, causal: bool, window: int | None) -> Number:
    """Query–key pairs that a mask lets through, for one head of one sequence.

    Causal attention counts half the square (the field's convention; the exact sum is (s² + s)/2); a window `w`
    lets each
    query see at most `w` keys.

    >>> float(attended_pairs(8192, 8192, causal=True, window=None))
    33554432.0
    >>> float(attended_pairs(8192, 8192, causal=True, window=4096))
    25165824.0
    """
    span = np.minimum(keys, window) if window else keys
    if not causal:
        return queries * span * 1.0
    return queries * span - span * span / 2.0 if window else queries * keys - np.minimum(queries, keys) * queries / 2.0
