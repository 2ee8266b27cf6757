"""What only whole steps show: the few magnitudes that are fitted to measured training runs rather than to kernels.

They are stored with their provenance in the catalog's `step.json`, which ``make fit`` writes.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from outlay.machine import Coefficients as MachineCoefficients

MATURE, EARLY = 2026.5, 2025.5
"""Years between which grouped products and routing kernels reached the speed of the tables (Megatron-Bridge's own releases
25.09 to 26.08 ran one configuration of Qwen3-30B in 11.0 and in 6.4 s)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCoefficients:
    """Fitted magnitudes of the step model; a value that is passed, so that a fit without a source is an ordinary
    call."""

    launch_python: float
    """Seconds the host spends on one listed kernel where Python drives many small ones (early Megatron with autograd
    checkpoints): it stands for the unlisted ones too."""
    launch_eager: float
    """The same in a framework of today, run eagerly."""
    launch_compiled: float
    """The same where a compiled program launches."""
    launch_graph: float
    """The same where a captured graph is replayed."""
    launch_collective: float
    """Seconds the host spends on one collective or send."""
    slowdown: Mapping[str, float]
    """Matrix products inside a step against a table of kernels, by generation of chip (`other` where none is listed):
    clocks that power and heat allow for minutes rather than milliseconds, cold caches, other kernels running."""
    attention_slowdown: float
    """Fused attention of an earlier library inside a step, against that library's published speed."""
    moe_slowdown: float
    """Grouped products and routing inside a step, against a table of kernels, in software of today."""
    moe_early: float
    """The same in software of 2025.5 and before, against software of 2026.5."""
    misaligned: float
    """Matrix products whose width or depth is no multiple of 64 elements, against aligned ones."""
    scan_slowdown: float
    """Chunked scans of state-space layers against dense products of the same shape."""
    memory_slowdown: float
    """Memory-bound kernels inside a step against their ideal traffic: passes that the operators do not list."""
    overlap_tensor: float
    """Share of tensor-parallel communication hidden where the framework overlaps it."""
    overlap_data: float
    """Share of the compute window in which data-parallel communication can hide, where the framework overlaps it."""
    overlap_expert: float
    """Share of expert-parallel communication hidden."""
    contention: float
    """Slow-down of compute by communication that runs beside it, as a share of the hidden time."""
    pipeline_exposed: float
    """Share of pipeline sends that is not hidden."""
    straggler: float
    """Step inflation per sqrt(ln devices)."""
    step_fixed: float
    """Seconds a step beyond layers: loading, logging, the gradient norm's synchronisation."""
    framework_bytes: float
    """Bytes of a device's context, libraries and communicators."""
    fragmentation: float
    """Share of activations that the allocator holds beyond what is asked for."""
    family: Mapping[str, float] = field(default_factory=dict)
    """Factor on step time by framework family, or by `family/generation` where chips differ; 1 where not listed."""

    def slowdown_of(self, generation: str) -> float:
        """The factor on matrix products for a generation of chip."""
        return self.slowdown.get(generation, self.slowdown["other"])

    def moe_of(self, year: float) -> float:
        """The factor on grouped products and routing for the year of the software."""
        return float(self.moe_slowdown * self.moe_early ** min(max((MATURE - year) / (MATURE - EARLY), 0.0), 1.0))

    def family_of(self, family: str, generation: str) -> float:
        """The factor on a step for a framework family on a generation of chip."""
        return self.family.get(f"{family}/{generation}", self.family.get(family, 1.0))

    def replace(self, **changes: Any) -> StepCoefficients:
        """These coefficients with some changed."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Everything fitted that an estimate needs: kernels of machines, and whole steps."""

    machine: MachineCoefficients
    step: StepCoefficients


@functools.cache
def load_coefficients() -> Coefficients:
    """The coefficients that the catalog ships."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "step.json"
    content = json.loads(resource.read_text(encoding="utf-8"))
    return Coefficients(machine=MachineCoefficients(), step=StepCoefficients(**content["coefficients"]))
