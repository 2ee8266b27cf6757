"""Machines of one's own for a load: which, how many, what they cost a month, and what one more carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from outlay import catalog
from outlay.catalog import Accelerator
from outlay.economics import HOURS_PER_MONTH
from outlay.errors import DoesNotFit, InputError, UnknownName
from outlay.scenarios.buying.no import nobody_lists, nothing, quickest
from outlay.scenarios.buying.sellers import every_offer, offers_on
from outlay.scenarios.buying.sizes import Kind, Sizes, Unit, domain_of, sizes_of
from outlay.scenarios.named import MOST_DEVICES, read_on
from outlay.scenarios.serving.fit import serve
from outlay.scenarios.serving.provenance import serving_receipts
from outlay.scenarios.serving.question import ServingQuestion, ask_serving
from outlay.scenarios.serving.ranged import relative_ranges
from outlay.scenarios.serving.rates import rate_words
from outlay.scenarios.serving.refusal import refusal
from outlay.scenarios.serving.run import ServingRun
from outlay.scenarios.serving.ways import Tried
from outlay.scenarios.serving_plan.candidates import LARGEST
from outlay.scenarios.serving_plan.formats import runs
from outlay.scenarios.serving_plan.offers import Offer
from outlay.scenarios.terms import agree
from outlay.scenarios.training_plan.question import ask_plan
from outlay.serving import ServingCoefficients, format_for, load_serving
from outlay.statement import Assumption, Interval

_SHOWN = 5
_SERVER = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A month of machines: the run that answers, its unit, and what all of them cost without people."""

    run: ServingRun
    unit: Unit
    dollars: Interval | None
    """None where the machines have no price."""
    at_least: Interval | None
    """Dollars of what of them has one, electricity as a rule; None where nothing has."""
    least: int
    """Instances that are kept however small the load is."""
    relative: Interval
    """Measured time of answers over that predicted."""
    sizes: Sizes
    """Of what machines are made on the same accelerator, for this load and for others."""
    kinds: tuple[Kind, ...]
    """The same, each at the cheapest seller that links as many."""
    every: tuple[Kind, ...] = ()
    """Those of all accelerators, where none was named."""
    offers: tuple[Offer, ...] = ()
    """Whoever sells the accelerator, in whatever tier; none where the price is the user's own."""

    def with_speed(self, factor: float) -> Own:
        """The same machines, each carrying `factor` times the requests; their number and bill stay."""
        kinds, every = (
            tuple(replace(kind, capacity=kind.capacity * factor) for kind in some) for some in (self.kinds, self.every)
        )
        unit = replace(self.unit, peak_rate=self.unit.peak_rate * factor)
        return replace(self, unit=unit, kinds=kinds, every=every)

    @property
    def step(self) -> float | None:
        """Dollars of one instance."""
        return None if self.dollars is None else self.dollars.likely / self.unit.count

    @property
    def use(self) -> float:
        """Requests over what the machines could carry all month."""
        return self.run.requests / (self.unit.capacity * self.unit.peak * self.unit.count)


def own_on(
    model: Any,
    on: str,
    *,
    asked: Mapping[str, Any],
    money: Mapping[str, Any],
    batch: float,
    coefficients: ServingCoefficients,
    level: float,
) -> Own:
    """Own machines as they were named: of a count, or as many as the load takes.

    :raises DoesNotFit: if the model does not fit, or that many do not carry the load.
    """
    name, count = read_on(on)
    counted = ":" in on
    question = relieved(ask_serving(model, on=on if counted else f"{name}:{LARGEST}", **asked), batch)
    sizes = sizes_of(question, coefficients, count if counted else None)
    offers = offers_on(question.accelerator, money)
    taken = list(_taken(sizes, offers))
    if not taken:
        raise _no(question, sizes, offers, coefficients, name)
    refused: DoesNotFit | None = None
    for unit, offer in taken:
        try:
            return _made(model, name, unit, offer, sizes, offers, asked, money, batch, coefficients, level)
        except DoesNotFit as error:  # the most that an instance carries is known to a ten-thousandth
            refused = refused or error
    assert refused is not None
    raise refused


def _taken(sizes: Sizes, offers: Sequence[Offer]) -> Iterator[tuple[Unit, Offer]]:
    """What is taken at each offer, the cheapest first."""
    found = list[tuple[float, float, int, Unit, Offer]]()
    for offer in offers:
        if (unit := sizes.taken(offer.most)) is not None:
            # What has no price here costs as much by the device as any other of its kind.
            dollars = unit.whole * (1.0 if offer.price is None else offer.price)
            found.append((dollars, -unit.count * unit.peak_rate, len(found), unit, offer))
    yield from ((unit, offer) for *_, unit, offer in sorted(found, key=lambda entry: entry[:3]))


