r"""How long softmax attention takes on one accelerator, fused (flash) or with the scores written to memory.

A fused kernel gives one processor a tile of :data:`QUERY_TILE` queries of one head. The tile visits :math:`\bar\kappa` keys
on average (half of them when causal, `window` of them at most) and pays for :math:`o` more keys in filling its pipeline, in
its first and last block and in writing its result. With :math:`C` tiles on `cores` processors, and the longest tile
visiting :math:`\kappa_{max}` keys,

.. math:: t = t_0 + \frac{2 B_q (d_k + d_v)\, cores}{F\, e(d)}
              \max\Bigl(\kappa_{max} + o,\ \frac{C(\bar\kappa + o)}{cores} + \lambda(\bar\kappa + o)\Bigr),

never less than the traffic of queries, keys, values and results. Efficiency :math:`e` and overhead :math:`o` are fitted by
head dimension to measured kernels (``python -m outlay.machine.fit``); docs/explanation/attention_and_collectives.md
has the errors. A multiply–add is 2 FLOP, and only the visible half of a causal square counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError
from outlay.machine.sizes import sound

Array = npt.NDArray[np.float64]
Number = float | int | npt.NDArray[Any]

QUERY_TILE = 128.0
"""Queries that one processor holds: what fused kernels use for head dimensions to 128 [FlashAttention-2, §3.3]."""

ALIGNED_BYTES = 16.0
"""Where the rows of a tensor core's operands have to start (NVIDIA, "Matrix Multiplication Background User's Guide", section
4.1). The tuning runs of BLOOM show it: 128 heads of 108 instead of 64 of 216 made the whole step 42 % slower."""

BACKWARD_FLOP = 2.5
"""FLOP of the backward pass over the forward's: five products of the tile against two [FlashAttention-2, §4.1]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionCurve:
    """What decides the speed of attention on one accelerator in one data type. Seconds, bytes, FLOP/s."""

    flops: float
    """Dense FLOP/s of the data sheet that `efficiency` is a fraction of."""
    bandwidth: float
    """Bytes/s that a kernel draws from device memory."""
    cores: float
    """Processors (SMs, compute units) that each take one tile at a time."""
    head_dims: tuple[float, ...] = (64.0, 128.0)
    """Head dimensions at which `efficiency` and `tile_overhead` are given; between them their logarithms are followed."""
    efficiency: tuple[float, ...] = (0.5, 0.6)
    """Share of `flops` inside the main loop, causal."""
    tile_overhead: tuple[float, ...] = (300.0, 300.0)
    """Keys' worth of time that each tile of queries costs besides its keys."""
    full_gain: float = 1.0
    """Speed of the main loop without a causal mask over that with one."""
    imbalance: float = 0.7
    """Mean tiles that the last processors run past the even share."""
    head_multiple: float = 16.0
    """Head dimensions are padded up to a multiple of this."""
    launch_seconds: float = 5e-6
    backward_ratio: float = 0.8
    """FLOP/s of the backward kernel over the forward's."""
    matmul_efficiency: float = 0.55
    """Share of `flops` of the batched products of unfused attention."""
    vector_flops: float = math.inf
    """FLOP/s of those products where heads do not start at multiples of :data:`ALIGNED_BYTES`: tensor cores cannot load
    them, and the vector units take over."""
    element_bytes: float = 2.0
    basis: str = "assumed"
    """`fitted` to kernels measured on this chip, or `assumed`: carried over from a relative, or published figures."""
    source: str = ""

    def __post_init__(self) -> None:
        if not (len(self.head_dims) == len(self.efficiency) == len(self.tile_overhead) > 0):
            raise ValueError("head_dims, efficiency and tile_overhead must have one length")


