"""What one step of relief would buy a serving plan: each thing that it may lack, a little more of it, planned again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from outlay.catalog import Accelerator
from outlay.machine import cluster_for
from outlay.machine.cluster import Cluster
from outlay.scenarios.serving_plan.candidates import LARGEST, blocks_of
from outlay.scenarios.serving_plan.offered import GOALS, Plan, judged_of, ranked
from outlay.scenarios.serving_plan.question import ServingWanted
from outlay.scenarios.serving_plan.search import ServingFound, priced_by
from outlay.serving import ServingCoefficients, format_for
from outlay.statement import Cell, Column, Figure, Interval, Table
from outlay.units import format_quantity

LEAST = 0.01
"""Changes of the goal below this share are none."""
_NARROWER = {"fp32": "bf16", "bf16": "fp8", "fp16": "w4a16", "fp8": "w4a16", "fp8-block": "nvfp4", "int8": "w4a16"}
"""The next narrower format that engines quantize to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Relief:
    words: str
    wanted: ServingWanted
    chip: Accelerator
    cluster: Cluster | None = None


def relief_table(found: ServingFound, coefficients: ServingCoefficients) -> Table | None:
    """The best plan on the same accelerators at the same seller, with the same engine and format, were one thing other; None
    if nothing helps."""
    best, wanted = found.best, found.wanted
    key = GOALS[wanted.wanted.goal]
    now = float(getattr(best, key))
    if not np.isfinite(now) or now <= 0:
        return None
    rows: list[tuple[Cell, ...]] = []
    for relief in _reliefs(best, wanted):
        plan = _again(relief, best, coefficients)
        if plan is None or float(getattr(plan, key)) > now * (1.0 - LEAST):
            continue
        if not (np.isfinite(plan.ttft) and np.isfinite(plan.tpot)):  # it carries the load in arrays, and not by itself
            continue
        change = float(getattr(plan, key)) / now - 1.0
        rows.append(
            (
                relief.words,
                f"{plan.devices:,}",
                Figure(Interval.of(plan.ttft), unit="s"),
                Figure(Interval.of(plan.tpot), unit="s"),
                plan.dollars if np.isfinite(plan.dollars) else None,
                Figure(Interval.of(change), unit="%"),
            )
        )
    if not rows:
        return None
    heading = {"dollars": "Cost", "e2e": "Answer", "kg_co2e": "CO₂e"}[key]
    return Table(
        "What one step of relief would buy, on the same accelerators at the same seller",
        columns=("With", Column("Accelerators"), "First", "Each", Column("Month", unit="$"), f"{heading} changes"),
        rows=rows,
        key="relief",
    )


def _again(relief: _Relief, best: Plan, coefficients: ServingCoefficients) -> Plan | None:
    most = max(relief.wanted.wanted.machines[best.chip])
    blocks, _ = blocks_of(relief.wanted, relief.chip, most, coefficients, cluster=relief.cluster)
    offered = priced_by(relief.wanted, blocks, [best.offer])
    if offered is None:
        return None
    order = ranked(offered, relief.wanted, judged_of(offered, relief.wanted))
    return offered.plan(int(order[0])) if order.size else None


def _as_it_is(best: Plan, wanted: ServingWanted) -> ServingWanted:
    """The same question with the engine and the format of the plan: what is other is one thing alone."""
    engines = wanted.engines
    if engines is not None:
        engines = tuple(engine for engine in engines if engine.name == best.block.engine.name)
    return dataclasses.replace(wanted, engines=engines, formats=(best.block.form,))


def _reliefs(best: Plan, wanted: ServingWanted) -> Iterator[_Relief]:
    """Questions that differ in one thing."""
    chip = best.block.chip
    asked, wanted = wanted, _as_it_is(best, wanted)
    narrower = _NARROWER.get(best.block.form.name)
    if narrower is not None and asked.formats is not None and narrower not in [form.name for form in asked.formats]:
        formats = (format_for(narrower),)
        yield _Relief(words=f"weights in {narrower}", wanted=dataclasses.replace(wanted, formats=formats), chip=chip)
    for name in wanted.objectives.stated:
        twice = 2.0 * float(getattr(wanted.objectives, name))
        old = wanted.objectives
        objectives = dataclasses.replace(old, ttft=twice) if name == "ttft" else dataclasses.replace(old, tpot=twice)
        yield _Relief(
            words=f"--{name} {format_quantity(twice, 's').replace(' ', '')}",
            wanted=dataclasses.replace(wanted, objectives=objectives),
            chip=chip,
        )
    yield _Relief(words="twice the memory", wanted=wanted, chip=dataclasses.replace(chip, memory=2 * chip.memory))
    yield _Relief(
        words="memory twice as fast",
        wanted=wanted,
        chip=dataclasses.replace(chip, memory_bandwidth=2 * chip.memory_bandwidth),
    )
    largest = min(LARGEST, max(wanted.wanted.machines[best.chip]))
    if int(best.block.largest[best.place]) > 1:
        cluster = cluster_for(chip, largest)
        link, host = 2 * cluster.link_bandwidth, 2 * cluster.host_bandwidth
        fast = dataclasses.replace(cluster, link_bandwidth=link, host_bandwidth=host)
        yield _Relief(words="links twice as fast", wanted=wanted, chip=chip, cluster=fast)
