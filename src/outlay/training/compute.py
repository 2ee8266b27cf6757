"""Seconds that one micro-batch takes in one layer, and in the embedding and head, on the device and on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from outlay.machine import Curves, attention_seconds, from_memory, gemm_seconds, grouped_gemm_seconds, memory_seconds
from outlay.training.coefficients import StepCoefficients
from outlay.training.recipe import Recipe
from outlay.workload import AttentionCore, GroupedMatmul, Matmul, MemoryBound, Number, Operator

KINDS = ("matmul", "attention", "memory")

BUSY = 60.0
"""Seconds under load after which a chip has settled at its power limit."""

TABLES = 2025.5
"""When the tables of kernels were measured, in years."""

FIRST_YEARS = {"ampere": 2020, "ada": 2022, "hopper": 2022, "blackwell": 2024, "grace-blackwell": 2024}
"""When the first chip of a generation with tables came out; what came out with the tables lacks nothing against them."""

MATURE = 3.5
"""Years after which a generation's matrix libraries hardly get faster."""

ALIGNED = 64
"""Elements (128 bytes in 16 bits) in whose multiples the rows of a matrix should come for full speed (NVIDIA, "Matrix
Multiplication Background User's Guide", section 4)."""

QUANTIZE_BYTES = 4.0
"""Bytes moved to quantize one number: 16 bits are read, one byte is written as it stands and one transposed."""

JOIN_BYTES = 10.0
"""Bytes moved for a number of a block's result that is added to the sum so far: 16 bits are read, an fp32 sum is read and
written (H. Liu et al., "Ring Attention with Blockwise Transformers", arXiv:2310.01889, section 3)."""