def attention_seconds(
    batch: Number,
    heads: Number,
    kv_heads: Number,
    query_length: Number,
    key_length: Number,
    head_dim: Number,
    value_dim: Number,
    *,
    causal: bool,
    curve: AttentionCurve,
    window: Number | None = None,
    backward: bool = False,
    fused: bool = True,
    dropout: bool = False,
    eager_softmax: bool = False,
    relative: bool = False,
) -> Array:
    """Seconds of the device for the core attention of one layer: softmax(Q Kᵀ) V, or its gradient; everything broadcasts.

    Parameters
    ----------
    batch, heads, kv_heads
        Sequences on the device, and the heads of each that this device computes.
    query_length, key_length
        Tokens. A causal query sees the keys up to its own place, counted from the end of the keys.
    head_dim, value_dim
        Width of a query/key head and of a value head (192 and 128 in MLA).
    window
        Keys that a query sees at most; None is all.
    backward
        The gradient alone; its recomputation of the scores is counted in its 2.5 × FLOP.
    fused
        False: the scores of all heads go through memory, in full squares, and are kept for the backward pass.
    dropout, eager_softmax, relative
        Of unfused attention: dropout on the probabilities; scale and mask as kernels of their own; scores of relative
        positions, a product of their own that is shifted and added.

    >>> curve = AttentionCurve(flops=989.4e12, bandwidth=3e12, cores=132, tile_overhead=(200.0, 200.0))
    >>> seconds = attention_seconds(1, 32, 8, 8192, 8192, 128, 128, causal=True, curve=curve)
    >>> round(float(seconds) * 1e6)
    1035
    """
    sizes = [
        np.asarray(size, dtype=np.float64)
        for size in (batch, heads, kv_heads, query_length, key_length, head_dim, value_dim)
    ]
    names = ("batch", "heads", "kv_heads", "query_length", "key_length", "head_dim", "value_dim")
    for name, size in zip(names, sizes, strict=True):
        if not sound(size):
            raise InputError(
                f"attention has {name} = {np.atleast_1d(size)[0]:g}",
                expected="sizes that are finite and not negative",
                hint="check the model's dimensions and the layout that divides them",
            )
    limit = np.asarray(np.inf if window is None else window, dtype=np.float64)
    if not (limit > 0).all():
        raise InputError("the attention window is not positive", hint="leave the window out to see all keys")
    if fused:
        return _fused_seconds(*sizes, limit=limit, causal=causal, backward=backward, curve=curve)
    return _unfused_seconds(
        *sizes, backward=backward, dropout=dropout, eager_softmax=eager_softmax, relative=relative, curve=curve
    )


def visible_keys(query_length: Array, key_length: Array, *, limit: Array | float = np.inf, causal: bool) -> Array:
    """Keys that a query sees, averaged over the queries.

    >>> float(visible_keys(np.array(4.0), np.array(4.0), causal=True))
    2.5
    >>> float(visible_keys(np.array(4.0), np.array(4.0), limit=2.0, causal=True))
    1.75
    """
    if not causal:
        return np.asarray(np.minimum(key_length, limit) + 0.0 * query_length)
    last = np.minimum(key_length, limit)
    first = np.clip(key_length - query_length + 1.0, 0.0, last)
    rising = np.minimum(last - first, np.maximum(query_length - 1.0, 0.0))
    return np.asarray(last - rising * (rising + 1.0) / (2.0 * np.maximum(query_length, 1.0)))


