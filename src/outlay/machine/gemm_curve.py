"""Which :class:`~outlay.machine.gemm.GemmCurve` an accelerator gets: its own fit, its nearest relative's, or a prior.

Coefficients are fractions of the data sheet and a few times in seconds, so that they carry over. A chip that was
measured gets its own. Another one gets those of its relative: the measured chip of the same or the nearest generation
whose memory bandwidth is closest. What fraction of the peak it sustains then follows its power: a chip clocks down until
it draws no more than its limit, and as power grows with about the 2.5th power of the clock, the fraction goes with
(watts per FLOP/s)^0.4. Chips of other makers get the pooled coefficients and, where one is published, the fraction of
the peak that their best product reaches.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from outlay.errors import InputError
from outlay.machine.gemm import TILE_ROWS, GemmCurve
from outlay.machine.silicon import OTHER_MAKER, Chip, distance, family, is_chip, silicon

POWER_EXPONENT = 0.4
"""How the sustained fraction of the peak follows watts per FLOP/s: clock ∝ power^(1/2.5)."""

SAME_PEAK = 0.05
"""A chip whose name is that of a measured one is another part when its peak differs by more than this."""

USUAL_CORES = 132
"""Processors of a chip for which none are published: those of an H100."""

MOST_CORES = 1024
"""Data sheets that give more count single lanes, not processors that hold a tile of their own (a wafer has 900,000)."""

FIRST_TENSOR_CORES = ("volta", "turing")
"""Their tensor cores are fed through registers, without asynchronous copies: how near they come to their peak says no later
generation, and the pooled share stands in. Their vector units are like Ampere's."""


class Device(Chip, Protocol):
    """What of an accelerator decides its matrix products."""

    @property
    def cores(self) -> int | None: ...
    @property
    def tdp(self) -> float: ...


HALVED = 3.0
"""A chip whose 8-bit integer peak is more than so many times its 16-bit one multiplies 16 bits at half the rate of its silicon
when it sums in fp32, as GeForce cards do; others reach twice."""

ELEMENT_BYTES = {
    "bf16": 2.0,
    "fp16": 2.0,
    "tf32": 4.0,
    "fp32": 4.0,
    "fp8": 1.0,
    "fp8-block": 1.03,
    "mxfp8": 1.03,
    "int8": 1.0,
    "nvfp4": 0.5625,
    "mxfp4": 0.53125,
}
"""Bytes of an operand's element, its scales included: one per 128 (fp8-block), 32 (mx) or 16 (nvfp4) elements."""

SURFACE = {"fp16": "bf16", "tf32": "bf16", "fp32": "bf16", "mxfp8": "fp8-block", "int8": "fp8", "mxfp4": "nvfp4"}
"""Whose fitted fractions a data type without tables of its own shares; the peak is always its own."""


def curve_from_fractions(
    values: Mapping[str, float],
    *,
    peak: float,
    memory_bandwidth: float,
    cores: float,
    dtype: str,
    basis: str,
    source: str,
) -> GemmCurve:
    """Coefficients as the fit stores them, applied to a data sheet: dense FLOP/s, bytes/s, processors."""
    return GemmCurve(
        flops=peak * values["fraction"],
        bandwidth=memory_bandwidth * values["bandwidth_fraction"],
        cores=cores,
        input_bytes=ELEMENT_BYTES[dtype],
        output_bytes=4.0 if dtype in ("tf32", "fp32") else 2.0,
        tile_efficiency=(1.0, values["middle_tile"], values["small_tile"]),
        quantisation=values["quantisation"],
        tile_seconds=values["tile_seconds"],
        split_depth=values["split_depth"],
        split_seconds=values["split_seconds"],
        overlap=values["overlap"],
        exposed_output=values["exposed_output"],
        throttle=values["throttle"],
        throttle_seconds=values["throttle_seconds"],
        quantise_bytes=values["quantise_bytes"] if ELEMENT_BYTES[dtype] < 2.0 else 0.0,
        launch_seconds=values["launch_seconds"],
        short_saving=values.get("short_saving", 0.0) if ELEMENT_BYTES[dtype] < 2.0 else 0.0,
        basis=basis,
        source=source,
    )


def gemm_curve(
    accelerator: Device, dtype: str, coefficients: Mapping[str, Any] | None = None, *, peak: float | None = None
) -> GemmCurve:
    """The curve of an accelerator in a data type.

    Parameters
    ----------
    dtype
        One of :data:`ELEMENT_BYTES`. tf32, fp32 and fp16 share the fractions of bf16, int8 those of fp8, mxfp8 those of
        block-scaled fp8, mxfp4 those of nvfp4; each with its own peak.
    coefficients
        The content of the catalog's `gemm.json`; None reads it.
    peak
        Dense FLOP/s where not the accelerator's own.
    """
    if dtype not in ELEMENT_BYTES:
        raise InputError(
            f"no matrix product in `{dtype}`",
            expected="a data type that accelerators multiply in",
            hint=", ".join(ELEMENT_BYTES),
        )
    content = gemm_coefficients() if coefficients is None else coefficients
    curve = _curve(accelerator, _native(accelerator, dtype), content, peak)
    narrow = content.get("weight_only", {"core_rate": math.inf, "fractions": {}})
    fraction = _narrow_fraction(narrow["fractions"], content["curves"], accelerator)
    return replace(curve, unpack_rate=narrow["core_rate"] * curve.cores, narrow_fraction=fraction)


