"""What only whole serving steps show: the few magnitudes that are fitted to measured runs rather than to kernels.

They are stored with their provenance in the catalog's `serving.json`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.resources
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from outlay.machine import Coefficients as MachineCoefficients
from outlay.serving.engines import Engine
from outlay.workload import Number

COMPILED = frozenset({"tpu", "trillium", "ironwood"})
"""Generations whose kernels one compiler makes (XLA)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCoefficients:
    """Fitted magnitudes of a serving step; a value that is passed, so that a fit without a source is an ordinary call."""

    launch: Mapping[str, float]
    """Seconds the host spends on one kernel, by who launches (`eager`, `compiled`, `graph`); `pieces`: on one layer, whose
    attention Python runs between captured graphs; `experts`: on one layer of experts, whose tokens Python sorts, beside its
    kernels."""
    step_fixed: Mapping[str, float]
    """Seconds of a step that its device does not work, by family of engine, or by `family/waits` where the engine schedules the
    next step when this one has ended: scheduling, sampling, detokenizing."""
    step_sequence: Mapping[str, float]
    """Seconds that each sequence adds to that."""
    projections: Mapping[str, float]
    """Products inside a step against those of the closed form, by generation of chip: 1 where kernels were measured on the
    chip or its relatives (NVIDIA's)."""
    attention_slowdown: Mapping[str, float]
    """Attention kernels inside a step against a table of kernels, by generation of chip."""
    prompt_slowdown: float
    """Kernels of prompts inside an engine against the same kernels timed alone and briefly, on chips on which they were: clocks
    fall under arithmetic that lasts."""
    request_gap: float
    """Seconds that a client and the engine's front end, a process each, take for a request before the next."""
    front_end: Mapping[str, float]
    """Seconds between a client's request and its first token that no step takes, by family of engine: connection and queues
    between processes."""
    front_request: float
    """Seconds that each other request adds which is sent at the same time: one process takes turns among them."""
    front_token: float
    """Seconds that each token of a prompt adds to that: it is sent, tokenized and copied as numbers."""
    framework_bytes: Mapping[str, float]
    """Bytes of a device's context, libraries and graphs, by whose kernels run (`tables`, `ggml`)."""
    ggml: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """llama.cpp's kernels by backend: the fields of :class:`~outlay.serving.ggml.Backend`; `other` where one is not listed."""
    awq: Mapping[str, Any] = field(default_factory=dict)
    """AutoAWQ's kernels: the fields of :class:`~outlay.serving.awq.AwqKernels`."""
    first_call: float = 0.0
    """Seconds that the first pass of a process takes beyond a later one, where a benchmark times it: kernels load on use."""
    widening: Mapping[str, float] = field(default_factory=lambda: {"other": 1.0})
    """Products of many rows that widen stored weights, against those of plain weights, by family of engine: kernels that
    unpack a weight again for every tile."""
    family: Mapping[str, float] = field(default_factory=dict)
    """Factor on device time by engine family, or by `family/generation`; 1 where not listed."""

    def fixed_of(self, engine: Engine) -> tuple[float, float]:
        """Seconds of a step, and of each of its sequences, that the device waits for the host."""
        usual = self.step_fixed.get(engine.family, self.step_fixed["other"])
        return (
            self.step_fixed.get(engine.scheduler, usual),
            self.step_sequence.get(engine.family, self.step_sequence["other"]),
        )

    def projections_of(self, generation: str, *, measured: bool) -> float:
        """The factor on products of a generation of chip."""
        return 1.0 if measured else self.projections.get(generation, self.projections["other"])

    def front_of(self, engine: Engine, prompt: Number) -> Number:
        """Seconds that an engine's front end adds to the first token after a `prompt` of so many tokens; 0 where it has none."""
        if not engine.front_end:
            return 0.0
        reached = self.front_end.get(engine.family, self.front_end["other"])
        return reached + engine.collection + self.front_token * prompt

    def front_of_pools(self, prefill: Engine, decode: Engine, prompt: Number) -> Number:
        """The same where prompts have instances of their own: a request passes two servers, and its text is read once."""
        return self.front_of(decode, prompt) + self.front_of(prefill, 0.0)

    def front_each(self, engine: Engine) -> float:
        """Seconds that each other request of a burst adds to the front end."""
        return self.front_request if engine.front_end else 0.0

    def attention_of(self, generation: str) -> float:
        """The factor on attention of a generation of chip."""
        return self.attention_slowdown.get(generation, self.attention_slowdown["other"])

    def widening_of(self, family: str) -> float:
        """The factor on products of many rows that widen their weights first."""
        return self.widening.get(family, self.widening["other"])

    def framework_of(self, kernels: str) -> float:
        """Bytes of context, libraries and graphs."""
        return self.framework_bytes.get(kernels, self.framework_bytes["tables"])

    def family_of(self, family: str, generation: str) -> float:
        """The factor on device time for an engine on a generation of chip.

        Of chips that one compiler serves, whoever runs on top, a generation that nobody measured takes the mean of the others.
        """
        listed = self.family.get(f"{family}/{generation}")
        if listed is not None:
            return listed
        kin = [value for name, value in self.family.items() if name.partition("/")[2] in COMPILED]
        if generation in COMPILED and kin:
            return math.exp(math.fsum(map(math.log, kin)) / len(kin))
        return self.family.get(family, 1.0)

    def replace(self, **changes: Any) -> StepCoefficients:
        """These coefficients with some changed."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingCoefficients:
    """Everything fitted that a serving estimate needs: kernels of machines, and whole steps."""

    machine: MachineCoefficients
    step: StepCoefficients


@functools.cache
def load_serving() -> ServingCoefficients:
    """The coefficients that the catalog ships."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "serving.json"
    content = json.loads(resource.read_text(encoding="utf-8"))
    return ServingCoefficients(machine=MachineCoefficients(), step=StepCoefficients(**content["coefficients"]))
