"""Which :class:`~outlay.machine.attention.AttentionCurve` an accelerator gets: its own fit, a relative's, or published figures.

Coefficients are shares of the data sheet, lengths in keys and one time, so that they carry over between chips. A measured
chip gets its own; another one those of the measured chip that is nearest in memory bandwidth and generation, and since
long kernels run at the power limit, its shares of the peak follow (watts per FLOP/s)^0.4 as matrix products do; a maker
without tables what is published for its best kernel.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
from collections.abc import Mapping
from typing import Any, Protocol

from outlay.errors import InputError
from outlay.machine.attention import AttentionCurve
from outlay.machine.silicon import Chip, distance, is_chip, silicon

ELEMENT_BYTES = {"bf16": 2.0, "fp16": 2.0, "tf32": 4.0, "fp32": 4.0, "fp8": 1.0}

POWER_EXPONENT = 0.4
"""How a sustained share of the peak follows watts per FLOP/s: power grows with about the 2.5th power of the clock."""

BEST_SHARE = 0.8
"""No causal kernel of 16 bits reaches more of the peak than this on a measured chip."""

LIBRARIES = ("flash-2", "flash-3", "flash-4", "cudnn", "sdpa", "triton", "xformers")
"""Kernels by the name of their library; `sdpa` is what PyTorch's scaled_dot_product_attention takes by default."""


class Device(Chip, Protocol):
    """What of an accelerator decides its attention."""

    @property
    def cores(self) -> int | None: ...
    @property
    def tdp(self) -> float: ...


def attention_curve(
    accelerator: Device,
    coefficients: Mapping[str, Any] | None = None,
    dtype: str = "bf16",
    library: str | None = None,
) -> AttentionCurve:
    """The curve of an accelerator in a data type.

    Parameters
    ----------
    coefficients
        The content of the catalog's `attention.json`; None reads it.
    dtype
        `bf16`, `fp16`, `tf32`, `fp32` or `fp8`. Data types without tables take the shares of bf16, with their own peak.
    library
        One of :data:`LIBRARIES`; None is the fastest kernel that is usual on that generation.
    """
    if dtype not in ELEMENT_BYTES:
        raise InputError(f"no attention kernel in `{dtype}`", hint="take one of " + ", ".join(ELEMENT_BYTES))
    if library is not None and library not in LIBRARIES:
        raise InputError(f"`{library}` is not an attention library", hint="take one of " + ", ".join(LIBRARIES))
    content = attention_coefficients() if coefficients is None else coefficients
    record, basis, source = _record(content, silicon(accelerator))
    family = _generation(accelerator.generation)
    factors = content["libraries"].get(family, {}).get(library or "", {})
    values = dict(record["coefficients"])
    if "tdp" in record and basis == "assumed":
        ratio = (accelerator.tdp / accelerator.peak("bf16")) / (record["tdp"] / record["peak_flops"])
        scale = min(max(ratio**POWER_EXPONENT, 0.5), BEST_SHARE / max(values["efficiency"]))
        values["efficiency"] = [share * scale for share in values["efficiency"]]
    if dtype == "fp8":
        gain = values.get("fp8_gain", 0.6)
        values["efficiency"] = [share * gain for share in values["efficiency"]]
    if dtype in ("fp8", "tf32", "fp32"):
        basis = "assumed"
    forward = float(factors.get("forward", 1.0))
    return AttentionCurve(
        flops=accelerator.peak(dtype),
        bandwidth=accelerator.memory_bandwidth * values["bandwidth_fraction"],
        cores=accelerator.cores or record["cores"],
        head_dims=tuple(values["head_dims"]),
        efficiency=tuple(share * forward for share in values["efficiency"]),
        tile_overhead=tuple(values["tile_overhead"]),
        full_gain=values["full_gain"],
        imbalance=values["imbalance"],
        head_multiple=values["head_multiple"],
        launch_seconds=values["launch_seconds"],
        backward_ratio=float(factors.get("backward_ratio", values["backward_ratio"])),
        matmul_efficiency=values["matmul_efficiency"],
        vector_flops=accelerator.peak("fp32") if dtype in ("bf16", "fp16") else math.inf,
        element_bytes=ELEMENT_BYTES[dtype],
        basis=basis if not factors else "assumed",
        source=f"{source}; {factors['source']}" if factors else source,
    )


def _record(content: Mapping[str, Any], accelerator: Device) -> tuple[Mapping[str, Any], str, str]:
    """Coefficients, their basis and their source."""
    name, family = accelerator.name, _generation(accelerator.generation)
    for record in content["curves"]:
        if is_chip(name, record["chip"]):
            return record, "fitted", f"kernels measured on {record['chip']} ({record['tables']})"
    prior = next((entry for entry in content["priors"] if name.startswith(tuple(entry["prefixes"]))), None)
    if prior is None:
        prior = next((entry for entry in content["priors"] if family in entry["generations"]), None)
    if prior is not None:
        return prior, "assumed", prior["source"]
    if family not in NVIDIA:
        return content["priors"][-1], "assumed", content["priors"][-1]["source"]
    chosen = min(content["curves"], key=lambda record: distance(record, accelerator))
    return chosen, "assumed", f"carried over from {chosen['chip']}"


NVIDIA = ("blackwell", "hopper", "ampere", "ada")
"""Generations that flash-attention 2 and its successors are written for."""


def _generation(generation: str) -> str:
    """The generation's word that the tables use (`Grace Blackwell` → blackwell)."""
    lowered = generation.lower()
    words = ("blackwell", "hopper", "ampere", "ada", "volta", "turing", "pascal", "cdna", "rdna", "tpu", "trainium")
    return "blackwell" if lowered == "rubin" else next((word for word in words if word in lowered), lowered)


@functools.cache
def attention_coefficients() -> Mapping[str, Any]:
    """The coefficients that the catalog ships, as the fit wrote them."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "attention.json"
    content: Mapping[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return content
