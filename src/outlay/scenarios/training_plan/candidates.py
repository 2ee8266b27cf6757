"""Everything that could be rented or is had, each with the fastest layout that fits: what a plan is chosen from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np

from outlay import catalog
from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.training.course import Course
from outlay.scenarios.training.fitting import Fitted
from outlay.scenarios.training.run import Run
from outlay.scenarios.training_plan.question import Wanted
from outlay.statement.line import total


class Place(NamedTuple):
    """So many of an accelerator, and in which of the recipes that were asked for."""

    chip: str
    devices: int
    recipe: int = 0


Fitter: TypeAlias = Callable[[Place, bool], tuple[Fitted, ...]]
"""The layout of each stage at a place, the wide search or the narrow one."""
Assembler: TypeAlias = Callable[[Sequence[Fitted], str | None, str], Course]
"""The run on the terms of a seller (None: nobody) in a tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One way to do the run, with what it takes."""

    place: Place
    course: Course
    dollars: float
    """Infinite where nobody says what the accelerators cost."""
    seconds: float
    kg_co2e: float

    @property
    def run(self) -> Run:
        """Its longest stage."""
        return self.course.main

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
    error: InputError | DoesNotFit
    """Why."""

    @property
    def need(self) -> float | None:
        """Bytes that the smallest layout needs, over those that there are; None where no layout is legal."""
        return self.error.need if isinstance(self.error, DoesNotFit) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All candidates, and what never became one."""

    candidates: tuple[Candidate, ...]
    failed: tuple[Failed, ...]
    looked_at: int
    """Layouts."""
    legal: int
    fitting: int
    chosen: int
    """The fastest of each place, and of each stage there."""
    unsold: tuple[Place, ...]
    """Places that nobody of those asked sells linked together."""


WIDER = 1.08
"""How much faster the layouts that a first look leaves out may make a place: 7.8 % was the most on 30 models and machines."""


def candidates_of(
    wanted: Wanted,
    *,
    recipes: int,
    fitter: Fitter,
    assemble: Assembler,
    contenders: Contenders,
    at_once: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Found:
    """Every accelerator × count × recipe × seller × tier of `wanted`, with the layout that is fastest there.

    Places are looked at twice: all of them without the layouts that are hardly ever the fastest, then those that could be
    among the best by :data:`WIDER` with all of them. With `at_once` all are looked at with all of them.
    """
    by_place: dict[Place, list[Candidate]] = {}
    failed: list[Failed] = []
    unsold: list[Place] = []
    offered: dict[Place, tuple[tuple[str | None, str], ...]] = {}

    def look(place: Place, *, wide: bool) -> None:
        try:
            fitted = fitter(place, wide)
        except (DoesNotFit, InputError) as error:
            failed.append(Failed(chip=place.chip, count=place.devices, error=error))
        else:
            by_place[place] = list(_priced(place, fitted, offered[place], assemble))

    places = [
        Place(chip, count, recipe)
        for chip, counts in wanted.machines.items()
        for count in counts
        for recipe in range(recipes)
    ]
    for done, place in enumerate(places):
        if progress is not None:
            progress(done, len(places))
        offered[place] = tuple(offers(wanted, place.chip, place.devices))
        if offered[place]:
            look(place, wide=at_once)
        else:
            unsold.append(place)
    first = [candidate for entries in by_place.values() for candidate in entries]
    for place in () if at_once else dict.fromkeys(first[index].place for index in contenders(first, WIDER)):
        look(place, wide=True)
    if progress is not None:
        progress(len(places), len(places))
    chosen = [run.fitted.chosen for entries in by_place.values() for run in entries[0].course.runs]
    found = (candidate for entries in by_place.values() for candidate in entries)
    return Found(
        candidates=tuple(sorted(found, key=lambda entry: (entry.dollars, entry.seconds))),  # of equals, the cheapest
        failed=tuple(failed),
        looked_at=sum(entry.looked_at for entry in chosen),
        legal=sum(entry.legal for entry in chosen),
        fitting=sum(entry.fitting for entry in chosen),
        chosen=len(chosen),
        unsold=tuple(unsold),
    )


def _priced(
    place: Place, fitted: tuple[Fitted, ...], offered: Iterable[tuple[str | None, str]], assemble: Assembler
) -> Iterator[Candidate]:
    for seller, tier in offered:
        course = assemble(fitted, seller, tier)
        amount = total(course.lines)
        yield Candidate(
            place=place,
            course=course,
            dollars=amount.likely if amount is not None and course.priced else np.inf,
            seconds=course.seconds,
            kg_co2e=course.operational.likely,
        )


def offers(wanted: Wanted, chip: str, count: int) -> Iterator[tuple[str | None, str]]:
    """Sellers and tiers. Of who lists single devices alone nobody knows that it rents out linked ones; of some, that it
    links no machines. TPUs are listed by the chip and rented in linked slices."""
    node = int(catalog.server_for(chip, count).devices)
    sliced = catalog.accelerator(chip).category == "tpu"
    for tier in wanted.tiers:
        if tier in ("owned", "reserved"):  # nobody lists these: the price is the user's
            yield None, tier
            continue
        linked = {listing.provider for listing in catalog.prices(chip) if sliced or listing.devices >= min(count, node)}
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
