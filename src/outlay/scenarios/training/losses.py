"""What a run takes beside its steps, as the statement says it: failures, checkpoints, evaluation, warm-up, and a shortfall.

The share that somebody states (`--lost-work`) stands in place of failures and what they undo; the rest stays.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from outlay.scenarios.training.question import Question
from outlay.statement import Assumption, Basis, Interval, Receipt
from outlay.training.goodput import CASES, hours_between_failures, losses, practices, ranges, receipts
from outlay.training.production import LEVEL, load_production, production_receipt
from outlay.training.spot import Held
from outlay.units import format_quantity

SHORTFALL = "slower than benchmarks"
"""The name of the assumption that whole runs take longer than their steps and stops."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Seconds of one cause."""

    name: str
    key: str
    seconds: Interval
    basis: Basis
    note: str
    receipts: tuple[Receipt, ...]
    paid: bool = True
    """Whether machines are held meanwhile."""


_WORDS = {
    "restarts": ("Restarts after failures", "restarts", "failures × seconds until steps are taken again"),
    "lost_work": ("Work done twice", "lost-work", "failures × half the time between checkpoints, and a little more"),
    "checkpoints": ("Writing checkpoints", "checkpoints", "checkpoints × bytes ÷ what the devices write together"),
    "evaluation": ("Evaluation", "evaluation", "forward passes over held-out text between steps"),
    "warm_up": ("Start and warm-up", "warm-up", "until the first step, and smaller batches at first"),
}
_FACTS = {"evaluation": ("evaluation",), "warm_up": ("start", "ramp"), "checkpoints": ("storage_bandwidth",)}


STOPS = "stops"
"""The name of the assumption on stops that no failure causes, where the work lost to failures was stated."""
_OF_FAILURES = ("restarts", "lost_work")


def stated(useful: Interval, share: float, receipt: Receipt) -> Loss:
    """What failures and restarts take of `useful` seconds of steps, by a share that somebody gave."""
    return Loss(
        name=f"Restarts, lost work ({format_quantity(share, '%')})",
        key="lost-work",
        seconds=useful * (share / (1.0 - share)),
        basis="yours",
        note="hours of steps × share lost ÷ (1 - share lost)",
        receipts=(receipt,),
    )


def expected(
    useful: float,
    question: Question,
    state_bytes: float,
    *,
    relative: Interval,
    level: float = LEVEL,
    lost: tuple[float, Receipt] | None = None,
    spot: Held | None = None,
) -> tuple[Loss, ...]:
    """What published runs lose, by cause, and what they take longer than steps and stops explain.

    `relative` are the seconds of a step over those predicted. `lost` is the share that somebody says failures and restarts take.
    `spot` is how the machines come and go, where they are spot machines.
    """
    found = ranges(useful, devices=question.working, state_bytes=state_bytes, **_held(spot))
    causes = [
        Loss(
            name=name,
            key=key,
            seconds=Interval.between(*found[cause]),
            basis="assumed",
            note=note,
            receipts=_receipts(cause),
        )
        for cause, (name, key, note) in _WORDS.items()
        if lost is None or cause not in _OF_FAILURES
    ]
    if lost is not None:
        causes.insert(0, stated(relative * useful, *lost))
    wall = sum((loss.seconds for loss in causes), relative * useful)
    shortfall = _shortfall(wall, question, level)
    if spot is None:
        return (*causes, shortfall)
    waiting = Loss(
        name="Waiting for spot machines",
        key="waiting",
        seconds=(wall + shortfall.seconds) * Interval.between(*spot.away),
        basis="assumed",
        note="hours held × hours without machines for each; nobody is paid for them",
        receipts=spot.receipts,
        paid=False,
    )
    return (*causes, shortfall, waiting)


def _held(spot: Held | None) -> dict[str, tuple[float, float, float]]:
    return {} if spot is None else {"held": spot.hours}


