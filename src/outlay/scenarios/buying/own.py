"""Machines of one's own for a load: which, how many, what they cost a month, and what one more carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay import catalog, economics
from outlay.catalog import Accelerator
from outlay.economics import HOURS_PER_MONTH
from outlay.errors import DoesNotFit, InputError
from outlay.layout import Layout
from outlay.scenarios.buying.no import LEAST_RATE, nobody_lists, nothing, quickest
from outlay.scenarios.buying.sellers import cheapest_seller
from outlay.scenarios.named import MOST_DEVICES, read_on
from outlay.scenarios.serving.fit import serve
from outlay.scenarios.serving.provenance import serving_receipts
from outlay.scenarios.serving.question import ServingQuestion, ask_serving
from outlay.scenarios.serving.ranged import relative_ranges
from outlay.scenarios.serving.refusal import refusal
from outlay.scenarios.serving.run import ServingRun
from outlay.scenarios.serving.ways import Tried
from outlay.scenarios.terms import agree
from outlay.serving import Load, ServingCoefficients, load_serving
from outlay.serving.choose import carried
from outlay.serving.layouts import layouts_of
from outlay.statement import Interval

SECONDS = HOURS_PER_MONTH * 3600.0
_SIZES = (8, 32)
"""Devices of which an instance is looked for: one server, then several where the model is too large for it."""
_SHOWN = 5
_SERVER = 8
RENTED = ("datacenter-gpu", "workstation-gpu")
"""Categories that `any` looks at: makers of cards for games do not license them for servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The instance of which machines of one kind are made for a load: what one carries, and how many the load takes."""

    chip: str
    devices: int
    """Of one instance."""
    peak_rate: float
    """Requests a second of one instance at most, within its objectives."""
    peak: float
    """The busiest hour over the mean."""
    count: int
    """Instances for the load."""

    @property
    def capacity(self) -> float:
        """Requests of a month that one instance carries, its busiest hour full."""
        return self.peak_rate / self.peak * SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A size of instance of which machines can be made, whatever the load."""

    chip: str
    devices: int
    """Of one instance."""
    capacity: float
    """Requests of a month that one carries, its busiest hour full."""
    step: float
    """Dollars of a month of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A month of machines: the run that answers, its unit, and what all of them cost without people."""

    run: ServingRun
    unit: Unit
    dollars: Interval | None
    """None where the machines have no price."""
    least: int
    """Instances that are kept however small the load is."""
    relative: Interval = field(default_factory=lambda: Interval.of(1.0))
    """Measured time of answers over that predicted."""
    kinds: tuple[Kind, ...] = ()
    """Of what machines for other loads would be made, each as many as the load takes."""

    def with_speed(self, factor: float) -> Own:
        """The same machines, each carrying `factor` times the requests; their number and bill stay."""
        kinds = tuple(replace(kind, capacity=kind.capacity * factor) for kind in self.kinds)
        return replace(self, unit=replace(self.unit, peak_rate=self.unit.peak_rate * factor), kinds=kinds)

    @property
    def step(self) -> float | None:
        """Dollars of one instance."""
        return None if self.dollars is None else self.dollars.likely / self.unit.count

    @property
    def use(self) -> float:
        """Requests over what the machines could carry all month."""
        return self.run.requests / (self.unit.capacity * self.unit.peak * self.unit.count)


def units_of(question: ServingQuestion, coefficients: ServingCoefficients, count: int | None) -> list[Unit]:
    """Instances of each size: first that with which the load takes the fewest devices, or with which `count` devices carry the
    most; none where nothing fits."""
    demand = question.demand
    assert demand.rate is not None
    layouts = layouts_of(
        question.architecture, question.engine, most=count or question.devices, domain=_domain(question)
    ).layouts
    devices = np.asarray(layouts.devices, dtype=np.int64)
    rates = _most(question, layouts, coefficients)
    needed = np.maximum(np.ceil(demand.rate * demand.peak / np.maximum(rates, 1e-300) * (1.0 - 1e-12)), 1.0)
    counts = needed if count is None else count // devices
    score = counts * devices if count is None else -(counts * rates)
    total = np.where(rates > 0, score, np.inf)
    # Of as many devices, the instance that carries the most of it; of that, the smaller one.
    order = np.lexsort((devices, -rates / devices, total))
    _, first = np.unique(devices[order], return_index=True)
    return [
        Unit(
            chip=question.accelerator.name,
            devices=int(devices[place]),
            peak_rate=float(rates[place]),
            peak=demand.peak,
            count=int(counts[place]),
        )
        for place in order[np.sort(first)]
        if rates[place] > 0
    ]


def kinds_of(units: Sequence[Unit], dollars: Mapping[int, float]) -> tuple[Kind, ...]:
    """The sizes of instances where a device of each takes so many dollars in a month."""
    return tuple(
        Kind(chip=unit.chip, devices=unit.devices, capacity=unit.capacity, step=dollars[unit.devices] * unit.devices)
        for unit in units
    )


def _domain(question: ServingQuestion) -> int:
    """Devices that are linked as one."""
    domain, node = int(question.cluster.domain), int(question.cluster.node_size)
    return max(domain if domain > 1 else node, 1)


