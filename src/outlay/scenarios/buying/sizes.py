"""The sizes of instances of which machines of one kind can be made for a load, and which is taken at whose price."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.economics import HOURS_PER_MONTH
from outlay.layout import Layout
from outlay.scenarios.buying.no import LEAST_RATE
from outlay.scenarios.serving.question import ServingQuestion
from outlay.scenarios.serving.ways import layout_words
from outlay.scenarios.serving_plan.candidates import LARGEST
from outlay.scenarios.serving_plan.offers import Offer
from outlay.serving import Load, ServingCoefficients
from outlay.serving.choose import carried
from outlay.serving.layouts import layouts_of

SECONDS = HOURS_PER_MONTH * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The instance of which machines of one kind are made for a load: what one carries, and how many the load takes."""

    chip: str
    devices: int
    """Of one instance."""
    layout: str
    """As it is typed after `--layout`."""
    step_tokens: int
    """Most tokens of a step with which it carries the most."""
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

    @property
    def whole(self) -> int:
        """Devices of all instances."""
        return self.devices * self.count


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
class Sizes:
    """Instances of one accelerator, one of each size: that which carries the most."""

    units: tuple[Unit, ...]
    rate: float
    """Requests a second of the busiest hour."""
    counted: bool
    """Somebody said how many devices there are, and that many are kept."""

    def taken(self, most: int) -> Unit | None:
        """The instances that carry the load with the fewest devices where `most` are linked; of as many devices, those that
        carry the most; of these, the smaller. None where none does."""
        linked = [unit for unit in self.units if unit.devices <= most]
        if self.counted:
            linked = [unit for unit in linked if unit.count * unit.peak_rate >= self.rate * (1.0 - 1e-12)]
        return min(linked, key=lambda unit: (unit.whole, -unit.count * unit.peak_rate, unit.devices), default=None)

    def kinds(self, offers: Iterable[Offer], *, month: float | None = None) -> tuple[Kind, ...]:
        """Of what machines can be made for any load, each at the cheapest offer that links as many; the one that is taken
        where devices are counted. `month` is dollars of a device where the offer has none."""
        every, found = tuple(offers), list[Kind]()
        only = [self.taken(offer.most) for offer in every] if self.counted else self.units
        for unit in only:
            if unit is None:
                continue
            prices = [_month(offer, month) for offer in every if unit.devices <= offer.most]
            if prices:
                step = min(prices) * unit.devices
                found.append(Kind(chip=unit.chip, devices=unit.devices, capacity=unit.capacity, step=step))
        return tuple(dict.fromkeys(found))


def _month(offer: Offer, other: float | None) -> float:
    """Dollars of a device in a month."""
    if other is not None:
        return other
    assert offer.price is not None
    return offer.price * HOURS_PER_MONTH


def sizes_of(question: ServingQuestion, coefficients: ServingCoefficients, count: int | None) -> Sizes:
    """Of each size the instance that carries the most, of which the load takes so many, or of which `count` devices make so
    many; none where nothing fits."""
    demand = question.demand
    assert demand.rate is not None
    most = min(LARGEST, count or question.devices)
    layouts = layouts_of(question.architecture, question.engine, most=most, domain=domain_of(question)).layouts
    devices = np.asarray(layouts.devices, dtype=np.int64)
    rates, steps = _most(question, layouts, coefficients)
    rate = demand.rate * demand.peak
    needed = np.maximum(np.ceil(rate / np.maximum(rates, 1e-300) * (1.0 - 1e-12)), 1.0)
    counts = needed if count is None else count // devices
    order = np.lexsort((-rates, devices))
    _, first = np.unique(devices[order], return_index=True)
    units = tuple(
        Unit(
            chip=question.accelerator.name,
            devices=int(devices[place]),
            layout=layout_words(layouts.at(int(place))),
            step_tokens=int(steps[place]),
            peak_rate=float(rates[place]),
            peak=demand.peak,
            count=int(counts[place]),
        )
        for place in order[first]
        if rates[place] > 0 and (count is None or count % devices[place] == 0)
    )
    return Sizes(units=units, rate=rate, counted=count is not None)


def domain_of(question: ServingQuestion) -> int:
    """Devices that are linked as one."""
    domain, node = int(question.cluster.domain), int(question.cluster.node_size)
    return max(domain if domain > 1 else node, 1)


def _most(
    question: ServingQuestion, layouts: Layout, coefficients: ServingCoefficients
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The most requests a second of an instance in each layout, by what it sustains or by what keeps the objectives; and the
    tokens of a step with which it carries them."""
    demand = question.demand
    load = Load(input=demand.input, output=demand.output, rate=LEAST_RATE, cached=demand.cached)
    return carried(question.deployment(layouts), load, question.objectives, coefficients)