def _fused_seconds(
    batch: Array,
    heads: Array,
    kv_heads: Array,
    queries: Array,
    keys: Array,
    head_dim: Array,
    value_dim: Array,
    *,
    limit: Array,
    causal: bool,
    backward: bool,
    curve: AttentionCurve,
) -> Array:
    tiles = np.ceil(queries / QUERY_TILE)
    mean = visible_keys(queries, keys, limit=limit, causal=causal)
    longest = np.minimum(keys, limit)
    if causal:  # the block on the diagonal, and the two at the edges of a window, are computed whole
        longest = np.minimum(longest + np.where(limit < keys, QUERY_TILE, 0.0), np.maximum(keys, 1.0))
        mean = np.minimum(mean + np.where(limit < keys, 1.0, 0.5) * QUERY_TILE, np.maximum(longest, 1.0))
    width = np.log(np.maximum((head_dim + value_dim) / 2.0, 1.0))
    anchors = np.log(curve.head_dims)
    efficiency = np.exp(np.interp(width, anchors, np.log(curve.efficiency)))
    overhead = np.exp(np.interp(width, anchors, np.log(curve.tile_overhead)))
    padded = np.ceil(head_dim / curve.head_multiple) + np.ceil(value_dim / curve.head_multiple)
    rate = curve.flops * efficiency * (1.0 if causal else curve.full_gain)
    key_seconds = 2.0 * QUERY_TILE * curve.head_multiple * padded * curve.cores / rate
    load = batch * heads * tiles / curve.cores
    busiest = np.maximum(longest + overhead, (load + curve.imbalance) * (mean + overhead))
    bytes_ = queries * heads * (head_dim + value_dim) + keys * kv_heads * (head_dim + value_dim)
    seconds = key_seconds * busiest
    launch = curve.launch_seconds
    if backward:
        # Three kernels (row sums, the five products, rounding the fp32 query gradient). Read: Q K V O dO; written: dQ dK dV,
        # and the fp32 sum of dQ twice.
        seconds = seconds * (BACKWARD_FLOP / curve.backward_ratio)
        bytes_ = 2.0 * bytes_ + queries * heads * (value_dim + 4.0 * head_dim)
        launch = 3.0 * launch
    traffic = batch * bytes_ * (curve.element_bytes / curve.bandwidth)
    empty = batch * heads * queries * keys == 0
    return np.asarray(np.where(empty, 0.0, np.maximum(seconds, traffic) + launch))


def score_bytes(
    *, backward: bool, dropout: bool, eager_softmax: bool, relative: bool = False, element_bytes: float = 2.0
) -> float:
    """Bytes through memory per score (one query, one key, one head) of unfused attention.

    Forward: the product writes the score; scale, mask and softmax in one kernel read and write it; dropout reads, writes and
    keeps a 1-byte mask; the product with V reads it. Scale and mask as kernels of their own add two passes.
    Backward: the gradient of the probabilities is written; V's gradient reads the probabilities; dropout reads it, its mask and
    writes; softmax reads both and writes; the gradients of Q and K read it each.
    Relative positions: forward, their product writes scores, the shift reads and writes them, and the sum reads both and
    writes; backward, the shift's two steps write, read and write, and read and write, and two products read.

    >>> score_bytes(backward=False, dropout=True, eager_softmax=False)
    13.0
    >>> score_bytes(backward=True, dropout=True, eager_softmax=False)
    19.0
    """
    passes = 7.0 if backward else 4.0
    if dropout:
        passes += 2.0
    if eager_softmax:
        passes += 2.0 if backward else 4.0
    if relative:
        passes += 7.0 if backward else 6.0
    return passes * element_bytes + (1.0 if dropout else 0.0)


def _unfused_seconds(
    batch: Array,
    heads: Array,
    kv_heads: Array,
    queries: Array,
    keys: Array,
    head_dim: Array,
    value_dim: Array,
    *,
    backward: bool,
    dropout: bool,
    eager_softmax: bool,
    relative: bool,
    curve: AttentionCurve,
) -> Array:
    scores = batch * heads * queries * keys
    element = curve.element_bytes
    score_traffic = scores * score_bytes(
        backward=backward, dropout=dropout, eager_softmax=eager_softmax, relative=relative, element_bytes=element
    )
    # Products write or read each score once: two passes forward, four backward; the rest belongs to elementwise kernels.
    products = (4.0 if backward else 2.0) * (1.5 if relative else 1.0)
    in_products = scores * products * element
    operands = batch * (queries * heads + keys * kv_heads) * (head_dim + value_dim) * element * products / 2.0
    flop = scores * (head_dim + value_dim) * products
    aligned = (head_dim * element) % ALIGNED_BYTES + (value_dim * element) % ALIGNED_BYTES == 0.0
    rate = np.where(aligned, 1.0, np.minimum(curve.vector_flops / curve.flops, 1.0)) * curve.flops
    multiply = np.maximum(flop / (rate * curve.matmul_efficiency), (in_products + operands) / curve.bandwidth)
    kernels = products + 1.0 + (1.0 if dropout else 0.0) + (2.0 if eager_softmax else 0.0) + (3.0 if relative else 0.0)
    seconds = multiply + (score_traffic - in_products) / curve.bandwidth + kernels * curve.launch_seconds
    return np.asarray(np.where(scores == 0, 0.0, seconds))
