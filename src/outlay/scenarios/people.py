"""Who keeps machines running: hours of a month with their price, or dollars, as somebody says them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from outlay import units
from outlay.errors import InputError
from outlay.statement import Interval, Line, Receipt

_PEOPLE = re.compile(
    r"(?P<hours>[0-9][0-9.,]*)\s*h(ours)?\s*(/|per|a)\s*(?P<period>day|week|month|year):\s*(?P<rate>.+)", re.I
)
_A_MONTH = {"day": 365.25 / 12, "week": 365.25 / 12 / 7, "month": 1.0, "year": 1 / 12}


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Hours of a month and what one costs; one hour of all of it where only dollars were said."""

    quantity: float
    unit: str
    dollars: float
    """Of one unit."""
    receipt: Receipt

    @property
    def month(self) -> float:
        return self.quantity * self.dollars

    @property
    def line(self) -> Line:
        """What they cost, on a bill."""
        return Line(
            "People",
            key="beside.people",
            quantity=Interval.exact(self.quantity),
            unit=self.unit,
            unit_price=Interval.exact(self.dollars),
            basis="yours",
            receipts=(self.receipt,),
        )


def people_of(text: str | float, *, unit: str, example: str) -> People:
    """Dollars of people for one `unit` of whatever is paid: a month, a whole run.

    >>> people_of("120k", unit="team", example="120k").dollars
    120000.0
    """
    dollars = units.parse(text, "$", name="--people", zero=True, example=example)
    receipt = Receipt(dollars, unit="$", source="--people", date="", basis="yours")
    return People(quantity=1.0, unit=unit, dollars=dollars, receipt=receipt)


def read_people(text: str | float) -> People:
    """Hours with their price, or dollars of a month.

    >>> read_people("40h/month:$90").month, read_people("12h/week:$90").unit, read_people("3k").month
    (3600.0, 'h', 3000.0)
    """
    words = str(text).strip()
    if (match := _PEOPLE.fullmatch(words)) is None:
        try:
            return people_of(text, unit="month", example="3k")
        except InputError as error:
            if isinstance(text, int | float) or (any(sign.isdigit() for sign in words) and "h" not in words.lower()):
                raise error
            raise InputError(
                f"`--people` is {words[:40] or 'empty'}",
                expected="hours of a month and the price of one, or dollars of a month",
                hint="write `--people '40h/month:$90'`, or `--people 3k`",
            ) from error
    hours = units.parse(match["hours"], "", name="--people", zero=True, example="40h/month:$90")
    rate = units.parse(match["rate"], "$", name="--people", zero=True, example="40h/month:$90")
    receipt = Receipt(words, unit="", source="--people", date="", basis="yours")
    return People(quantity=hours * _A_MONTH[match["period"].lower()], unit="h", dollars=rate, receipt=receipt)
