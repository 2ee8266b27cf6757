"""When the answer is no: what came nearest, and what would have to give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from outlay import catalog
from outlay.errors import DoesNotFit
from outlay.scenarios.serving_plan.block import Counts
from outlay.scenarios.serving_plan.offered import Offered, Plan, judged_of, limits_of, ranked
from outlay.scenarios.serving_plan.question import ServingWanted
from outlay.scenarios.serving_plan.words import (
    FLAGS,
    instances,
    limits_in_words,
    load_in_words,
    machines,
    nearest_plan,
    seller,
    setting,
    shown,
    typed,
    why,
)
from outlay.search.limits import Judged
from outlay.serving.objectives import FULL, Objectives

_TRIES = 5
"""Times that four times as many accelerators are tried for a hint."""
_POOLS = 2
"""Instances that prompts apart from decoding take at least."""
_WIDER = (1.0, 1.02, 1.1)
"""How much wider than what came nearest the limits are that are tried for a hint."""
_SAID = 4
"""Accelerators that an answer names."""
_FEW = 3
"""Kinds of accelerators that are tried."""

Again: TypeAlias = Callable[[ServingWanted], Offered]
"""The same search for another question."""


def nothing(wanted: ServingWanted, counts: Counts, again: Again) -> DoesNotFit:
    """No plan at all: it fits nowhere, or nobody sells what it fits on."""
    name = wanted.architecture.name
    if counts.too_big and not counts.kept and not counts.too_slow:
        narrower = "" if wanted.formats is None else ", or try `--quant any`"
        return DoesNotFit(
            f"{name} fits on none of the machines asked for, with one request of {wanted.demand.longest:,.0f} tokens",
            hint=(_more(wanted, tuple(wanted.wanted.machines), again) or "take larger accelerators") + narrower,
        )
    if counts.formats and not counts.looked_at:
        return _no_mode(wanted)
    chips = sorted(wanted.wanted.machines)
    tiers = " or ".join(wanted.wanted.tiers)
    linked = f", linked as one instance of {name} needs" if counts.formats else ""
    there = dict.fromkeys(listing.tier for chip in chips for listing in catalog.prices(catalog.accelerator(chip)))
    other = [tier for tier in there if tier not in wanted.wanted.tiers]
    if wanted.wanted.had is not None and "owned" not in wanted.wanted.tiers:
        return DoesNotFit(
            f"nobody offers {', '.join(chips[:_SAID])} as {tiers}{linked}",
            hint=f"leave `--tier {wanted.asked['tier']}` out: machines that you have are rented from nobody",
        )
    by = "" if wanted.wanted.providers is None else f" of {' or '.join(wanted.wanted.providers)}"
    hint = (
        f"write `--tier {other[0]}`, your own `--price`"
        if other and not linked and not by
        else "write your own `--price`"
    )
    few = {chips[0]: 2}
    own = replace(wanted.wanted, tiers=("owned",), providers=None, had=few, machines={chips[0]: (2,)})
    enough = _more(replace(wanted, wanted=own), (chips[0],), again).partition("write ")[2]
    return DoesNotFit(
        f"nobody{by} offers {', '.join(chips[:_SAID])} as {tiers}{linked}",
        hint=f"{hint}, or {enough or f'`--have {chips[0]}:8`'} for machines of your own"
        + (", or another `--provider`" if by else ""),
    )


def _no_mode(wanted: ServingWanted) -> DoesNotFit:
    """No engine serves in the modes that are asked for, or there are too few accelerators for one."""
    engines = dict.fromkeys(
        engine.name for name in wanted.wanted.machines for engine in wanted.engines_on(catalog.accelerator(name))
    )
    if max(max(numbers) for numbers in wanted.wanted.machines.values()) < _POOLS:
        return DoesNotFit(
            "prompts computed apart take two accelerators at least, and there is one",
            hint="leave `--mode disaggregated` out, or write `--count 2`",
        )
    return DoesNotFit(
        f"{' and '.join(engines)} computes prompts where it decodes, not on instances of their own",
        hint="leave `--mode disaggregated` out, or plan with another `--engine`",
    )


def none_within(wanted: ServingWanted, offered: Offered, judged: Judged, again: Again) -> DoesNotFit:
    """The limits cannot be kept: the nearest plan, and the limits with which it is one."""
    name = wanted.architecture.name
    head = f"no plan serves {name} for {load_in_words(wanted)} {limits_in_words(wanted)}".rstrip()
    place = nearest_plan(offered, judged, wanted)
    if place is None:
        best = np.argmax(offered.figures["capacity"])
        plan, carried = offered.plan(int(best)), float(offered.figures["capacity"][best])
        if not np.isfinite(plan.dollars) and carried > 0:
            return DoesNotFit(
                f"{head}\n  nobody lists a price of {machines(plan)}",
                hint="write your own `--price`, or `--goal fastest`",
            )
        most = max(max(numbers) for numbers in wanted.wanted.machines.values())
        load = "--rate" if wanted.asked.get("users") is None else "--users"
        chips = tuple(wanted.wanted.machines) if len(wanted.wanted.machines) <= _FEW else (plan.chip,)
        helps = [_more(wanted, chips, again), f"a lower `{load}`" if _carries_less(wanted, chips, again) else ""]
        if not any(helps):
            helps = [_unlimited(wanted, chips, again), "take larger accelerators"]
        hint = ", or ".join(filter(None, helps))
        return DoesNotFit(
            f"{head}\n  no count up to {most:,} carries the load at {FULL:.0%} of the most that it answers",
            hint=hint if helps[0] or not helps[1].startswith("a lower") else f"write {hint}",
        )
    near = offered.plan(place)
    broken = judged.broken(place)
    relief = _relief(wanted, near, tuple(broken), again)
    helps = [f"it is there with `{relief}`" if relief else "", "" if relief else _more(wanted, (near.chip,), again)]
    return DoesNotFit(
        f"{head}\n"
        f"  nearest: {machines(near)} ({seller(near)}; {instances(near)}, {setting(near)}) {why(judged, place, near, wanted)}\n"
        f"  its first token comes after {shown('ttft', near.ttft)}, further ones each {shown('tpot', near.tpot)}"
        + (f"; it costs {shown('dollars', near.dollars)}" if np.isfinite(near.dollars) else ""),
        hint="".join(helps) or "ask for fewer requests, or for larger accelerators",
    )


def _carries_less(wanted: ServingWanted, chips: tuple[str, ...], again: Again) -> bool:
    """Whether a thousandth of the load is carried within the limits."""
    assert wanted.demand.rate is not None
    machines = {chip: wanted.wanted.machines[chip] for chip in chips}
    demand = replace(wanted.demand, rate=wanted.demand.rate / 1000.0)
    asked = replace(wanted, demand=demand, wanted=replace(wanted.wanted, machines=machines), tail=False)
    offered = again(asked)
    return bool(len(offered) and ranked(offered, asked, judged_of(offered, asked)).size)


def _unlimited(wanted: ServingWanted, chips: tuple[str, ...], again: Again) -> str:
    """How many accelerators carry the load where no limit is kept; empty where there are none, or no limit is stated."""
    flags = [f"`{FLAGS[name]}`" for name in limits_of(wanted)]
    free = replace(wanted, objectives=Objectives(), wanted=replace(wanted.wanted, limits={}))
    more = _more(free, chips, again) if flags else ""
    return f"{more} and leave {' and '.join(flags)} out" if more else ""


def _relief(wanted: ServingWanted, near: Plan, broken: tuple[str, ...], again: Again) -> str:
    """The limits with which there is a plan on the accelerator that came nearest, as flags: they are tried, and widened a
    little where the search ends beside what it found before; empty where they do not help."""
    machines = {near.chip: wanted.wanted.machines[near.chip]}
    for wider in _WIDER:
        most = {limit: _above(wider * float(getattr(near, limit))) for limit in broken}
        times = {name: value for name, value in most.items() if name in wanted.objectives.stated}
        limits = wanted.wanted.limits | {name: value for name, value in most.items() if name not in times}
        asked = replace(
            wanted,
            objectives=replace(wanted.objectives, **times),
            wanted=replace(wanted.wanted, machines=machines, limits=limits),
            tail=False,
        )
        offered = again(asked)
        if len(offered) and ranked(offered, asked, judged_of(offered, asked)).size:
            return " ".join(f"{FLAGS[limit]} {typed(limit, value)}" for limit, value in most.items())
    return ""


def _more(wanted: ServingWanted, chips: tuple[str, ...], again: Again) -> str:
    """How many accelerators would do, as the flag that asks for them: each number is tried; empty where none does."""
    if len(chips) > _FEW:
        return ""
    most = {chip: max(wanted.wanted.machines[chip]) for chip in chips}
    for _ in range(_TRIES):
        most = {chip: 4 * count for chip, count in most.items()}
        more = {chip: (*wanted.wanted.machines[chip], count) for chip, count in most.items()}
        asked = replace(wanted, wanted=replace(wanted.wanted, machines=more), tail=False)
        offered = again(asked)
        if not len(offered):
            continue
        usable = ranked(offered, asked, judged_of(offered, asked))
        if usable.size:
            plan = offered.plan(int(usable[np.argmin(offered.figures["devices"][usable])]))
            carry = "1 carries it" if plan.devices == 1 else f"{plan.devices:,} carry it"
            if wanted.wanted.had is not None:
                return f"{carry}: write `--have {plan.chip}:{plan.devices}`"
            only = "" if len(wanted.wanted.machines) == 1 else f"--on {plan.chip} "
            return f"{carry}: write `{only}--count {plan.devices}`"
    return ""


def _above(value: float) -> float:
    """A little more, in three digits."""
    step = 10.0 ** (np.floor(np.log10(value)) - 2)
    return float(np.ceil(value / step + 1e-9) * step)