SHORT_FILL = {True: 16.0, False: 1.0}
"""Rows to which short tiles are filled at least on chips without tables: NVIDIA's, by a matrix instruction; others, by vector
kernels."""


def short_fill(intensity: float, measured: float) -> float:
    """Rows to which a chip fills a short tile, by its FLOP for each byte of memory and those of its measured relative.

    The relative's fit has a whole tile behind the traffic of its weights. A chip that borrows keeps the share of that time which
    arithmetic takes: as much arithmetic for each byte is a whole tile again, half as much is half of one.

    >>> short_fill(150.0, 150.0), short_fill(75.0, 150.0), short_fill(20.0, 150.0), short_fill(300.0, 150.0)
    (64.0, 32.0, 16.0, 64.0)
    """
    whole = float(TILE_ROWS[-1])
    return min(max(whole * intensity / measured, SHORT_FILL[True]), whole)


def _narrow_fraction(known: Mapping[str, float], records: Sequence[Mapping[str, Any]], accelerator: Device) -> float:
    """Rate of narrow weights over that of whole ones: the chip's own, its relative's, or the full rate of another maker's."""
    own = [fraction for chip, fraction in known.items() if is_chip(silicon(accelerator).name, chip)]
    if own or not known or not _tabled(accelerator):
        return own[0] if own else 1.0
    measured = [record for record in records if record["chip"] in known]
    return known[_relative(measured, accelerator, "bf16")["chip"]] if measured else 1.0


def _curve(accelerator: Device, dtype: str, content: Mapping[str, Any], peak: float | None) -> GemmCurve:
    """The chip's own curve, a prior, or a relative's."""
    kind = SURFACE.get(dtype, dtype)
    peak = accelerator.peak(dtype) if peak is None else peak
    name = silicon(accelerator).name
    own = [record for record in content["curves"] if is_chip(name, record["chip"])]
    for record in own:
        if record["dtype"] == kind and abs(peak / record["peak_flops"] - 1.0) < SAME_PEAK:
            return _exact(record, accelerator, dtype, peak)
    prior = next((entry for entry in content["priors"] if name.startswith(entry["prefix"])), None)
    if not own and (prior or not _tabled(accelerator) or _early(accelerator, peak)):
        return _pooled(content["pooled"], prior, accelerator, dtype, peak)
    relative = _relative(content["curves"], accelerator, kind)
    return _carried_over(relative, accelerator, dtype, peak, most=_unlimited(relative, content["curves"]))


def _native(accelerator: Device, dtype: str) -> str:
    """The type that a chip really multiplies in: what it has no units for is widened first, and is no faster then."""
    for narrow, wider in (("nvfp4", "fp8"), ("mxfp4", "mxfp8")):
        if dtype == narrow and accelerator.peak(narrow) <= accelerator.peak(wider):
            dtype = wider
    if dtype in ("fp8", "fp8-block", "mxfp8", "int8") and accelerator.peak(dtype) <= accelerator.peak("bf16"):
        return "bf16"
    return dtype


def _exact(record: Mapping[str, Any], accelerator: Device, dtype: str, peak: float) -> GemmCurve:
    same = dtype == record["dtype"] or dtype == "fp16"
    return curve_from_fractions(
        record["coefficients"],
        peak=record["peak_flops"] if same else peak,
        memory_bandwidth=accelerator.memory_bandwidth,
        cores=record["cores"],
        dtype=dtype,
        basis="fitted" if same else "assumed",
        source=f"kernels measured on {record['chip']} in {record['dtype']}",
    )


def _tabled(accelerator: Device) -> bool:
    """Whether tables of kernels cover its maker's generations."""
    return family(accelerator) not in (None, OTHER_MAKER)


def _early(accelerator: Device, peak: float) -> bool:
    """Whether products run on tensor cores of the first kinds."""
    words = accelerator.generation.lower().replace(" ", "-").split("-")
    return any(word in FIRST_TENSOR_CORES for word in words) and peak > accelerator.peak("fp32")


def resembles(accelerator: Device, dtype: str, records: Sequence[Mapping[str, Any]]) -> bool:
    """Whether any of the chips of `records` is the accelerator or like it; tables of others say nothing of it."""
    if any(is_chip(silicon(accelerator).name, record["chip"]) for record in records):
        return True
    early = _early(accelerator, accelerator.peak(_native(accelerator, dtype)))
    return not early and _tabled(accelerator)


