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


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCoefficients:
    """Fitted magnitudes of the step model; a value that is passed, so that a fit without a source is an ordinary
    call."""

    launch_eager: float
    """Seconds the host spends on one kernel of an eager framework, autograd and dispatch included."""
    launch_compiled: float
    """The same where a compiled program launches."""
    launch_graph: float
    """The same where a captured graph is replayed."""
    launch_collective: float
    """Seconds the host spends on one collective or send."""
    slowdown: float
    """Matrix products inside a step against back-to-back runs of one: clocks, cold caches, what the tables leave
    out."""
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
    """Factor on step time by framework family, 1 where not listed."""

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