def _no(
    question: ServingQuestion, sizes: Sizes, offers: Sequence[Offer], coefficients: ServingCoefficients, name: str
) -> DoesNotFit:
    """Why nothing is taken: it fits nowhere, nobody links as many, or that many do not carry the load."""
    if not sizes.units:
        served = serve(question, coefficients)
        if isinstance(served, Tried):
            return refusal(question, served, coefficients)
    linked = [unit for unit in sizes.units if any(unit.devices <= offer.most for offer in offers)]
    if sizes.units and not linked:
        least, largest = min(unit.devices for unit in sizes.units), max(offer.most for offer in offers)
        said = f"{offers[0].provider} links {largest} at most" if len(offers) == 1 else "nobody links as many"
        price = min(offer.price or 1.0 for offer in offers)
        return DoesNotFit(
            f"an instance takes {least:,} × {question.accelerator.name} that are linked, and {said}",
            hint=f"name another `--provider`, or take your own word for the links: `--on {name} --price {price:g}`",
        )
    count = question.devices
    most = max((unit.count * unit.peak_rate for unit in linked), default=0.0)
    said = f": with room to spare {rate_words(most)} at most, and {rate_words(sizes.rate)} come" if most else ""
    enough = f"{name}:{-(-count * sizes.rate // most):.0f}" if most else name
    return DoesNotFit(
        f"{count} × {question.accelerator.name} {'does' if count == 1 else 'do'} not carry the load{said}",
        hint=f"write `--on {enough}`, or `--on {name}` for as many as it takes",
    )


def _made(
    model: Any,
    name: str,
    unit: Unit,
    offer: Offer,
    sizes: Sizes,
    offers: Sequence[Offer],
    asked: Mapping[str, Any],
    money: Mapping[str, Any],
    batch: float,
    coefficients: ServingCoefficients,
    level: float,
) -> Own:
    """The machines as they run and are paid for."""
    question = ask_serving(model, on=f"{name}:{unit.whole}", **asked, layout=unit.layout, replicas=unit.count)
    assumed = [
        Assumption(
            "layout",
            value=f"{unit.count:,} × {unit.layout}",
            why="carries the load for the least" if len(sizes.units) > 1 else "carries the load",
        )
    ]
    if unit.step_tokens != int(question.engine.chunk_tokens):
        question = ask_serving(
            model,
            on=f"{name}:{unit.whole}",
            **asked,
            layout=unit.layout,
            replicas=unit.count,
            step_tokens=unit.step_tokens,
        )
        assumed.append(
            Assumption(
                "tokens of a step",
                value=f"{unit.step_tokens:,} at most",
                why="an instance carries more so than with what its engine takes unless told (`--step-tokens`)",
            )
        )
    question = relieved(replace(question, assumed=(*question.assumed, *assumed)), batch)
    own = _priced(question, unit, offer, sizes, money, coefficients, level)
    if own.step is None:
        return own
    each = own.step / unit.devices if offer.price is None else None
    listed = own.run.terms.choice is not None
    return replace(
        own,
        kinds=sizes.kinds((offer,) if sizes.counted else offers, month=each),
        offers=every_offer(question.accelerator, money) if listed else (),
    )