def _relative(records: Sequence[Mapping[str, Any]], accelerator: Device, kind: str) -> Mapping[str, Any]:
    """The measured chip that an unmeasured one resembles most."""
    same_kind = [record for record in records if record["dtype"] == kind]
    return min(same_kind or records, key=lambda record: distance(record, accelerator))


def _unlimited(relative: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> float:
    """The fraction of the peak that the maker's chips reach in a short burst where their power does not limit them."""
    alike = (
        record for record in records if record["dtype"] == relative["dtype"] and record["generation"] != OTHER_MAKER
    )
    return max((float(record["coefficients"]["fraction"]) for record in alike), default=1.0)


def _carried_over(record: Mapping[str, Any], accelerator: Device, dtype: str, peak: float, *, most: float) -> GemmCurve:
    """A relative's coefficients, with the fraction of the peak that the accelerator's power allows: in a burst, `most` of it."""
    values = dict(record["coefficients"])
    allowed, had = accelerator.tdp / peak, record["tdp"] / record["peak_flops"]
    module = "grace" in accelerator.generation or getattr(accelerator, "category", "") == "edge"
    if module or peak == record["peak_flops"]:
        allowed = min(allowed, had)  # the watts of a module feed its CPU too
    ratio = (allowed / had) ** POWER_EXPONENT if allowed > 0 else 1.0
    if dtype in ("bf16", "fp16") and accelerator.peak("int8") > HALVED * peak:
        values["fraction"], most = at_half_rate(values["fraction"]), at_half_rate(most)
    sustained = values["fraction"] / (1.0 + values["throttle"]) * ratio
    borrowed = peak * values["fraction"] * min(ratio, 1.0)
    # Watts to spare lift the clock to its own limit.
    values["fraction"] = min(values["fraction"] * ratio, max(values["fraction"], most))
    values["throttle"] = max(values["fraction"] / min(sustained, values["fraction"]) - 1.0, 0.0)
    curve = curve_from_fractions(
        values,
        peak=peak,
        memory_bandwidth=accelerator.memory_bandwidth,
        cores=accelerator.cores or record["cores"],
        dtype=dtype,
        basis="assumed",
        source=f"carried over from {record['chip']} in {record['dtype']}",
    )
    if not _tabled(accelerator):
        return replace(curve, short_rows=SHORT_FILL[False])
    measured = record["coefficients"]["fraction"] * record["peak_flops"]
    read, own = (
        values["bandwidth_fraction"] * bandwidth
        for bandwidth in (record["memory_bandwidth"], silicon(accelerator).memory_bandwidth)
    )
    return replace(curve, short_rows=short_fill(borrowed / own, measured / read))


def at_half_rate(fraction: float) -> float:
    """The fraction of a halved peak that silicon reaches which at its full rate reaches `fraction`: what it waits for beside
    arithmetic takes as long, while the arithmetic takes twice as long.

    >>> round(at_half_rate(0.7), 3), at_half_rate(1.0)
    (0.824, 1.0)
    """
    return 2.0 / (1.0 + 1.0 / fraction)


STREAMED = 0.75
"""Share of its memory's wire rate that a processor reads at: STREAM's 0.74 to 0.79 (Texas Instruments SPRAD45A, 2024-10)."""


def _pooled(
    pooled: Mapping[str, float], prior: Mapping[str, Any] | None, accelerator: Device, dtype: str, peak: float
) -> GemmCurve:
    """The pooled coefficients; a published best fraction replaces the sustained one."""
    values = dict(pooled)
    cores = accelerator.cores or USUAL_CORES
    if cores > MOST_CORES:
        cores = USUAL_CORES
    # A chip of few large processors (a TPU has one or two) takes larger tiles: the cost of a tile belongs to small ones.
    values["tile_seconds"] *= min(1.0, cores / USUAL_CORES)
    source = "pooled over all measured chips"
    if getattr(accelerator, "category", "") == "cpu":
        values["bandwidth_fraction"] = min(values["bandwidth_fraction"], STREAMED)
    if prior:
        values |= {"fraction": prior["fraction"], "throttle": 0.0}
        source += f"; {prior['source']}"
    curve = curve_from_fractions(
        values,
        peak=peak,
        memory_bandwidth=accelerator.memory_bandwidth,
        cores=cores,
        dtype=dtype,
        basis="assumed",
        source=source,
    )
    return replace(curve, short_rows=SHORT_FILL[_tabled(accelerator)])


@functools.cache
def gemm_coefficients() -> Mapping[str, Any]:
    """The fitted coefficients that the catalog ships, as the fit wrote them."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "gemm.json"
    content: Mapping[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return content
