r"""Prompts in llama.cpp: products of many rows, and attention.

Three kinds of kernels multiply many rows, by what is stored and by the build's year (:data:`~outlay.serving.ggml.ERAS`):

* the vendor's *library*, for plain weights on NVIDIA's chips, as :mod:`outlay.machine.gemm` times it, and for packed ones that
  are widened first, :math:`w (b + 2) / \beta` seconds for :math:`w` weights of :math:`b` bytes, or as processors widen them;
* *own kernels on 8-bit integers*, on tensor cores or on vector lanes;
* *own kernels on floats*, all others.

Attention without fusion writes every score of the chunk, masked or not, and reads it again: :math:`20` bytes each (written and
read as 32 bits, normalised to 32, narrowed to 16 bits and read).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from outlay.catalog import Accelerator
from outlay.machine import GemmCurve, gemm_seconds
from outlay.machine.gemm_curve import gemm_curve
from outlay.serving.formats import Format
from outlay.serving.ggml import (
    FEW_ROWS,
    FLASH_SINCE,
    INTEGERS_SINCE,
    JOIN,
    LIBRARY_SINCE,
    Backend,
    half_peak,
    kind_of,
    passing_seconds,
    processor_clocks,
)
from outlay.workload import Number

SCORE_BYTES = 20.0
"""Bytes moved for each score that is written out."""
WIDE = 2.0
"""Bytes of a weight that was widened."""
INTEGER_LANES = 2.0
"""8-bit products of vector lanes over 32-bit ones: four at a time on half of the lanes."""


def product_seconds(
    rows: Number,
    columns: Number,
    depth: Number,
    accelerator: Accelerator,
    form: Format,
    backend: Backend,
    *,
    weight_bytes: float,
    year: float,
    tables: Mapping[str, Any] | None,
) -> Number:
    """Seconds of a product of `rows` rows with `columns` × `depth` weights of `weight_bytes` each, in a build of `year`.

    `tables` is the content of the catalog's `gemm.json`; None reads it.
    """
    weights = columns * depth
    passing = passing_seconds(weights, accelerator, form, backend, weight_bytes=weight_bytes)
    kind = "float" if weight_bytes >= WIDE else kind_of(form)
    if _from_library(kind, accelerator, backend, year):
        curve = _library(accelerator, tables)
        many: Number = backend.library * gemm_seconds(rows, columns, depth, curve=curve)
        if kind != "float":
            many = many + widening_seconds(weights, accelerator, backend, weight_bytes=weight_bytes)
        many, few = np.maximum(many, passing), passing
    else:
        multiplied = 2.0 * rows * weights / (backend.matmul_share[kind] * own_peak(kind, accelerator, backend, year))
        many = passing + multiplied
        # A few threads of a processor multiply slower than memory delivers, in kernels for one row no less.
        few = (passing**JOIN + multiplied**JOIN) ** (1.0 / JOIN)
    return np.where(np.less_equal(rows, FEW_ROWS), few, many)


def widening_seconds(weights: Number, accelerator: Accelerator, backend: Backend, *, weight_bytes: float) -> Number:
    """Seconds to bring packed weights to 16 bits for a library."""
    moved = weights * (weight_bytes + WIDE) / (accelerator.memory_bandwidth * backend.bandwidth_share)
    return np.hypot(moved, weights / (backend.widen_clock * processor_clocks(accelerator)))


def own_peak(kind: str, accelerator: Accelerator, backend: Backend, year: float) -> float:
    """Operations a second of the instructions that a backend's own kernels multiply with.

    >>> from outlay.catalog import accelerator
    >>> from outlay.accuracy.serving.start import GGML
    >>> cuda, chip = Backend.from_json(GGML["cuda"]), accelerator("a100-sxm-80gb")
    >>> [own_peak("block", chip, cuda, year) / 1e12 for year in (2023.7, 2026.0)]
    [39.0, 624.0]
    """
    if kind == "float" or not backend.library:
        return half_peak(accelerator)
    if year >= INTEGERS_SINCE and accelerator.has("int8"):
        return accelerator.peak("int8")
    return INTEGER_LANES * accelerator.peak("fp32")


def score_seconds(scores: Number, flop: Number, accelerator: Accelerator, backend: Backend, year: float) -> Number:
    """Seconds of the attention of prompts: `scores` of all heads, and the operations of both products."""
    fused = year >= FLASH_SINCE and backend.library > 0
    moved = 0.0 if fused else scores * SCORE_BYTES / (accelerator.memory_bandwidth * backend.bandwidth_share)
    return moved + flop / (backend.attention_share * half_peak(accelerator))


def _from_library(kind: str, accelerator: Accelerator, backend: Backend, year: float) -> bool:
    if not backend.library:
        return False
    tensor = accelerator.peak("fp16") > accelerator.peak("fp32")
    return kind == "float" or (tensor and LIBRARY_SINCE <= year < INTEGERS_SINCE)


_curves: dict[tuple[int, int], tuple[GemmCurve, Accelerator, Any]] = {}


def _library(accelerator: Accelerator, tables: Mapping[str, Any] | None) -> GemmCurve:
    """The curve of 16-bit products that are summed in 16 bits, as ggml asks for them; kept, since making one takes time."""
    key = (id(accelerator), id(tables))
    if key not in _curves:
        if len(_curves) > 256:
            _curves.clear()
        curve = gemm_curve(accelerator, "fp16", tables, peak=half_peak(accelerator))
        _curves[key] = (curve, accelerator, tables)
    return _curves[key][0]