def cheapest(
    model: Any,
    *,
    asked: Mapping[str, Any],
    money: Mapping[str, Any],
    batch: float,
    coefficients: ServingCoefficients,
    level: float,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Own, ...]:
    """The cheapest machines of each accelerator that somebody rents out, cheapest first; of the first, `kinds` are those of all.

    :raises InputError: if the question is refused on all of them.
    :raises DoesNotFit: if none of them serves the load.
    """
    last, refused, failed = list[ServingQuestion](), list[InputError](), list[InputError | DoesNotFit]()
    found, every = list[tuple[float, Unit, Offer, Sizes, tuple[Offer, ...]]](), list[Kind]()
    chips = list(rentable(money))
    if not chips:
        raise nobody_lists(money)
    for place, chip in enumerate(chips):
        if progress is not None:
            progress(place, len(chips))
        try:
            question = relieved(ask_serving(model, on=f"{chip.name}:{LARGEST}", **asked), batch)
            offers = offers_on(chip, money)
            sizes = sizes_of(question, coefficients, None)
        except InputError as error:
            refused.append(error)
            continue
        if not runs(format_for(question.weights.name), chip, question.engine):
            continue  # it would widen weights before each product: nobody takes that unless named
        last.append(question)
        for unit, offer in list(_taken(sizes, offers))[:1]:
            price = catalog.price_for(chip, None, offer.tier).likely if offer.price is None else offer.price
            found.append((price * unit.whole, unit, offer, sizes, offers))
            every += sizes.kinds(offers, month=price * HOURS_PER_MONTH if offer.price is None else None)
    if progress is not None:
        progress(len(chips), len(chips))
    if not found:
        raise _nothing(model, last, refused, coefficients)
    made: list[Own] = []
    for _, unit, offer, sizes, offers in sorted(found, key=lambda entry: entry[0]):
        try:
            made.append(_made(model, unit.chip, unit, offer, sizes, offers, asked, money, batch, coefficients, level))
        except (DoesNotFit, InputError) as error:
            failed.append(error)
            continue
        if len(made) == _SHOWN:
            break
    if not made:
        raise failed[0]
    return tuple(replace(own, every=() if place else tuple(every)) for place, own in enumerate(made))


def _nothing(
    model: object,
    questions: Sequence[ServingQuestion],
    refused: Sequence[InputError],
    coefficients: ServingCoefficients,
) -> InputError | DoesNotFit:
    """Why no accelerator serves the load."""
    limits = {name: float(getattr(one.objectives, name)) for one in questions for name in one.objectives.stated}
    near = [
        quickest(one, coefficients, domain=domain_of(one), most=min(one.devices, together(one.accelerator)))
        for one in (questions if limits else ())
    ]
    name = questions[0].architecture.name if questions else str(model)
    return nothing(name, [entry for entry in near if entry is not None], limits, () if questions else refused)


def rentable(money: Mapping[str, Any]) -> Iterator[Accelerator]:
    """Accelerators that a plan looks at, with a price of the tier and the seller asked for."""
    try:
        wanted = ask_plan(
            on=None,
            count=None,
            providers=money.get("provider"),
            tiers=money.get("tier"),
            goal=None,
            under=None,
            within=None,
            carbon=None,
            have=None,
            without=None,
            priced=False,
            bought=False,
        )
    except UnknownName:
        raise
    except InputError:
        return
    yield from (catalog.accelerator(name) for name in wanted.machines)


def together(chip: Accelerator) -> int:
    """How many of a chip are linked at most, as sellers list them; of chips for servers, whole servers are joined to more."""
    largest = int(max((listing.devices for listing in catalog.prices(chip)), default=1.0))
    joined = largest >= _SERVER and chip.category == "datacenter-gpu"
    return MOST_DEVICES if joined else largest


def relieved(question: ServingQuestion, batch: float) -> ServingQuestion:
    """The question with requests that may wait moved into quiet hours: the busiest one has only the others."""
    peak = max((1.0 - batch) * question.demand.peak, 1.0)
    return replace(question, demand=replace(question.demand, peak=peak))


def _priced(
    question: ServingQuestion,
    unit: Unit,
    offer: Offer,
    sizes: Sizes,
    money: Mapping[str, Any],
    coefficients: ServingCoefficients,
    level: float,
) -> Own:
    from outlay.scenarios.serving.cost import assumed_of  # beside it, not below: it answers with the same run
    from outlay.scenarios.serving.lines import lines_of
    from outlay.statement.line import total

    terms = agree(question, data=None, checkpoints=0, lost_work=None, **{**money, "provider": offer.provider})
    served = serve(question, coefficients)
    if isinstance(served, Tried):
        raise refusal(question, served, coefficients)
    run = ServingRun(
        question=question,
        served=served,
        terms=terms,
        coefficients=coefficients,
        fitted_on=serving_receipts(coefficients),
    )
    relative = Interval.of(1.0)
    if coefficients == load_serving():  # nobody knows how far others are off
        ranges = relative_ranges(question, level)
        run, relative = replace(run, relative=ranges, level=level), ranges["answers"]
    run = replace(run, assumed=assumed_of(run))
    known = total(lines_of(run))
    return Own(
        run=run,
        unit=unit,
        dollars=None if terms.price is None else known,
        at_least=known,
        least=unit.count if sizes.counted else 1,
        relative=relative,
        sizes=sizes,
        kinds=(),
    )
