"""When the answer is no: what came nearest, and what would have to give."""

from __future__ import annotations

import numpy as np

from outlay.errors import DoesNotFit
from outlay.scenarios.serving_plan_block import Counts
from outlay.scenarios.serving_plan_offered import Offered
from outlay.scenarios.serving_plan_question import ServingWanted
from outlay.scenarios.serving_plan_words import (
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


def nothing(wanted: ServingWanted, counts: Counts) -> DoesNotFit:
    """No plan at all: it fits nowhere, or nobody sells what it fits on."""
    name = wanted.architecture.name
    most = max((max(numbers) for numbers in wanted.wanted.machines.values()), default=0)
    if counts.too_big and not counts.kept and not counts.too_slow:
        return DoesNotFit(
            f"{name} fits on none of the machines asked for, with one request of {wanted.demand.longest:,.0f} tokens",
            hint=f"write `--count {most * 4}`, larger accelerators, or `--quant any`",
        )
    chips = ", ".join(sorted(wanted.wanted.machines)[:4])
    return DoesNotFit(
        f"nobody offers {chips} as {' or '.join(wanted.wanted.tiers)}, linked as one instance of {name} needs",
        hint="write another `--tier` or `--provider`, or your own `--price`",
    )


def none_within(wanted: ServingWanted, offered: Offered, judged: Judged) -> DoesNotFit:
    """The limits cannot be kept: the nearest plan, and the limits with which it is one."""
    name = wanted.architecture.name
    head = f"no plan serves {name} for {load_in_words(wanted)} {limits_in_words(wanted)}".rstrip()
    place = nearest_plan(offered, judged)
    if place is None:
        best = np.argmax(offered.figures["capacity"])
        plan, carried = offered.plan(int(best)), float(offered.figures["capacity"][best])
        if not np.isfinite(plan.dollars) and carried > 0:
            return DoesNotFit(
                f"{head}\n  nobody lists a price of {machines(plan)}",
                hint="write your own `--price`, or `--goal fastest`",
            )
        most = max(max(numbers) for numbers in wanted.wanted.machines.values())
        return DoesNotFit(
            f"{head}\n  no count up to {most:,} carries the load",
            hint=f"write `--count {most * 4}`, or a lower `--rate`",
        )
    near = offered.plan(place)
    broken = judged.broken(place)
    relief = " ".join(f"{FLAGS[limit]} {typed(limit, _above(getattr(near, limit)))}" for limit in broken)
    return DoesNotFit(
        f"{head}\n"
        f"  nearest: {machines(near)} ({seller(near)}; {instances(near)}, {setting(near)}) {why(judged, place, near, wanted)}\n"
        f"  its first token comes after {shown('ttft', near.ttft)}, further ones each {shown('tpot', near.tpot)}"
        + (f"; it costs {shown('dollars', near.dollars)}" if np.isfinite(near.dollars) else ""),
        hint=f"it is there with `{relief}`",
    )


def _above(value: float) -> float:
    """A little more, in three digits."""
    step = 10.0 ** (np.floor(np.log10(value)) - 2)
    return float(np.ceil(value / step + 1e-9) * step)
