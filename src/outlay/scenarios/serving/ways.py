"""Ways to serve: layouts of an instance that are legal on the devices that there are, and what is recorded of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.errors import DoesNotFit, InputError
from outlay.layout import SHORT, Layout, Problem, broken_rules
from outlay.scenarios.serving.extras import offloaded
from outlay.scenarios.serving.question import ServingQuestion
from outlay.serving import Deployment, Performance, Replay, ServingCoefficients, ServingMemory, memory
from outlay.serving.deployment import DEGREES
from outlay.serving.layouts import RULES, layouts_of, legal
from outlay.units import format_quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The layout of an instance, how many of them there are, and how one fares. Numbers, not arrays."""

    deployment: Deployment
    replicas: int
    working: int
    """Instances that get requests: no more than there are clients."""
    idle: int
    """Devices that are paid for and belong to no instance."""
    busiest: Performance
    """In the busiest hour."""
    mean: Performance
    """At the mean load of a day."""
    most: Performance
    """At the highest throughput."""
    space: ServingMemory
    looked_at: int
    fitting: int
    """Layouts that fit in memory."""
    carrying: int
    """Layouts that carry the load within its objectives."""
    replay: Replay | None = None
    """What became of each request of a trace."""
    overrun: float = 0.0
    """Seconds from the last request of a trace to its last answer, where more come than are answered."""
    prefill: Deployment | None = None
    """An instance that computes prompts, where those that answer are others."""
    prefill_replicas: int = 0

    @property
    def requests_per_second(self) -> float:
        """Of all instances, over the day."""
        return float(self.mean.requests_per_second) * self.working

    @property
    def most_requests_per_second(self) -> float:
        """Of all instances, at the highest throughput."""
        return float(self.most.requests_per_second) * self.replicas


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """Every layout that was looked at, with its verdicts, as arrays of one length."""

    layouts: Layout
    replicas: NDArray[np.int64]
    performance: Performance
    fits: NDArray[np.bool_]
    carries: NDArray[np.bool_]
    """Sustains the load and keeps the objectives."""
    prefill_layouts: Layout | None = None
    prefill_replicas: NDArray[np.int64] | None = None


def instances(question: ServingQuestion, layout: Layout, coefficients: ServingCoefficients) -> Deployment:
    """The deployment, with the layers that its device has no room for on its processor where that was asked for.

    :raises DoesNotFit: if the processor has no room for them either.
    """
    deployment = question.deployment(layout)
    if question.host is None:
        return deployment
    demand = question.demand
    near, count = offloaded(
        replace(deployment, layout=Layout(sequence_parallel=False), held=float(np.max(np.asarray(deployment.held)))),
        question.host,
        coefficients,
        sequences=demand.concurrency or 1,
        tokens=demand.input + demand.output,
    )
    if near.beyond is not None and float((space := memory(near.beyond, coefficients)).cache) <= 0:
        need, there = sum(map(float, space.parts.values())), float(space.capacity)
        raise DoesNotFit(
            f"{question.architecture.name} in {question.weights.name} does not fit on {question.accelerator.name} and "
            f"{question.host.name} together\n"
            f"  the {near.beyond.architecture.depth} layers beyond the first {count} need {format_quantity(need, 'B')}, and "
            f"{question.host.name} has {format_quantity(there, 'B')}",
            hint="store weights in fewer bits (`--quant q4_k_m`), or name a processor with more memory "
            "(`--catalog` takes your own)",
            need=need / there,
        )
    return near


def candidates(question: ServingQuestion) -> tuple[Layout, NDArray[np.int64]]:
    """Layouts of an instance, and how many instances of each there are."""
    count = question.devices
    most = count if question.replicas is None else count // question.replicas
    domain = int(question.cluster.domain) if int(question.cluster.domain) > 1 else int(question.cluster.node_size)
    found = layouts_of(question.architecture, question.engine, most=most, domain=domain).layouts
    kept = np.ones(np.shape(found.tensor), dtype=bool)
    for name, value in question.fixed.items():
        kept &= np.equal(getattr(found, name), value)
    layouts = found.at(np.flatnonzero(kept)) if kept.any() else _asked(question, most)
    devices = np.asarray(layouts.devices, dtype=np.int64)
    replicas = np.full(devices.shape, question.replicas) if question.replicas is not None else count // devices
    return layouts, replicas.astype(np.int64)


def _asked(question: ServingQuestion, most: int) -> Layout:
    """The layout that was asked for, which is none of those that are tried; the rule that it breaks is an error."""
    fixed: dict[str, Any] = dict(question.fixed)
    devices = int(fixed.get("tensor", 1)) * int(fixed.get("data", 1))
    if question.architecture.is_moe:
        expert = int(fixed.get("expert", devices // int(fixed.get("expert_tensor", devices)) or 1))
        fixed |= {"expert": expert, "expert_tensor": int(fixed.get("expert_tensor", max(devices // expert, 1)))}
    layout = Layout(**{name: np.array([value]) for name, value in fixed.items()}, sequence_parallel=False).broadcast()
    one = layout.at(0)
    words = layout_words(one)
    if int(one.devices) > most:
        each = f"each of {question.replicas} replicas has" if question.replicas else "there are"
        raise InputError(
            f"the layout {words} is of {int(one.devices):,} devices",
            expected=f"at most {most:,}, as many as {each}",
            hint=f"write `{question.flags['on']} {question.on}:{int(one.devices) * (question.replicas or 1)}`, "
            f"or `{question.flags['layout']} auto`",
        )
    problem = Problem(architecture=question.architecture, sequence_length=1, global_batch=one.data, devices=one.devices)
    if not legal(layout, question.architecture).all():
        own = [rule.sentence for rule in RULES if not np.all(rule.holds(one, problem))]
        raise InputError(
            f"{question.architecture.name} cannot be served in the layout {words}",
            details=(*broken_rules(one, problem), *own),
            hint=f"write `{question.flags['layout']} auto`, or change the degrees that the rule names",
        )
    if question.engine.sequential_layers and int(one.tensor) > 1:
        raise InputError(
            f"{question.engine.name} splits layers over devices, and `tp={int(one.tensor)}` splits heads",
            hint=f"write `--layout pp={int(one.tensor)}`, or `--engine vllm`",
        )
    return layout


def layout_words(layout: Layout) -> str:
    """A layout of an instance as a user would write it.

    >>> layout_words(Layout(tensor=8)), layout_words(Layout())
    ('tp=8', 'tp=1')
    """
    parts = [
        f"{short}={int(getattr(layout, name))}"
        for short, name in SHORT.items()
        if name in DEGREES and int(getattr(layout, name)) > 1
    ]
    return ",".join(parts) or "tp=1"


def scalar(performance: Performance) -> Performance:
    """Plain numbers."""
    values = {
        field.name: float(np.asarray(getattr(performance, field.name)).reshape(-1)[0])
        for field in fields(performance)
        if field.name != "quantiles"
    }
    quantiles = {name: float(np.asarray(value).reshape(-1)[0]) for name, value in performance.quantiles.items()}
    return Performance(**values, quantiles=quantiles)


def each_of(performance: Performance, count: int) -> Performance:
    """That of one instance from that of all, of which each does its part."""
    share = 1.0 / count
    return replace(
        performance,
        requests_per_second=performance.requests_per_second * share,
        output_per_second=performance.output_per_second * share,
        total_per_second=performance.total_per_second * share,
        concurrency=performance.concurrency * share,
    )
