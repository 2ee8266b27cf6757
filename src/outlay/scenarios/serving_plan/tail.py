"""Latencies that 99 of 100 requests keep: plans are played request by request, the best first, until one keeps them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from outlay.errors import DoesNotFit
from outlay.scenarios.serving.playing import Fleet, play_at_random
from outlay.scenarios.serving_plan.offered import Offered, Plan
from outlay.scenarios.serving_plan.question import ServingWanted
from outlay.scenarios.serving_plan.words import (
    instances,
    limits_in_words,
    load_in_words,
    machines,
    seller,
    setting,
    typed,
)
from outlay.serving import ServingCoefficients
from outlay.units import format_quantity

MOST_PLAYED = 300
"""Plans that are played at most."""


def played(plan: Plan, wanted: ServingWanted, coefficients: ServingCoefficients) -> Plan:
    """A plan with the latencies that 99 of 100 requests keep in the busiest hour.

    Requests come at random, each of the mean length.
    """
    fleet = Fleet(
        decode=plan.decode,
        replicas=plan.replicas,
        prefill=plan.prefill,
        prefill_replicas=plan.prefill_replicas,
    )
    found = play_at_random(fleet, wanted.demand, coefficients, rate=wanted.rate, seconds=plan.e2e)
    # A load without end, whose mean the plan has, is played for a while: so near to the most that is carried, not to its end.
    tails = max(found.quantile("ttft", 0.99), plan.ttft), max(found.quantile("tpot", 0.99), plan.tpot)
    return dataclasses.replace(plan, tails=tails)


def excess(plan: Plan, wanted: ServingWanted) -> float:
    """How far the worse of both is over its objective, as a share of it; 0 and less where both are kept."""
    assert plan.tails is not None
    limits = (wanted.objectives.ttft, wanted.objectives.tpot)
    return max(seconds / float(limit) - 1.0 for seconds, limit in zip(plan.tails, limits, strict=True))


def best_by_tail(
    offered: Offered,
    wanted: ServingWanted,
    usable: NDArray[np.intp],
    coefficients: ServingCoefficients,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[NDArray[np.intp], Plan]:
    """The plans from the first whose 99 of 100 requests keep the objectives, and that one.

    What fails fails with fewer instances of the same kind too, and at every seller.

    :raises DoesNotFit: if none does, with the nearest.
    """
    failed: dict[tuple[int, int, int], int] = {}
    nearest: Plan | None = None
    count = 0
    for first, index in enumerate(usable):
        plan = offered.plan(int(index))
        block = plan.block
        key = (
            int(offered.block[index]),
            int(block.decode.way[plan.place]),
            -1 if block.prefill is None else int(block.prefill.way[plan.place]),
        )
        if plan.devices <= failed.get(key, 0):
            continue
        if count >= MOST_PLAYED:
            break
        count += 1
        if progress is not None:
            progress(count, MOST_PLAYED)
        plan = played(plan, wanted, coefficients)
        if excess(plan, wanted) <= 0:
            if progress is not None:
                progress(MOST_PLAYED, MOST_PLAYED)
            return usable[first:], plan
        failed[key] = plan.devices
        if nearest is None or excess(plan, wanted) < excess(nearest, wanted):
            nearest = plan
    raise _none(wanted, nearest, count)


def _none(wanted: ServingWanted, nearest: Plan | None, count: int) -> DoesNotFit:
    head = (
        f"no plan of {count:,} played serves {wanted.architecture.name} for {load_in_words(wanted)} "
        f"{limits_in_words(wanted)}"
    )
    if nearest is None or nearest.tails is None:
        return DoesNotFit(head, hint="leave `--p99` out: then the mean request counts")
    first, each = (format_quantity(seconds, "s") for seconds in nearest.tails)
    relief = [
        f"--{name} {typed(name, 1.01 * seconds)}"
        for name, seconds in zip(("ttft", "tpot"), nearest.tails, strict=True)
        if seconds > float(getattr(wanted.objectives, name))
    ]
    return DoesNotFit(
        f"{head}\n  nearest: {machines(nearest)} ({seller(nearest)}; {instances(nearest)}, {setting(nearest)}), of whose "
        f"requests 99 of 100 have their first token within {first} and each further one within {each}",
        hint=f"it is there with `{' '.join(relief)}`",
    )
