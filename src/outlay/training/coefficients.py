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
    """Matrix products inside a step against a table of kernels, by generation of chip (`other` where none is listed), and
    `generation/narrow` for products of 8 bits and fewer, which draw less power a FLOP: clocks that power and heat allow
    for minutes rather than milliseconds, cold caches, other kernels running."""
    young_library: float
    """Matrix products in software that lacks a year of the work that went into a generation's libraries until the tables
    were measured."""
    attention_slowdown: float
    """Fused attention of an earlier library inside a step, against that library's published speed."""
    moe_slowdown: float
    """Products of experts inside a step, against the tables of kernels."""
    moe_looped: float
    """Permuting and quantizing tokens for experts, where each expert is a product of its own, against their traffic."""
    expert_gap: float
    """Seconds between the products of two experts, where each is a product of its own."""
    misaligned: float
    """Matrix products whose width or depth is a multiple of 8 elements only, against multiples of 64."""
    scan_slowdown: float
    """Chunked scans of state-space layers against dense products of the same shape."""
    memory_slowdown: float
    """Memory-bound kernels inside a step against their ideal traffic: passes that the operators do not list."""
    overlap_tensor: float
    """Share of tensor-parallel communication hidden where the framework overlaps it."""
    overlap_data: float
    """Share of the compute window in which data-parallel communication can hide, where the framework overlaps it."""
    overlap_expert: float
    """Share of expert-parallel communication hidden, where the framework overlaps it."""
    contention: float
    """Slow-down of compute by communication that runs beside it, as a share of the hidden time."""
    pipeline_exposed: float
    """Share of pipeline sends that is not hidden."""
    straggler: float
    """Step inflation per sqrt(ln devices)."""
    step_fixed: float
    """Seconds a step beyond layers: loading, logging, the gradient norm's synchronisation."""
    framework_bytes: float
    """Bytes of a device's context and libraries."""
    communicator_bytes: float
    """Bytes of the buffers of one communicator: a device has one for each kind of group it is in."""
    fragmentation: float
    """Share of activations that the allocator holds beyond what is asked for."""
    launch_unfused: float = 2e-5
    """Seconds the host spends on a kernel where each elementwise operation is one, and Python calls them in turn."""
    layer_python: float = 1.5e-3
    """Seconds it spends on a layer there besides: modules, views, the engine that goes back; forward and backward."""
    adapter_python: Mapping[str, float] = field(default_factory=lambda: {"other": 3e-4})
    """Seconds it spends there on one adapted projection besides its kernels, by name of software (`other` else)."""
    decode_seconds: float = 1e-11
    """Seconds to decode a weight from 4 or 8 bits, beside the traffic."""
    memory_unfused: float = 1.0
    """Memory-bound kernels there against their traffic."""
    cache_faster: float = 3.0
    """How many times faster than the memory the last cache is, for kernels there that find their tensors in it."""
    gathered_python: float = 2e-3
    """Seconds the host spends on a layer whose weights are gathered, where Python does all that."""
    tuning_fixed: float = 5e-3
    """Seconds of a micro-batch beside its layers in a tuning script: its loss read, logged, data handed over."""
    family: Mapping[str, float] = field(default_factory=dict)
    """Factor on step time by framework family, or by `family/generation` where chips differ; 1 where not listed."""

    def slowdown_of(self, generation: str, *, narrow: bool = False) -> float:
        """The factor on matrix products for a generation of chip, in 16 bits and more or in fewer."""
        wide = self.slowdown.get(generation, self.slowdown["other"])
        return self.slowdown.get(f"{generation}/narrow", wide) if narrow else wide

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
    fields = content["coefficients"] | stored_tuning()["coefficients"]
    return Coefficients(machine=MachineCoefficients(), step=StepCoefficients(**fields))


def stored_tuning() -> Any:
    """The catalog's `tuning.json` as it stands: what tuning runs alone show, and how sure it is."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "tuning.json"
    return json.loads(resource.read_text(encoding="utf-8"))
