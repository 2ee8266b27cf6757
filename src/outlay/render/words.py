"""What every format says alike: the first sentence, the rows of the lines, the cells of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from outlay.statement import Cell, Column, Figure, Interval, Line, Statement, Table
from outlay.units import UNITS, format_money, format_number, format_quantity

MISSING, UNKNOWN = "–", "?"
_WHOLE_DOLLARS_FROM = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line as it is shown; `branch` is its place in the tree (`├─ `), `trunk` what goes on below it (`│  `)."""

    line: Line | None
    branch: str
    trunk: str
    name: str
    quantity: str
    unit: str
    price: str
    amount: str
    basis: str


LINE_HEADINGS = ("Line", "Quantity", "Unit", "At", "Amount", "Basis")


def headline(statement: Statement) -> str:
    """The answer in one sentence: dollars, then each figure without a label."""
    parts = [*_dollars(statement)]
    parts += [spoken(figure.value, figure.unit, digits=2) for figure in statement.answer.values() if not figure.label]
    return " · ".join(parts)


def labelled(statement: Statement) -> str:
    """The figures that have a label, in one sentence."""
    return " · ".join(
        f"{figure.label} {spoken(figure.value, figure.unit)}" for figure in statement.answer.values() if figure.label
    )


def _dollars(statement: Statement) -> Iterator[str]:
    total = statement.total
    if not statement.lines:
        return
    if total.amount is None:
        yield "Not priced"
        return
    words = f"At least {format_money(total.amount.likely)}" if total.at_least else format_money(total.amount.likely)
    if unpriced := not_priced(statement):
        words = f"{unpriced} not priced; the rest at least {format_money(total.amount.likely)}"
    if total.amount.has_range and total.amount.low is not None and total.amount.high is not None:
        share = f"{statement.coverage * 100:.0f} % range" if statement.coverage is not None else "range"
        of = " of the priced lines" if total.at_least else ""
        words += f" ({share}{of}: {format_money(total.amount.low)} to {format_money(total.amount.high)})"
    yield words


def not_priced(statement: Statement) -> str:
    """The name of the accelerators' line if it has no price: what is left says little of the whole."""
    return next((line.name for line in statement.lines if line.key == "accelerators" and line.amount is None), "")


def spoken(value: Interval, unit: str, *, digits: int = 3) -> str:
    """A figure, with its range if there is one."""
    words = format_quantity(value.likely, unit, digits=digits)
    if value.has_range and value.low is not None and value.high is not None:
        low, high = (format_quantity(bound, unit, digits=digits) for bound in (value.low, value.high))
        words += f" ({low} to {high})"
    return words


def line_rows(statement: Statement) -> list[Row]:
    """The lines as rows, parents before children."""
    amounts = [abs(amount.likely) for line in statement.walk() if (amount := line.amount) is not None]
    whole = max(amounts, default=0.0) >= _WHOLE_DOLLARS_FROM
    return [row for line in statement.lines for row in _rows(line, "", "", whole=whole)]


def total_row(statement: Statement) -> Row:
    """The last row: the total, or *At least*."""
    total = statement.total
    whole = total.amount is not None and abs(total.amount.likely) >= _WHOLE_DOLLARS_FROM
    amount = MISSING if total.amount is None else dollars(total.amount.likely, whole=whole)
    name = "At least" if total.at_least and total.amount is not None else "Total"
    if unpriced := not_priced(statement):
        name = f"Without {unpriced.lower()}, at least" if total.amount is not None else name
    basis = "missing" if total.amount is None else ""
    return Row(
        line=None, branch="", trunk="", name=name, quantity="", unit="", price="", amount=amount, basis=basis
    )  # fmt: skip


def _rows(line: Line, branch: str, trunk: str, *, whole: bool) -> Iterator[Row]:
    amount = MISSING if line.amount is None else dollars(line.amount.likely, whole=whole)
    parent = bool(line.children)
    below = f"{trunk}│  " if parent else trunk
    yield Row(
        line=line,
        branch=branch,
        trunk=below if parent and branch else trunk,
        name=line.name,
        quantity="" if parent else UNKNOWN if line.quantity is None else format_number(line.quantity.likely),
        unit=line.unit,
        price="" if parent else MISSING if line.unit_price is None else unit_price(line.unit_price.likely),
        amount=amount,
        basis=line.shown_basis,
    )
    for place, child in enumerate(line.children, start=1):
        last = place == len(line.children)
        yield from _rows(child, trunk + ("└─ " if last else "├─ "), trunk + ("   " if last else "│  "), whole=whole)


def dollars(value: float, *, whole: bool) -> str:
    """An amount in a column: whole dollars beside thousands, else cents; never zero for what is not zero.

    >>> dollars(26.4, whole=True), dollars(26.4, whole=False), dollars(0.004, whole=True), dollars(0, whole=True)
    ('$26', '$26.40', '$0.004', '$0')
    """
    size = abs(value)
    sign = "-" if value < 0 else ""
    if whole and (size >= 1 or size == 0) and size < 1e18:
        return f"{sign}${size:,.0f}"
    return f"{sign}${size:,.2f}" if 1 <= size < 1e18 else format_money(value)


def unit_price(value: float) -> str:
    """Dollars for one unit: with cents up to $1,000."""
    return format_money(value, cents=abs(value) < _WHOLE_DOLLARS_FROM)


def heading(column: Column) -> str:
    """The column's name; with its unit where the cells do not say it."""
    said = not column.unit or column.unit in UNITS or column.unit.startswith("$")
    return column.name if said else f"{column.name} ({column.unit})"


def cell(value: Cell, column: Column) -> str:
    """One cell in words."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Figure):
        return spoken(value.value, value.unit, digits=column.digits)
    if isinstance(value, int | float):
        if column.unit in UNITS or column.unit.startswith("$"):
            return format_quantity(value, column.unit, digits=column.digits)
        return format_number(value, digits=column.digits)
    return value


def is_numeric(table: Table, place: int) -> bool:
    """All cells of the column are figures, so that it is set to the right."""
    found = [row[place] for row in table.rows if row[place] is not None]
    return bool(found) and all(
        isinstance(entry, int | float | Figure) and not isinstance(entry, bool) for entry in found
    )
