r"""How long the matrix products of a mixture of experts take: one launch, many experts, each with its own few rows.

As in :mod:`outlay.machine.gemm` tiles fill processors in waves, only that each of the `experts` that has rows ends in a
tile that is not full. With :math:`r` rows an expert takes :math:`\lceil r/b_m \rceil` rows of tiles, and as routing makes
:math:`r` vary, :math:`\max(1, r/b_m + 1/2)` on average. Nothing is split over k. The weights of every active expert are
read once.

Coefficients are fitted to measured fused expert layers: gather, product, activation, product, scatter. What only moves
bytes there (:func:`moved_bytes`) is fitted beside the products and does not count here.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.errors import InputError
from outlay.machine.gemm import (
    TILES,
    Array,
    GemmCurve,
    Number,
    assembled_seconds,
    filled_share,
    narrow_bytes,
    narrow_share,
    stored_bytes,
    unpack_seconds,
    waves,
)
from outlay.machine.gemm_curve import SURFACE, Device, gemm_curve
from outlay.machine.popularity import chosen_share
from outlay.machine.silicon import silicon
from outlay.machine.sizes import sound

MOVED_FRACTION = 0.8
"""Share of the memory bandwidth at which gather, activation and scatter would be well done."""

USUAL_LAYER_SECONDS = 16e-6
"""That of a layer of few tokens on most measured chips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedCurve:
    """What decides the speed of grouped products on one accelerator in one data type."""

    gemm: GemmCurve
    """As for one product, fitted to grouped ones."""
    layer_seconds: float = USUAL_LAYER_SECONDS
    """What a layer of few tokens takes beside its products: choosing, sorting, gathering, activation, scattering. Not part
    of :func:`grouped_gemm_seconds`; who puts a layer together adds it once."""


def grouped_gemm_seconds(
    rows: Number,
    *,
    n: Number,
    k: Number,
    experts: Number,
    curve: GroupedCurve,
    imbalance: Number = 1.0,
    active: Number | None = None,
    output_bytes: float | None = None,
    weight_bytes: Number | None = None,
    busy: float | None = None,
    quantised: bool = False,
    even: bool = False,
) -> Array:
    """Seconds of the device for the products of `rows` rows, spread over `experts` experts, each with a k × n matrix.

    Parameters
    ----------
    rows
        Rows that this device holds for all its experts: tokens × experts per token, divided by what divides them.
    experts
        Experts on this device. Fewer rows than experts leave some without work: their weights are not read.
    active
        Experts that have rows, where known: :func:`active_experts`. None: as many as there are rows, until all have some.
    imbalance
        Rows of the busiest device over the mean of all: it decides when the layer is done.
    even
        True when every expert has exactly the same rows, as in a benchmark.
    output_bytes, weight_bytes, busy, quantised
        As for :func:`~outlay.machine.gemm.gemm_seconds`.

    >>> gemm = GemmCurve(flops=6e14, bandwidth=2.7e12, cores=132, input_bytes=2)
    >>> layer = dict(n=4096, k=4096, experts=8, curve=GroupedCurve(gemm=gemm))
    >>> round(float(grouped_gemm_seconds(16384, **layer)) * 1e3, 3)
    0.952
    """
    rows, n, k, experts, imbalance = (np.asarray(x, dtype=np.float64) for x in (rows, n, k, experts, imbalance))
    if not (sound(rows) and sound(experts, 1.0) and sound(imbalance, 1.0)):
        raise InputError(
            "a grouped product has a negative number of rows, no expert or an imbalance below 1",
            expected="rows ≥ 0, experts ≥ 1, imbalance ≥ 1",
            hint="imbalance is the busiest device's rows over the mean: 1 when routing is forced to be even",
        )
    rows = rows * imbalance
    busy_experts = np.minimum(experts, np.maximum(rows, 1.0))
    if active is not None:
        busy_experts = np.clip(np.asarray(active, dtype=np.float64), 1.0, busy_experts)
    gemm = curve.gemm
    short = filled_share(rows / busy_experts, gemm.short_rows) if gemm.short_rows < TILES[-1][0] else 1.0
    compute = _tiled_seconds(rows, busy_experts, n, k, gemm=gemm, even=even, share=short)
    written = rows * n * ((gemm.output_bytes if output_bytes is None else output_bytes) / gemm.bandwidth)
    if weight_bytes is None:
        traffic = (rows * k + busy_experts * n * k) * (gemm.input_bytes / gemm.bandwidth) + written
    else:
        stored = stored_bytes(weight_bytes)
        traffic = (
            k * (rows * gemm.input_bytes + busy_experts * n * narrow_bytes(stored, gemm)) / gemm.bandwidth + written
        )
        each = rows / busy_experts
        compute = compute * narrow_share(each, stored, gemm) + unpack_seconds(busy_experts * n * k, each, stored, gemm)
    exposed = written * gemm.exposed_output
    if gemm.quantise_bytes and not quantised:
        exposed = exposed + rows * k * (gemm.quantise_bytes / gemm.bandwidth)
    return assembled_seconds(compute, traffic, exposed, empty=rows * n * k == 0, curve=gemm, busy=busy)


