"""Machines of one's own for a load: which, how many, what they cost a month, and what one more carries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
LARGE = 1000.0
"""Times the load that show which machines are cheapest when all of them are full."""
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
class Many:
    """The instance that carries a load of :data:`LARGE` times the one asked about for the least dollars."""

    unit: Unit
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
    many: Many | None = None
    """What carries a much larger load for the least, where any accelerator may be taken."""

    def with_speed(self, factor: float) -> Own:
        """The same machines, each carrying `factor` times the requests; their number and bill stay."""
        return replace(self, unit=replace(self.unit, peak_rate=self.unit.peak_rate * factor))

    @property
    def step(self) -> float | None:
        """Dollars of one instance."""
        return None if self.dollars is None else self.dollars.likely / self.unit.count

    @property
    def use(self) -> float:
        """Requests over what the machines could carry all month."""
        return self.run.requests / (self.unit.capacity * self.unit.peak * self.unit.count)


def unit_of(question: ServingQuestion, coefficients: ServingCoefficients, count: int | None) -> Unit | None:
    """The instance with which the load takes the fewest devices, or with which `count` devices carry the most; None where
    nothing fits."""
    found = units_of(question, coefficients, count, loads=(1.0,))
    return found[0] if found else None


def units_of(
    question: ServingQuestion, coefficients: ServingCoefficients, count: int | None, *, loads: Sequence[float]
) -> list[Unit]:
    """The same for the load times each of `loads`."""
    demand = question.demand
    assert demand.rate is not None
    layouts = layouts_of(
        question.architecture, question.engine, most=count or question.devices, domain=_domain(question)
    ).layouts
    devices = np.asarray(layouts.devices, dtype=np.int64)
    rates = _most(question, layouts, coefficients)
    if not (rates > 0).any():
        return []
    found = []
    for times in loads:
        need = times * demand.rate * demand.peak
        needed = np.maximum(np.ceil(need / np.maximum(rates, 1e-300) * (1.0 - 1e-12)), 1.0)
        counts = needed if count is None else count // devices
        score = counts * devices if count is None else -(counts * rates)
        total = np.where(rates > 0, score, np.inf)
        # Of as many devices, the instance that carries the most of it; of that, the smaller one.
        place = int(np.lexsort((devices, -rates / devices, total))[0])
        found.append(
            Unit(
                chip=question.accelerator.name,
                devices=int(devices[place]),
                peak_rate=float(rates[place]),
                peak=demand.peak,
                count=int(counts[place]),
            )
        )
    return found


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
        known = unit_of(question, coefficients, count)
        served = serve(question, coefficients)
        if isinstance(served, Tried) or known is None:
            raise (
                refusal(question, served, coefficients)
                if isinstance(served, Tried)
                else DoesNotFit(
                    f"{count} × {question.accelerator.name} {'does' if count == 1 else 'do'} not carry the load",
                    hint=f"write `--on {name}`",
                )
            )
        return _priced(question, known, known.count, money, coefficients, level)
    unit: Unit | None = None
    for size in _SIZES:
        question = relieved(ask_serving(model, on=f"{name}:{size}", **asked), batch)
        if (unit := unit_of(question, coefficients, None)) is not None:
            break
    if unit is None:
        served = serve(question, coefficients)
        assert isinstance(served, Tried)
        raise refusal(question, served, coefficients)
    question = relieved(ask_serving(model, on=f"{name}:{unit.devices * unit.count}", **asked), batch)
    return _priced(question, unit, 1, money, coefficients, level)


def cheapest(
    model: Any,
    *,
    asked: Mapping[str, Any],
    money: Mapping[str, Any],
    batch: float,
    coefficients: ServingCoefficients,
    level: float,
) -> tuple[Own, ...]:
    """The cheapest machines of each accelerator that somebody rents out, cheapest first.

    :raises InputError: if the question is refused on all of them.
    :raises DoesNotFit: if none of them serves the load.
    """
    units, last, refused, many = [], list[ServingQuestion](), list[InputError](), list[Many]()
    chips = list(rentable(money))
    if not chips:
        raise nobody_lists(money)
    for chip in chips:
        for size in _SIZES:
            try:
                question = relieved(ask_serving(model, on=f"{chip.name}:{size}", **asked), batch)
                price = catalog.price_for(chip, money.get("provider"), money.get("tier") or "on-demand").likely
            except InputError as error:
                refused.append(error)
                break
            last = [entry for entry in last if entry.accelerator != chip] + [question]
            both = units_of(question, coefficients, None, loads=(1.0, LARGE))
            for unit in both[1:]:
                if linked(chip, unit.devices):
                    many.append(Many(unit=unit, step=price * unit.devices * HOURS_PER_MONTH))
            if both and linked(chip, both[0].devices):
                units.append((price * both[0].devices * both[0].count, both[0]))
                break
    if not units:
        raise _nothing(model, last, refused, coefficients)
    made: list[Own] = []
    failed: InputError | DoesNotFit | None = None
    for _, unit in sorted(units, key=lambda entry: entry[0]):
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
    most = min(many, key=lambda entry: entry.step * entry.unit.count, default=None)
    return tuple(replace(own, many=most) for own in made)


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

    terms = agree(question, data=None, checkpoints=0, lost_work=None, **money)
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
