"""Facts with their receipts as tables: one row a figure, and how old it is."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping

from outlay.scenarios.today import today
from outlay.statement import Cell, Column, Figure, Interval, Receipt, Table

SHOWN = {"kg CO₂e/kWh": "kg CO2e/kWh"}
"""Units of receipts → those that `units` can show."""


def age(date: str, day: datetime.date | None = None) -> str:
    """How old a date is, in days; of a month or a year, at most.

    >>> age("2026-05-24", datetime.date(2026, 5, 25)), age("2026", datetime.date(2026, 3, 2)), age("")
    ('1 d', '≤ 60 d', 'undated')
    """
    if not date:
        return "undated"
    from outlay.catalog import age_days

    days = age_days(date, day or today())
    return f"{days} d" if len(date) == len("2026-05-24") else f"≤ {days} d"


def detail(
    title: str, plain: Mapping[str, Cell], receipts: Mapping[str, Receipt], *, notes: Iterable[str] = ()
) -> Table:
    """One thing: facts without a source first, then each figure with its source, date, age and basis."""
    rows: list[tuple[Cell, ...]] = [
        (name, value, "", "", "") for name, value in plain.items() if value not in (None, "")
    ]
    for name, receipt in receipts.items():
        rows.append((name.replace("_", " "), value_of(receipt), receipt.basis, age(receipt.date), receipt.source))
    return Table(
        title,
        columns=("Fact", Column("Value", digits=4), "Basis", "Age", "Source"),
        rows=rows,
        notes=tuple(note for note in notes if note),
    )


def value_of(receipt: Receipt) -> Cell:
    """The figure of a receipt with its unit; text as it is."""
    value = receipt.value
    if isinstance(value, int | float) and not isinstance(value, bool) and receipt.unit:
        return Figure(Interval.exact(value), unit=SHOWN.get(receipt.unit, receipt.unit))
    return value