def _tiled_seconds(
    rows: Array, active: Array, n: Array, k: Array, *, gemm: GemmCurve, even: bool, share: Array | float
) -> Array:
    """Arithmetic alone, by the best of the tile sizes, of which short ones compute `share` (seconds)."""
    best: Array | None = None
    for (tall, wide), efficiency in zip(TILES, gemm.tile_efficiency, strict=True):
        each = rows / active / tall
        tiles = active * (np.ceil(each) if even else np.maximum(1.0, each + 0.5)) * np.ceil(n / wide)
        round_seconds = 2.0 * tall * wide * gemm.cores / (gemm.flops * efficiency)
        seconds = waves(tiles / gemm.cores, gemm.quantisation) * (k * round_seconds * share + gemm.tile_seconds)
        best = seconds if best is None else np.minimum(best, seconds)
    assert best is not None
    return np.asarray(best)


def active_experts(
    tokens: Number, choices: Number, experts: Number, *, local: Number | None = None, skew: float = 0.0
) -> Array:
    r"""Experts of one device that at least one of `tokens` tokens chooses, expected; everything broadcasts.

    Each token takes `choices` different ones of `experts`; `local` of those stand on this device (None: all). With even
    routing a token misses an expert with probability :math:`1 - k/E`, so that :math:`E\,(1 - (1 - k/E)^t)` are hit. A
    `skew` of s lets the popularity of experts fall with the power s of their rank: 0.6 is what measured layers of uneven
    routing need (the tables' two power laws, on ten chips, to 7 %).

    >>> round(float(active_experts(1, 8, 256)), 3), round(float(active_experts(64, 8, 256)), 1)
    (8.0, 222.4)
    >>> round(float(active_experts(64, 8, 256, skew=1.0)), 1)
    141.9
    """
    sizes = (tokens, choices, experts, experts if local is None else local)
    tokens, choices, experts, local = (np.asarray(size, dtype=np.float64) for size in sizes)
    if not (sound(tokens) and sound(experts, 1.0) and sound(choices) and (choices <= experts).all()):
        raise InputError(
            "tokens choose a negative number of experts or more than there are",
            expected="tokens ≥ 0, experts ≥ 1, choices of 0 to all experts",
            hint="check the model's experts and experts per token",
        )
    if not skew:
        return np.asarray(local * -np.expm1(tokens * np.log1p(-np.minimum(choices / experts, 1.0 - 1e-12))))
    return np.asarray(local * chosen_share(np.asarray(choices / experts * tokens), skew, RANKS))


RANKS = 64
"""Steps in which the popularity of experts falls."""