def _nothing() -> dict[str, Number]:
    return dict.fromkeys(KINDS, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTimes:
    """Device seconds by kind of work, forward and backward, and the launches that the host makes for them."""

    forward: dict[str, Number] = field(default_factory=_nothing)
    backward: dict[str, Number] = field(default_factory=_nothing)
    kernels_forward: Number = 0
    kernels_backward: Number = 0

    def __add__(self, other: PassTimes) -> PassTimes:
        return PassTimes(
            forward={kind: self.forward[kind] + other.forward[kind] for kind in KINDS},
            backward={kind: self.backward[kind] + other.backward[kind] for kind in KINDS},
            kernels_forward=self.kernels_forward + other.kernels_forward,
            kernels_backward=self.kernels_backward + other.kernels_backward,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What turns operators into seconds: a recipe, an accelerator's curves, and what whole steps have shown."""

    recipe: Recipe
    curves: Curves
    coefficients: StepCoefficients

    def sustained(self, *, low: bool) -> float:
        """Seconds of a matrix product inside a step over its seconds in a table of kernels; `low` in the recipe's
        type."""
        generation = self.curves.accelerator.generation
        narrow = low and self.recipe.linear_bytes < self.recipe.activation_bytes
        young = years_behind(self.recipe.software.year, generation)
        return self.coefficients.slowdown_of(generation, narrow=narrow) * float(self.coefficients.young_library**young)

    @property
    def added_bytes(self) -> float:
        """Bytes moved for an element of a weight's gradient, which is added to a buffer."""
        return 2 * self.recipe.gradient_bytes

    @property
    def groups_experts(self) -> bool:
        """Whether all experts of a layer are one kernel."""
        where = self.recipe.software.grouped_experts
        return where == "always" or (where == "blackwell" and "blackwell" in self.curves.accelerator.generation)

    @property
    def unfused(self) -> bool:
        """Whether a tuning script runs every elementwise operation as a kernel of its own."""
        software = self.recipe.software
        return self.recipe.tunes and software.host == "eager" and not software.fused_elementwise

    @property
    def quantizes(self) -> bool:
        return self.recipe.linear_bytes < self.recipe.activation_bytes


def years_behind(year: float, generation: str) -> float:
    """Years of work on a generation's matrix libraries that software of `year` lacks against the tables of kernels.

    >>> years_behind(2023.0, "hopper"), years_behind(2024.5, "hopper"), years_behind(2026.0, "hopper")
    (2.5, 1.0, 0.0)
    """
    first = FIRST_YEARS.get(generation)
    return 0.0 if first is None else max(0.0, min(MATURE, TABLES - first) - max(year - first, 0.0))


def pass_times(operators: Iterable[Operator], timing: Timing) -> PassTimes:
    """Seconds of a list of operators on one device, forward and backward."""
    operators = list(operators)
    total = PassTimes()
    for low in (True, False):
        products = [op for op in operators if isinstance(op, Matmul) and op.low_precision == low]
        if products:
            total += _products(products, low, timing)
    for op in operators:
        if isinstance(op, GroupedMatmul):
            total += _experts(op, timing)
        elif isinstance(op, AttentionCore):
            total += _attention(op, timing)
    moved = [op for op in operators if isinstance(op, MemoryBound)]
    if moved:
        total += _moved(moved, timing)
    return total


def _products(products: list[Matmul], low: bool, timing: Timing) -> PassTimes:
    """Dense products, in one call over a stacked axis: the cost of a call is the same for one layout or many."""
    rows, columns, depth, count, weights = _stacked(
        *([getattr(op, name) for op in products] for name in ("rows", "columns", "depth", "count", "weights"))
    )
    coefficients = timing.coefficients
    options: dict[str, Any] = {
        "curve": timing.curves.gemm if low else timing.curves.gemm_base,
        "busy": BUSY,
        "quantised": True,
    }
    factor = count * timing.sustained(low=low) * coefficients.misaligned ** missing_alignment(columns, depth)
    factor = factor * np.where(weights > 0, 1.0, coefficients.scan_slowdown)
    forward = gemm_seconds(rows, columns, depth, **options)
    backward = gemm_seconds(rows, depth, columns, **options)
    trained = np.array([op.trained for op in products])
    if trained.any():
        gradient = gemm_seconds(columns, depth, rows, output_bytes=timing.added_bytes, **options)
        backward = backward + gradient * trained.reshape((-1,) + (1,) * (np.ndim(gradient) - 1))
    seconds = PassTimes(
        forward=_nothing() | {"matmul": (factor * forward).sum(axis=0)},
        backward=_nothing() | {"matmul": (factor * backward).sum(axis=0)},
        kernels_forward=len(products),
        kernels_backward=len(products) + int(trained.sum()),
    )
    if low and timing.quantizes:
        seconds += _quantized(
            (rows * depth * count).sum(axis=0), (rows * columns * count).sum(axis=0), len(products), timing
        )
    return seconds


def missing_alignment(columns: Any, depth: Any) -> Any:
    """How far rows of matrices are from starting at multiples of 128 bytes: 0 there, 1 at 16 bytes, the least that tensor
    cores take, and below, where libraries pad.

    >>> missing_alignment(np.array([4096.0, 1800.0]), np.array([4096.0, 14400.0])).tolist()
    [0.0, 1.0]
    """
    common = np.gcd(np.gcd(np.rint(columns).astype(np.int64), np.rint(depth).astype(np.int64)), ALIGNED)
    return np.minimum(np.log2(ALIGNED / common) / 3.0, 1.0)


def _experts(op: GroupedMatmul, timing: Timing) -> PassTimes:
    """Products of experts; a weight's gradient reduces over each expert's rows: the same FLOP, in the same groups.

    Where the software has no grouped kernel for the chip, each expert's product runs by itself, on its few rows, which
    are cast to a narrow type before; a grouped kernel does that on its way.
    """
    gradient = memory_seconds(op.parameters * timing.added_bytes, curve=timing.curves.memory)
    if timing.groups_experts:
        products = partial(
            grouped_gemm_seconds,
            op.rows,
            experts=op.groups,
            imbalance=timing.recipe.imbalance,
            curve=timing.curves.grouped,
            busy=BUSY,
            quantised=True,
        )
        forward, backward = products(n=op.columns, k=op.depth), products(n=op.depth, k=op.columns)
        weights = forward
    else:
        each = op.rows * timing.recipe.imbalance / op.groups
        gap = timing.coefficients.expert_gap
        product = partial(gemm_seconds, curve=timing.curves.gemm, busy=BUSY, quantised=True)
        forward = op.groups * (product(each, op.columns, op.depth) + gap)
        backward = op.groups * (product(each, op.depth, op.columns) + gap)
        weights = op.groups * (product(op.columns, op.depth, each) + gap)
    slow = timing.sustained(low=True) * timing.coefficients.moe_slowdown
    once = 1.0 if op.trained else 0.0
    seconds = PassTimes(
        forward=_nothing() | {"matmul": forward * slow},
        backward=_nothing() | {"matmul": (backward + once * weights) * slow, "memory": once * gradient},
        kernels_forward=1,
        kernels_backward=1 + op.trained,
    )
    if timing.quantizes and not timing.groups_experts:
        seconds += _quantized(op.rows * op.depth, op.rows * op.columns, 1, timing, slow=timing.coefficients.moe_looped)
    return seconds


def _quantized(inputs: Number, gradients: Number, products: int, timing: Timing, *, slow: float = 1.0) -> PassTimes:
    """Casting a projection's inputs going forward and its gradients going back to a narrow type."""
    curve = timing.curves.memory
    return PassTimes(
        forward=_nothing() | {"memory": slow * memory_seconds(QUANTIZE_BYTES * inputs, curve=curve)},
        backward=_nothing() | {"memory": slow * memory_seconds(QUANTIZE_BYTES * gradients, curve=curve)},
        kernels_forward=products,
        kernels_backward=products,
    )


def _attention(op: AttentionCore, timing: Timing) -> PassTimes:
    """Attention to one block of keys after another, and what joins the blocks' results under context parallelism.

    Blocks alternate between two streams (Transformer Engine's context parallelism), so that the last tiles of one run beside
    the first of the next: all of them count as one call.
    """
    fused = timing.recipe.software.fused_attention and not op.relative
    slow = timing.coefficients.attention_slowdown if fused and timing.recipe.software.attention_library else 1.0
    blocks = op.blocks
    forward, backward = (
        attention_seconds(
            op.batch * blocks,
            op.heads,
            op.kv_heads,
            op.queries / op.shards,
            op.keys / op.shards,
            op.head_dim,
            op.value_dim,
            causal=op.causal,
            window=op.window,
            backward=way,
            fused=fused,
            dropout=timing.recipe.dropout > 0,
            eager_softmax=not timing.recipe.software.fused_elementwise,
            relative=op.relative,
            curve=timing.curves.attention,
        )
        * slow
        + (blocks - 1.0) * memory_seconds(_joined_elements(op, backward=way) * JOIN_BYTES, curve=timing.curves.memory)
        for way in (False, True)
    )
    return PassTimes(
        forward=_nothing() | {"attention": forward},
        backward=_nothing() | {"attention": backward},
        kernels_forward=blocks * (1 if fused else 5 + 6 * op.relative) + (blocks - 1.0),
        kernels_backward=blocks * (2 if fused else 8 + 9 * op.relative) + (blocks - 1.0),
    )


def _joined_elements(op: AttentionCore, *, backward: bool) -> Number:
    """Numbers that a block adds to those of the blocks before: results; going back, gradients of queries, keys, values."""
    width = op.heads * op.queries * (op.head_dim if backward else op.value_dim)
    if backward:
        width = width + op.kv_heads * op.keys * (op.head_dim + op.value_dim)
    return op.batch * width / op.shards


def _moved(moved: list[MemoryBound], timing: Timing) -> PassTimes:
    """Element-wise work, norms and look-ups."""
    ahead, back = _stacked([op.bytes_forward for op in moved], [op.bytes_backward for op in moved])
    curve = timing.curves.memory
    if timing.unfused:
        ahead, back = (_uncached(way, moved, timing) for way in (ahead, back))
    # Kernels that take all experts at once read tokens from where they arrive and write them to where they go.
    routing = 0.0 if timing.groups_experts else timing.coefficients.moe_looped
    usual = timing.coefficients.memory_unfused if timing.unfused else timing.coefficients.memory_slowdown
    slow = np.array([usual * (routing if op.routing else 1.0) for op in moved])
    slow = slow.reshape((-1,) + (1,) * (np.ndim(ahead) - 1))
    decoded = sum(op.decoded for op in moved) * timing.coefficients.decode_seconds
    return PassTimes(
        forward=_nothing() | {"memory": (slow * memory_seconds(ahead, curve=curve)).sum(axis=0) + decoded},
        backward=_nothing() | {"memory": (slow * memory_seconds(back, curve=curve)).sum(axis=0) + decoded},
        kernels_forward=sum(op.kernels_forward for op in moved),
        kernels_backward=sum(op.kernels_backward for op in moved),
    )


def _uncached(way: Any, moved: list[MemoryBound], timing: Timing) -> Any:
    """Bytes from memory of operators whose kernels are small enough to find what they read in the cache."""
    kernels = np.array([max(op.kernels_forward, 1) for op in moved], dtype=float)
    kernels = kernels.reshape((-1,) + (1,) * (np.ndim(way) - 1))
    return kernels * from_memory(way / kernels, timing.curves.accelerator.l2, timing.coefficients.cache_faster)


def launch_seconds(timing: Timing) -> float:
    """Host seconds a kernel, for the recipe's way of launching."""
    coefficients = timing.coefficients
    if timing.unfused:
        return coefficients.launch_unfused
    return {
        "python": coefficients.launch_python,
        "eager": coefficients.launch_eager,
        "compiled": coefficients.launch_compiled,
        "graph": coefficients.launch_graph,
    }[timing.recipe.software.host]


def _stacked(*fields: list[Number]) -> list[Any]:
    """For each field, its value in every operator on a new leading axis; all broadcast to one shape."""
    shape = np.broadcast_shapes(*{np.shape(value) for values in fields for value in values})
    blocks = []
    for values in fields:
        block = np.empty((len(values), *shape))
        for place, value in enumerate(values):
            block[place] = value
        blocks.append(block)
    return blocks
