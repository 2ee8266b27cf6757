"""Everything that could be rented or is had, each with the fastest layout that fits: what a plan is chosen from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
Place: TypeAlias = tuple[str, int]
"""An accelerator and how many of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to do the run, with what it takes."""

    place: Place
    run: Run
    dollars: float
    """Infinite where nobody says what the accelerators cost."""
    seconds: float
    kg_co2e: float

    @property
    def tier(self) -> str:
        return self.run.terms.tier


Contenders: TypeAlias = Callable[[Sequence[Candidate], float], Iterable[int]]
"""Which of the candidates could be among the best if they were faster by a factor."""


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
    unsold: tuple[Place, ...]
    """Places that nobody of those asked sells linked together."""


WIDER = 1.08
"""How much faster the layouts that a first look leaves out may make a place: 7.8 % was the most on 30 models and machines."""


def candidates_of(
    wanted: Wanted,
    *,
    asker: Asker,
    agree: Agree,
    assemble: Assembler,
    coefficients: Coefficients,
    contenders: Contenders,
    progress: Callable[[int, int], None] | None = None,
) -> Found:
    """Every accelerator × count × seller × tier of `wanted`, with the layout that is fastest there.

    Places are looked at twice: all of them without the layouts that are hardly ever the fastest, then those that could be
    among the best by :data:`WIDER` with all of them.
    """
    by_place: dict[Place, list[Candidate]] = {}
    failed: list[Failed] = []
    unsold: list[Place] = []
    offers: dict[Place, tuple[tuple[str | None, str], ...]] = {}

    def look(place: Place, *, wide: bool) -> None:
        try:
            fitted = fit(asker(*place), coefficients, explain=False, wide=wide)
        except DoesNotFit as error:
            failed.append(Failed(chip=place[0], count=place[1], why="memory", need=error.need))
        except InputError as error:
            failed.append(Failed(chip=place[0], count=place[1], why=error.message))
        else:
            by_place[place] = list(_priced(place, fitted, offers[place], agree, assemble))

    places = [(chip, count) for chip, counts in wanted.machines.items() for count in counts]
    for done, place in enumerate(places):
        if progress is not None:
            progress(done, len(places))
        offers[place] = tuple(_offers(wanted, *place))
        if offers[place]:
            look(place, wide=False)
        else:
            unsold.append(place)
    first = [candidate for entries in by_place.values() for candidate in entries]
    for place in dict.fromkeys(first[index].place for index in contenders(first, WIDER)):
        look(place, wide=True)
    if progress is not None:
        progress(len(places), len(places))
    chosen = [entries[0].run.fitted.chosen for entries in by_place.values()]
    return Found(
        candidates=tuple(candidate for entries in by_place.values() for candidate in entries),
        failed=tuple(failed),
        looked_at=sum(entry.looked_at for entry in chosen),
        legal=sum(entry.legal for entry in chosen),
        fitting=sum(entry.fitting for entry in chosen),
        unsold=tuple(unsold),
    )


def _priced(
    place: Place, fitted: Fitted, offers: Iterable[tuple[str | None, str]], agree: Agree, assemble: Assembler
) -> Iterator[Candidate]:
    for seller, tier in offers:
        run = assemble(fitted.question, fitted, agree(fitted.question, seller, tier))
        amount = total(lines_of(run))
        priced = amount is not None and (run.terms.price is not None or run.terms.owned)
        yield Candidate(
            place=place,
            run=run,
            dollars=amount.likely if amount is not None and priced else np.inf,
            seconds=run.duration.likely,
            kg_co2e=run.operational.likely,
        )


def _offers(wanted: Wanted, chip: str, count: int) -> Iterator[tuple[str | None, str]]:
    """Sellers and tiers. Of who lists single devices alone nobody knows that it rents out linked ones; of some, that it
    links no machines."""
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
            and (count <= node or catalog.unlinked(listing.provider, listing.provider_class) is None)
            and (wanted.providers is None or listing.provider in wanted.providers)
        ]
        sellers = {listing.provider for listing in listings}
        dated = {listing.provider for listing in listings if len(listing.date) > len("2026")}
        if dated and wanted.providers is None:  # what was asked in some month of a year may be long gone
            sellers = dated
        yield from ((seller, tier) for seller in sorted(sellers))