def _shortfall(wall: Interval, question: Question, level: float) -> Loss:
    """Seconds of slower nodes, late data and the like; none where runs of that kind are as fast as benchmarks.

    Its range is what, together with the `wall` of steps and stops, makes the range of whole runs that were measured: that
    holds the errors of steps too.
    """
    low, likely, high = _factors(question, level)
    more = max(likely - 1.0, 0.0) * wall.likely
    least = max(low * wall.likely - (wall.likely if wall.low is None else wall.low), 0.0)
    most = high * wall.likely - (wall.likely if wall.high is None else wall.high)
    return Loss(
        name="Slower than benchmarks",
        key="shortfall",
        seconds=Interval.between(min(least, more), more, max(most, more)),
        basis="fitted",
        note="hours so far × (how much longer published runs took than predicted so - 1)",
        receipts=(production_receipt(),),
    )


def _factors(question: Question, level: float = LEVEL) -> tuple[float, float, float]:
    return load_production().factor(
        devices=question.working,
        active=question.active,
        tpu=question.accelerator.category == "tpu",
        named=question.named,
        level=level,
    )


def _receipts(cause: str) -> tuple[Receipt, ...]:
    """Of the jobs whose failures were counted, and of the facts of this cause."""
    wanted = _FACTS.get(cause, ("restart",))
    return tuple(
        receipt for name, receipt in receipts().items() if name in wanted or (cause not in _FACTS and name == "jobs")
    )


_UNNAMED = "; those that name no framework, as here, took longer than those that do (`--framework`)"


def assumptions(
    useful: float, question: Question, state_bytes: float, *, stated: bool = False, spot: Held | None = None
) -> tuple[Assumption, ...]:
    """What the lines of :func:`expected` stand on, in words; `stated` says that somebody gave the share lost to failures."""
    usual = practices()["likely"]
    hours = math.inf if spot is None else spot.hours[1]
    lost = losses(useful, devices=question.working, state_bytes=state_bytes, practice=usual, held=hours)
    found = ranges(useful, devices=question.working, state_bytes=state_bytes, **_held(spot))
    parts = [part for cause, part in found.items() if not (stated and cause in _OF_FAILURES)]
    low, likely, high = (sum(part[case] for part in parts) for case in range(len(CASES)))
    shares = [format_quantity(seconds / (useful + seconds), "%", digits=2) for seconds in (low, likely, high)]
    between = float(hours_between_failures(question.working, usual))
    every = format_quantity(float(lost.interval), "s", digits=2)
    apart = format_quantity(between * 3600.0, "s", digits=2)
    factors = _factors(question)
    back = format_quantity(usual.restart_seconds, "s", digits=2)
    value = f"{shares[1]} of the run ({shares[0]} to {shares[2]})"
    stops = Assumption(
        "lost work",
        value=value,
        why=f"published jobs of this size fail every {apart}, restart within {back}, and do best to save a checkpoint "
        f"every {every} (Young and Daly)",
        receipt=receipts()["restart"],
    )
    if stated:
        stops = Assumption(
            STOPS,
            value=value,
            why=f"checkpoints every {every}, evaluation and the start, as published runs have them",
            receipt=receipts()["evaluation"],
        )
    return (
        stops,
        *(() if spot is None else (_spot(spot),)),
        Assumption(
            SHORTFALL,
            value=f"{max(factors[1] - 1, 0):.0%}",
            why=f"published runs like this took {factors[0]:.2f} to {factors[2]:.2f} times the hours of their predicted "
            f"steps and stops{'' if question.named else _UNNAMED}",
            receipt=production_receipt(),
        ),
    )


def _spot(spot: Held) -> Assumption:
    """How spot machines come and go."""
    long, usual, short = (format_quantity(hours * 3600.0, "s", digits=2) for hours in spot.hours)
    away = [format_quantity(odds / (1.0 + odds), "%", digits=2) for odds in spot.away]
    of_type = (
        f"of this type {spot.bucket} are taken back in a month" if spot.bucket else "of this type nobody says how often"
    )
    return Assumption(
        "spot",
        value=f"held for {usual} at a time ({short} to {long}), missing {away[1]} of the time ({away[0]} to {away[2]})",
        why=f"traces of V100s on AWS, of which more than 20% a month were taken back; {of_type}",
        receipt=spot.receipts[-1],
    )
