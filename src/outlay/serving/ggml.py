r"""Products in llama.cpp's own kernels (ggml), by backend: how fast weights stream by, and how fast prompts multiply.

A product of few rows reads each weight once. It goes at the memory's bandwidth, or at what processors can take in where
that is less: bytes a clock and processor, which depend on how much unpacking a number format takes,

.. math:: \frac1r = \Bigl((\beta f)^{-4} + (\kappa_{format}\, n\, c)^{-4}\Bigr)^{1/4}

for bandwidth :math:`\beta`, :math:`n` processors and clock :math:`c`. A product of many rows multiplies at a share of the
peak, and still reads its weights. Each layer takes a fixed time for its many small kernels. Coefficients are fitted to
llama-bench runs on chips from a phone's to a data center's (`catalog/coefficients/serving.json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.catalog import Accelerator
from outlay.serving.formats import Format
from outlay.workload import Number

FEW_ROWS = 8
"""Rows up to which a product is a pass over its weights: ggml's `mul_mat_vec` kernels take that many columns."""

LANES = 128.0
"""Arithmetic lanes of a processor of which no clock is published: then clocks follow from the peak in fp32."""

JOIN = 4.0
"""Exponent that joins the two limits of streaming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """What decides the speed of ggml's kernels in one of its backends."""

    bandwidth_share: float
    """Share of the memory's bandwidth that streaming weights reach."""
    stream: Mapping[str, float]
    """Bytes of weights a clock and processor can take in, by kind of format: `float`, `block` (q4_0 …), `k` (k-quants)."""
    layer_seconds: float
    """Seconds of a layer beside its products: norms, rotary positions, launches."""
    hop_seconds: float
    """Seconds to hand a token from one device to the next, where layers are split over several."""
    cache_share: float
    """Share of the streaming bandwidth that reading keys and values reaches."""
    passes: float
    """Traffic of norms, residuals and conversions, in 32 bits and one by one, over that of fused kernels in 16 bits."""
    attention_share: float
    """Share of the peak that a prompt's attention reaches: scores that are written out between two products."""
    matmul_share: Mapping[str, float]
    """Share of the peak that products of many rows reach, by kind of format: plain ones go to the vendor's library."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Backend:
        """As the catalog stores it."""
        return cls(**values)


def backend_of(accelerator: Accelerator, engine: str) -> str:
    """ggml's backend on a chip: `cuda`, `metal`, `cpu`, `rocm`, `sycl`, or `vulkan` where the engine's name says so.

    >>> from outlay.catalog import accelerator
    >>> [backend_of(accelerator(chip), "llamacpp") for chip in ("rtx-4090", "m3-max", "raspberry-pi-5-16gb")]
    ['cuda', 'metal', 'cpu']
    """
    if "vulkan" in engine and accelerator.vendor.lower() != "nvidia":
        return "vulkan"  # NVIDIA's driver gives Vulkan the same matrix instructions, and it runs as CUDA does
    if accelerator.category == "apple":
        return "cpu" if accelerator.name.endswith("-cpu") else "metal"
    if accelerator.category == "cpu" or accelerator.generation.startswith("bcm"):
        return "cpu"
    vendor = accelerator.vendor.lower()
    return {"nvidia": "cuda", "amd": "rocm", "intel": "sycl"}.get(vendor, "cpu")


def kind_of(form: Format) -> str:
    """How much unpacking a format takes: `float` none, `block` one scale a block, `k` scales of scales."""
    if not form.dequantized:
        return "float"
    return "k" if "_k" in form.name or form.name.startswith("iq") else "block"


def processor_clocks(accelerator: Accelerator) -> float:
    """Clocks a second of all processors together.

    >>> from outlay.catalog import accelerator
    >>> round(processor_clocks(accelerator("a100-sxm-80gb")) / 1e9, 1)
    152.3
    """
    if accelerator.cores and accelerator.boost_clock:
        return accelerator.cores * accelerator.boost_clock
    return accelerator.peak("fp32") / (2.0 * LANES)


def streaming_rate(accelerator: Accelerator, form: Format, backend: Backend) -> float:
    """Bytes a second at which a pass over weights goes."""
    memory = accelerator.memory_bandwidth * backend.bandwidth_share
    taken_in = backend.stream[kind_of(form)] * processor_clocks(accelerator)
    return float((memory**-JOIN + taken_in**-JOIN) ** (-1.0 / JOIN))


def product_seconds(
    rows: Number, weights: Number, accelerator: Accelerator, form: Format, backend: Backend, *, weight_bytes: float
) -> Number:
    """Seconds of a product of `rows` rows with `weights` numbers of `weight_bytes` each.

    Few rows are a pass over the weights; more take the time of the arithmetic too.
    """
    passing = weights * weight_bytes / streaming_rate(accelerator, form, backend)
    arithmetic = 2.0 * rows * weights / (backend.matmul_share[kind_of(form)] * half_peak(accelerator))
    return np.where(np.less_equal(rows, FEW_ROWS), np.maximum(passing, 0.0), passing + arithmetic)


def half_peak(accelerator: Accelerator) -> float:
    """FLOP/s of 16-bit products that accumulate in 16 bits: twice the figure of a GeForce, whose data sheet halves fp32 sums."""
    doubled = (
        accelerator.category == "consumer-gpu" and accelerator.vendor.lower() == "nvidia" and accelerator.year >= 2018
    )
    return accelerator.peak("fp16") * (2.0 if doubled else 1.0)
