"""The two bills of a month: answers that are bought, machines that are rented or owned; and where they cross."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from outlay.catalog.hosted import ApiPrice
from outlay.economics.api import Tariff, break_even
from outlay.scenarios.buying.own import Own
from outlay.scenarios.buying.question import Beside
from outlay.scenarios.buying.sizes import SECONDS, Kind
from outlay.scenarios.serving.demand import Demand
from outlay.statement import Interval

DAYS = SECONDS / 86_400.0
NO_MORE = 1.02
"""Loads within this factor of each other are shown as one."""
_LONGEST = 28
"""Columns that a name may take at the head of a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What one API asks for the load of a month."""

    price: ApiPrice
    same: bool
    """It serves the weights that are asked about."""
    request: Mapping[str, float]
    """Dollars of a mean request, by what they are paid for."""
    requests: float
    """Of a month."""

    @property
    def each(self) -> float:
        """Dollars of a request."""
        return math.fsum(self.request.values())

    @property
    def month(self) -> Interval:
        """Dollars; a range where hours of the day cost differently."""
        likely, (low, high) = self.each * self.requests, self.price.swing
        return Interval.exact(likely) if low == high else Interval.between(low * likely, likely, high * likely)

    @property
    def called(self) -> str:
        """What heads a column or a line: the seller where that says it, or where the rest would not fit."""
        return self.price.seller if self.same or len(self.price.short) > _LONGEST else self.price.short

    @property
    def serves(self) -> str:
        """What answers there, in words."""
        if not self.same:
            return "another"
        sold = sold_as(self.price)
        return f"the same{sold and f', as {sold}'}" + (f", in {self.price.format}" if self.price.format else "")


VARIANTS = ("instruct", "chat", "it", "turbo", "lite", "fast")
"""Words of a seller's name that tell weights apart which are alike in size: tuned further, cut or stored in fewer bits."""


def sold_as(price: ApiPrice) -> str:
    """What a seller adds to the name of the weights; "" where it adds nothing.

    >>> from outlay.catalog import hosted
    >>> import datetime
    >>> price = hosted.api_price("novita/meta-llama/llama-3-8b-instruct", tokens=1024, day=datetime.date(2026, 11, 26))
    >>> sold_as(price)
    'Instruct'
    """
    own = (price.weights or "").lower().split("-")
    words = price.model.rpartition("/")[2].lower().replace(":", "-").split("-")
    return "-".join(word.capitalize() for word in words if word in VARIANTS and word not in own)


def bill_of(price: ApiPrice, model: str, demand: Demand, *, batch: float) -> Bill:
    """The bill of one API for a load with a share `batch` of requests that may wait."""
    assert demand.rate is not None
    tariff = Tariff(
        input=price.input,
        output=price.output,
        cached=price.cached,
        batch_input=price.batch_input,
        batch_output=price.batch_output,
        batch_cached=price.batch_cached,
    )
    return Bill(
        price=price,
        same=price.weights == model,
        request=tariff.request(demand.input, demand.output, cached=demand.cached, batch=batch),
        requests=demand.rate * SECONDS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Requests of a month from which machines are cheaper than an API; None where they never are."""

    first: float | None
    lasting: float | None
    kind: Kind | None
    """Of what machines are that cross first."""

    @property
    def wavers(self) -> bool:
        """One more machine makes machines dearer again, for a while."""
        return self.first is not None and (self.lasting is None or self.lasting > NO_MORE * self.first)


def crossing(
    own: Own, bill: Bill, beside: Beside, *, kinds: tuple[Kind, ...] | None = None, least: int | None = None
) -> Crossing:
    """Where the bills cross, with what was said to come with either, for machines of `kinds` of which `least` are kept; of all
    that may be taken unless told.

    Machines are of the kind that is the first to cross, and of that which crosses for good with the least load, so that the
    load that was asked about has no say; those that were counted (`--on l4:2`) stay, and more come as they are.
    """
    kinds = kinds if kinds is not None else own.every or own.kinds
    if own.step is None or not bill.each or not kinds:
        return Crossing(first=None, lasting=None, kind=None)
    found = break_even(
        [kind.step for kind in kinds],
        [kind.capacity for kind in kinds],
        bill.each,
        fixed=beside.of_own - beside.of_api,
        least=own.least if least is None else least,
    )
    place = int(np.lexsort((found.lasting, found.first))[0])
    first, lasting = float(found.first[place]), float(found.lasting.min())
    return Crossing(
        first=first if math.isfinite(first) else None,
        lasting=lasting if math.isfinite(lasting) else None,
        kind=kinds[place] if math.isfinite(first) else None,
    )


def spread(own: Own, bill: Bill, beside: Beside) -> Interval:
    """The first crossing, with machines as fast and as slow as measured ones were; of unknown range where slow ones never
    become cheaper."""
    likely = crossing(own, bill, beside).first
    assert likely is not None
    low, high = own.relative.low, own.relative.high
    if low is None or high is None:
        return Interval.of(likely)
    fast, slow = (crossing(own.with_speed(1.0 / ratio), bill, beside).first for ratio in (low, high))
    if fast is None or slow is None:
        return Interval.of(likely)
    return Interval.between(min(fast, likely), likely, max(slow, likely))


def dearer_anyway(own: Own, bill: Bill, beside: Beside) -> bool:
    """Whether what is known of the machines' bill is more than all of the API's: no price makes them the cheaper ones."""
    return own.at_least is not None and own.at_least.likely + beside.of_own > bill.month.likely + beside.of_api


def reference(bills: tuple[Bill, ...]) -> Bill:
    """The bill that machines are held against: the cheapest of the same model, of others only where there is none."""
    return min(bills, key=lambda bill: (not bill.same, bill.month.likely))


def labels(bills: tuple[Bill, ...]) -> dict[str, str]:
    """What each API is called in a table, by its name: its seller where that is enough, else with the model there."""
    sellers = [bill.price.seller for bill in bills if bill.same]
    alone = {seller for seller in sellers if sellers.count(seller) == 1}
    return {
        bill.price.name: bill.price.seller if bill.same and bill.price.seller in alone else bill.price.short
        for bill in bills
    }


def one_each(bills: tuple[Bill, ...]) -> tuple[Bill, ...]:
    """The cheapest bill of each seller in each format, where a seller has the same model several times."""
    kept: dict[tuple[str, str, bool], Bill] = {}
    for bill in sorted(bills, key=lambda bill: bill.month.likely):
        kept.setdefault(
            (bill.price.seller, bill.price.format, bill.same) if bill.same else (bill.price.name, "", False), bill
        )
    return tuple(kept.values())