def fullest(
    tokens: Number, choices: Number, experts: Number, devices: Number, *, skew: float = 0.0
) -> tuple[Array, Array]:
    r"""Where experts are divided among devices: experts that the fullest device has to read, and its rows over the mean.

    All wait for the device that has most to do. Experts stand anywhere, so that of its E/D experts a device has
    :math:`\mu` at work with a variance of :math:`\mu (1 - \mu D / E)(1 - 1/D)`, and the largest of D normal numbers is
    :math:`m_D` deviations above their mean; rows vary with their number and with the popularity of experts.

    >>> active, rows = fullest(8, 1, 16, 8)  # two experts a device: 0.8 are hit on average, two on the fullest
    >>> round(float(active), 2), round(float(active_experts(8, 1, 16, local=2)), 2)
    (1.73, 0.81)
    >>> [round(float(part), 2) for part in fullest(64, 8, 256, 1)]
    [222.44, 1.0]
    """
    sizes = (tokens, choices, experts, devices)
    tokens, choices, experts, devices = (np.asarray(size, dtype=np.float64) for size in sizes)
    local = experts / devices
    mean = active_experts(tokens, choices, experts, local=local, skew=skew)
    others = largest_of(devices) * np.sqrt(1.0 - 1.0 / devices)
    active = np.minimum(mean + others * np.sqrt(np.maximum(mean * (1.0 - mean / local), 0.0)), local)
    popularity = ((np.arange(RANKS) + 0.5) / RANKS) ** -skew
    varied = float(np.var(popularity / popularity.mean()))
    each = np.maximum(tokens * choices / devices, 1.0)
    return np.asarray(active), np.asarray(1.0 + others * np.sqrt(1.0 / each + varied / local))


def largest_of(count: Number) -> Array:
    """The largest of so many normal numbers, expected, in deviations above their mean (Harter 1961)."""
    return np.interp(
        np.log2(count), np.arange(10.0), [0, 0.564, 1.029, 1.424, 1.766, 2.070, 2.344, 2.595, 2.826, 3.041]
    )


def moved_bytes(tokens: Number, rows: Number, hidden: Number, width: Number) -> Array:
    """Bytes that a gated expert layer moves in 16 bits beside its products: gather, activation, scatter.

    Gather reads and writes each row; the activation reads two values and writes one; the scatter reads each row and writes
    each token.

    >>> float(moved_bytes(tokens=10, rows=20, hidden=100, width=50))
    20000.0
    """
    tokens, rows, hidden, width = (np.asarray(x, dtype=np.float64) for x in (tokens, rows, hidden, width))
    return np.asarray(2.0 * (rows * hidden * 3.0 + rows * width * 3.0 + tokens * hidden))


def grouped_curve(
    accelerator: Device, dtype: str, coefficients: Mapping[str, Any] | None = None, *, peak: float | None = None
) -> GroupedCurve:
    """The curve of an accelerator in a data type: found as :func:`~outlay.machine.gemm_curve.gemm_curve` finds its own.

    `coefficients` is the content of the catalog's `grouped.json`; None reads it.
    """
    content = grouped_coefficients() if coefficients is None else coefficients
    return GroupedCurve(
        gemm=gemm_curve(accelerator, dtype, content, peak=peak),
        layer_seconds=_layer_seconds(accelerator, dtype, content),
    )


def _layer_seconds(accelerator: Device, dtype: str, content: Mapping[str, Any]) -> float:
    """That of the chip in the data type, or the median of all chips in it, or in any."""
    kind = SURFACE.get(dtype, dtype)
    alike = [record for record in content["curves"] if record["dtype"] == kind] or content["curves"]
    own = [record for record in alike if silicon(accelerator).name.startswith(record["chip"])] or alike
    known = [record["serving"]["layer_seconds"] for record in own if "serving" in record]
    if not known:
        return USUAL_LAYER_SECONDS
    ordered, middle = (
        sorted(known),
        len(known) // 2,
    )  # NumPy's median imports its masked arrays, which a cold answer waits for
    return float((ordered[middle] + ordered[~middle]) / 2.0)


@functools.cache
def grouped_coefficients() -> Mapping[str, Any]:
    """The fitted coefficients that the catalog ships, as the fit wrote them."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "grouped.json"
    content: Mapping[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return content
