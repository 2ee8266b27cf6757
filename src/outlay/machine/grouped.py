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
from outlay.machine.gemm import TILES, Array, GemmCurve, Number, assembled_seconds, waves
from outlay.machine.gemm_curve import Device, gemm_curve
from outlay.machine.sizes import sound

MOVED_FRACTION = 0.8
"""Share of the memory bandwidth at which gather, activation and scatter would be well done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupedCurve:
    """What decides the speed of grouped products on one accelerator in one data type."""

    gemm: GemmCurve
    """As for one product, fitted to grouped ones."""


def grouped_gemm_seconds(
    rows: Number,
    *,
    n: Number,
    k: Number,
    experts: Number,
    curve: GroupedCurve,
    imbalance: Number = 1.0,
    output_bytes: float | None = None,
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
    imbalance
        Rows of the busiest device over the mean of all: it decides when the layer is done.
    even
        True when every expert has exactly the same rows, as in a benchmark.
    output_bytes, busy, quantised
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
    active = np.minimum(experts, np.maximum(rows, 1.0))
    gemm = curve.gemm
    compute = _tiled_seconds(rows, active, n, k, gemm=gemm, even=even)
    written = rows * n * ((gemm.output_bytes if output_bytes is None else output_bytes) / gemm.bandwidth)
    traffic = (rows * k + active * n * k) * (gemm.input_bytes / gemm.bandwidth) + written
    exposed = written * gemm.exposed_output
    if gemm.quantise_bytes and not quantised:
        exposed = exposed + rows * k * (gemm.quantise_bytes / gemm.bandwidth)
    return assembled_seconds(compute, traffic, exposed, empty=rows * n * k == 0, curve=gemm, busy=busy)


def _tiled_seconds(rows: Array, active: Array, n: Array, k: Array, *, gemm: GemmCurve, even: bool) -> Array:
    """Arithmetic alone, by the best of the tile sizes (seconds)."""
    best: Array | None = None
    for (tall, wide), efficiency in zip(TILES, gemm.tile_efficiency, strict=True):
        each = rows / active / tall
        tiles = active * (np.ceil(each) if even else np.maximum(1.0, each + 0.5)) * np.ceil(n / wide)
        round_seconds = 2.0 * tall * wide * gemm.cores / (gemm.flops * efficiency)
        seconds = waves(tiles / gemm.cores, gemm.quantisation) * (k * round_seconds + gemm.tile_seconds)
        best = seconds if best is None else np.minimum(best, seconds)
    assert best is not None
    return np.asarray(best)


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
    return GroupedCurve(gemm=gemm_curve(accelerator, dtype, content, peak=peak))


@functools.cache
def grouped_coefficients() -> Mapping[str, Any]:
    """The fitted coefficients that the catalog ships, as the fit wrote them."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "grouped.json"
    content: Mapping[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return content
