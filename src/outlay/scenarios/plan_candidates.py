"""Everything that could be rented or is had, each with the fastest layout that fits: what a plan is chosen from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from outlay import catalog
from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.fitting import Fitted, fit
from outlay.scenarios.lines import lines_of
from outlay.scenarios.plan_question import Wanted
from outlay.scenarios.question import Question
from outlay.scenarios.run import Run
from outlay.scenarios.terms import Terms
from outlay.statement.line import total
from outlay.training import Coefficients

Asker: TypeAlias = Callable[[str, int], Question]
"""The question on a number of accelerators of a name."""
Assembler: TypeAlias = Callable[[Question, Fitted, Terms], Run]
Agree: TypeAlias = Callable[[Question, str | None, str], Terms]
"""The terms of a seller (None: nobody) in a tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to do the run, with what it takes."""

    run: Run
    dollars: float
    """Infinite where nobody says what the accelerators cost."""
    seconds: float
    kg_co2e: float

    @property
    def tier(self) -> str:
        return self.run.terms.tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A number of accelerators on which the run cannot be done."""

    chip: str
    count: int
    why: str
    need: float | None = None
    """Bytes that the smallest layout needs, over those that there are; None where no layout is legal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All candidates, and what never became one."""

    candidates: tuple[Candidate, ...]
    failed: tuple[Failed, ...]
    looked_at: int
    """Layouts."""
    legal: int
    fitting: int
    unsold: tuple[tuple[str, int], ...]
    """Accelerators and counts that nobody of those asked sells linked together."""


def candidates_of(
    wanted: Wanted,
    *,
    asker: Asker,
    agree: Agree,
    assemble: Assembler,
    coefficients: Coefficients,
    progress: Callable[[int, int], None] | None = None,
) -> Found:
    """Every accelerator × count × seller × tier of `wanted`, with the layout that is fastest there."""
    found: list[Candidate] = []
    failed: list[Failed] = []
    unsold: list[tuple[str, int]] = []
    looked = legal = fitting = 0
    places = [(chip, count) for chip, counts in wanted.machines.items() for count in counts]
    for done, (chip, count) in enumerate(places):
        if progress is not None:
            progress(done, len(places))
        offers = tuple(_offers(wanted, chip, count))
        if not offers:
            unsold.append((chip, count))
            continue
        try:
            question = asker(chip, count)
            fitted = fit(question, coefficients, explain=False)
        except DoesNotFit as error:
            failed.append(Failed(chip=chip, count=count, why="memory", need=error.need))
            continue
        except InputError as error:
            failed.append(Failed(chip=chip, count=count, why=error.message))
            continue
        looked += fitted.chosen.looked_at
        legal += fitted.chosen.legal
        fitting += fitted.chosen.fitting
        found += _priced(fitted, offers, agree, assemble)
    if progress is not None:
        progress(len(places), len(places))
    return Found(
        candidates=tuple(found),
        failed=tuple(failed),
        looked_at=looked,
        legal=legal,
        fitting=fitting,
        unsold=tuple(unsold),
    )


def _priced(
    fitted: Fitted, offers: Iterable[tuple[str | None, str]], agree: Agree, assemble: Assembler
) -> Iterator[Candidate]:
    for seller, tier in offers:
        run = assemble(fitted.question, fitted, agree(fitted.question, seller, tier))
        amount = total(lines_of(run))
        priced = amount is not None and (run.terms.price is not None or run.terms.owned)
        yield Candidate(
            run=run,
            dollars=amount.likely if amount is not None and priced else np.inf,
            seconds=run.duration.likely,
            kg_co2e=run.operational.likely,
        )


def _offers(wanted: Wanted, chip: str, count: int) -> Iterator[tuple[str | None, str]]:
    """Sellers and tiers. Of who lists single devices alone nobody knows that it rents out linked ones."""
    node = int(catalog.server_for(chip, count).devices)
    for tier in wanted.tiers:
        if tier in ("owned", "reserved"):  # nobody lists these: the price is the user's
            yield None, tier
            continue
        linked = {listing.provider for listing in catalog.prices(chip) if listing.devices >= min(count, node)}
        listings = [
            listing
            for listing in catalog.prices(chip, tier=tier)
            if not listing.doubt
            and listing.provider in linked
            and (wanted.providers is None or listing.provider in wanted.providers)
        ]
        sellers = {listing.provider for listing in listings}
        dated = {listing.provider for listing in listings if len(listing.date) > len("2026")}
        if dated and wanted.providers is None:  # what was asked in some month of a year may be long gone
            sellers = dated
        yield from ((seller, tier) for seller in sorted(sellers))
