r"""Products in llama.cpp's own kernels (ggml), by backend: how fast weights stream by, and how fast prompts multiply.

A product of few rows reads each weight once. It goes at the memory's bandwidth, or at what processors can take in where
that is less: bytes a clock and processor, which depend on how much unpacking a number format takes,

.. math:: \frac1r = \Bigl((\beta f)^{-4} + (\kappa_{format}\, n\, c)^{-4}\Bigr)^{1/4}

for bandwidth :math:`\beta`, :math:`n` processors and clock :math:`c`. A product of many rows is multiplied by one of the kernels
of :mod:`outlay.serving.ggml_prompts`. Each layer takes a fixed time for its many small kernels. Coefficients are fitted to
llama-bench runs on chips from a phone's to a data center's (`catalog/coefficients/serving.json`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
    graph_seconds: float
    """The same where a step is captured in a graph and small kernels are fused."""
    prompt_seconds: float
    """What products of many rows add to that at most: kernels of their own convert and copy their operands."""
    hop_seconds: float
    """Seconds to hand a token from one device to the next, where layers are split over several."""
    overlap: float
    """How devices that hold layers work on chunks of a prompt together: a further chunk takes as long as the whole way through n
    devices, over n to this power; 1 where they are all busy."""
    copy_seconds: float
    """Seconds of one copy between devices, where products are split by rows (builds before 2024)."""
    link_share: float
    """Share of the host link's bandwidth that such copies reach."""
    cache_share: float
    """Share of the streaming bandwidth that reading keys and values reaches."""
    passes: float
    """Traffic of norms, residuals and conversions, in 32 bits and one by one, over that of fused kernels in 16 bits."""
    attention_share: float
    """Share of the 16-bit peak that the two products of a prompt's attention reach."""
    matmul_share: Mapping[str, float]
    """Share of the peak of its instructions that the backend's own kernel for many rows reaches, by kind of format."""
    library: float
    """Seconds of the vendor's library inside it over those of its tables of kernels; 0 where no such library is called."""
    widen_clock: float
    """Weights that a processor widens to 16 bits in a clock before such a library multiplies them."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Backend:
        """As the catalog stores it."""
        return cls(**values)


def backend_of(accelerator: Accelerator, engine: str) -> str:
    """ggml's backend on a chip: `cuda`, `metal`, `cpu`, `rocm`, `sycl`, or `vulkan` (on NVIDIA's chips: `vulkan-nvidia`)
    where the engine's name says so.

    >>> from outlay.catalog import accelerator
    >>> [backend_of(accelerator(chip), "llamacpp") for chip in ("rtx-4090", "m3-max", "a17-pro", "m1-pro-cpu")]
    ['cuda', 'metal', 'metal', 'cpu']
    """
    if "vulkan" in engine:
        return "vulkan-nvidia" if accelerator.vendor.lower() == "nvidia" else "vulkan"
    if accelerator.vendor == "apple":  # phones too: their GPUs take the same kernels
        return "cpu" if accelerator.category == "cpu" else "metal"
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


def passing_seconds(
    weights: Number, accelerator: Accelerator, form: Format, backend: Backend, *, weight_bytes: float
) -> Number:
    """Seconds of a product of few rows: a pass over `weights` numbers of `weight_bytes` each."""
    return weights * weight_bytes / streaming_rate(accelerator, form, backend)


def half_peak(accelerator: Accelerator) -> float:
    """FLOP/s of 16-bit products that accumulate in 16 bits: twice the figure of a GeForce, whose data sheet halves fp32 sums."""
    doubled = (
        accelerator.category == "consumer-gpu" and accelerator.vendor.lower() == "nvidia" and accelerator.year >= 2018
    )
    return accelerator.peak("fp16") * (2.0 if doubled else 1.0)


LAYERS_SINCE = 2024.04
"""Since when layers, and not the rows of every product, are divided over devices (ggml-org/llama.cpp pull request 4766)."""
LIBRARY_SINCE, INTEGERS_SINCE = 2023.85, 2024.45
"""Between these, packed weights of prompts were widened for the vendor's library on NVIDIA's chips with tensor cores; before, own
kernels multiplied 8-bit integers on vector lanes; since, on tensor cores (ggml-org/llama.cpp pull requests 3776 and 7676)."""
GRAPHS_SINCE = 2024.42
"""Since when a decoding step is captured in a graph (ggml-org/llama.cpp pull request 6766, May 2024: builds that say no more than
that month count as before), and then, one by one, its small kernels are fused."""
FLASH_SINCE = 2025.66
"""Since when prompts' scores stay on the chip where the backend can (`--flash-attn auto`; ggml-org/llama.cpp pull request
15434)."""
ERAS = (LIBRARY_SINCE, LAYERS_SINCE, GRAPHS_SINCE, INTEGERS_SINCE, FLASH_SINCE)


def era(year: float) -> int:
    """Which of the kernels and splits above a build of that year has.

    >>> [era(year) for year in (2023.7, 2023.96, 2024.4, 2024.8, 2026.0)]
    [0, 1, 2, 4, 5]
    """
    return sum(year >= since for since in ERAS)