def _most(question: ServingQuestion, layouts: Layout, coefficients: ServingCoefficients) -> NDArray[np.float64]:
    """The most requests a second of an instance in each layout: what it sustains, or what keeps the objectives."""
    demand = question.demand
    load = Load(input=demand.input, output=demand.output, rate=LEAST_RATE, cached=demand.cached)
    return carried(question.deployment(layouts), load, question.objectives, coefficients)


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
    if ":" in on:
        question = relieved(ask_serving(model, on=on, **asked), batch)
        known = units_of(question, coefficients, count)
        served = serve(question, coefficients)
        if isinstance(served, Tried) or not known:
            raise (
                refusal(question, served, coefficients)
                if isinstance(served, Tried)
                else DoesNotFit(
                    f"{count} × {question.accelerator.name} {'does' if count == 1 else 'do'} not carry the load",
                    hint=f"write `--on {name}`",
                )
            )
        return _priced(question, known[0], known[0].count, money, coefficients, level)
    units: list[Unit] = []
    for size in _SIZES:
        question = relieved(ask_serving(model, on=f"{name}:{size}", **asked), batch)
        if units := units_of(question, coefficients, None):
            break
    if not units:
        served = serve(question, coefficients)
        assert isinstance(served, Tried)
        raise refusal(question, served, coefficients)
    unit = units[0]
    question = relieved(ask_serving(model, on=f"{name}:{unit.devices * unit.count}", **asked), batch)
    own = _priced(question, unit, 1, money, coefficients, level)
    if own.step is None:
        return own
    chip, asked_for = question.accelerator, {**money, "tier": own.run.terms.tier}
    listed = own.run.terms.choice is not None
    ask = {one.devices: _price(chip, one.devices, asked_for) if listed else 1.0 for one in units}
    each = own.step / unit.devices / ask[unit.devices]  # other sizes may be linked by others
    return replace(own, kinds=kinds_of(units, {size: each * price for size, price in ask.items()}))


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
    found, last, refused, kinds = [], list[ServingQuestion](), list[InputError](), dict[str, tuple[Kind, ...]]()
    chips = list(rentable(money))
    if not chips:
        raise nobody_lists(money)
    for place, chip in enumerate(chips):
        if progress is not None:
            progress(place, len(chips))
        for size in _SIZES:
            try:
                question = relieved(ask_serving(model, on=f"{chip.name}:{size}", **asked), batch)
                units = [unit for unit in units_of(question, coefficients, None) if linked(chip, unit.devices)]
                prices = {unit.devices: _price(chip, unit.devices, money) for unit in units}
                month = {size: price * HOURS_PER_MONTH for size, price in prices.items()}
            except InputError as error:
                refused.append(error)
                break
            last = [entry for entry in last if entry.accelerator != chip] + [question]
            if units:
                unit = units[0]
                found.append((prices[unit.devices] * unit.devices * unit.count, unit))
                kinds[chip.name] = kinds_of(units, month)
                break
    if progress is not None:
        progress(len(chips), len(chips))
    if not found:
        raise _nothing(model, last, refused, coefficients)
    made: list[Own] = []
    failed: InputError | DoesNotFit | None = None
    for _, unit in sorted(found, key=lambda entry: entry[0]):
        try:
            question = relieved(ask_serving(model, on=f"{unit.chip}:{unit.devices * unit.count}", **asked), batch)
            made.append(_priced(question, unit, 1, money, coefficients, level))
        except (DoesNotFit, InputError) as error:
            failed = failed or error
            continue
        if len(made) == _SHOWN:
            break
    if not made and failed is not None:
        raise failed
    every = tuple(kind for some in kinds.values() for kind in some)
    return tuple(replace(own, kinds=kinds[own.unit.chip] if place else every) for place, own in enumerate(made))


def _nothing(
    model: object,
    questions: Sequence[ServingQuestion],
    refused: Sequence[InputError],
    coefficients: ServingCoefficients,
) -> InputError | DoesNotFit:
    """Why no accelerator serves the load."""
    limits = {name: float(getattr(one.objectives, name)) for one in questions for name in one.objectives.stated}
    near = [
        quickest(one, coefficients, domain=_domain(one), most=min(one.devices, together(one.accelerator)))
        for one in (questions if limits else ())
    ]
    name = questions[0].architecture.name if questions else str(model)
    return nothing(name, [entry for entry in near if entry is not None], limits, () if questions else refused)


def rentable(money: Mapping[str, Any]) -> Iterator[Accelerator]:
    """Accelerators for servers with a price of the tier and the seller asked for."""
    tier = str(money.get("tier") or "on-demand").strip().lower()
    for chip in catalog.accelerators():
        if chip.category in RENTED and catalog.prices(chip, money.get("provider"), tier):
            yield chip


def _price(chip: Accelerator, devices: int, money: Mapping[str, Any]) -> float:
    """Dollars of a device-hour where so many are linked."""
    seller = cheapest_seller(chip, devices, money)
    return catalog.price_for(chip, seller, money.get("tier") or "on-demand").likely


def linked(chip: Accelerator, devices: int) -> bool:
    """Whether somebody lists as many of a chip together."""
    return devices <= together(chip)


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
    least: int,
    money: Mapping[str, Any],
    coefficients: ServingCoefficients,
    level: float,
) -> Own:
    from outlay.scenarios.serving.cost import assumed_of  # beside it, not below: it answers with the same run
    from outlay.scenarios.serving.lines import lines_of
    from outlay.statement.line import total

    seller = cheapest_seller(question.accelerator, unit.devices, money)
    terms = agree(question, data=None, checkpoints=0, lost_work=None, **{**money, "provider": seller})
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
    dollars = None if terms.price is None else total(lines_of(run))
    return Own(run=run, unit=unit, dollars=dollars, least=least, relative=relative)


def month_at(own: Own, price: float) -> float:
    """Dollars of a month of the same machines at another price of a device-hour."""
    return float(economics.cost(own.run.device_hours * 3600.0, price))
