"""A table beside the lines: memory by stage, the step's parts, a listing, measured against predicted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

from outlay.statement.figure import Figure
from outlay.statement.notebook import html
from outlay.statement.receipt import Receipt

_ROUNDING = 1e-12
"""Of the largest cell: a sum below this share of it is none."""
Cell: TypeAlias = str | int | float | bool | Figure | None
"""Text, a number in its column's unit, a figure with a unit of its own, or None where nothing is known."""


@dataclass(frozen=True, slots=True)
class Column:
    """A heading, the unit of its numbers (a key of `units.UNITS`, or any text), and whether they are added up."""

    name: str
    _: KW_ONLY
    unit: str = ""
    total: bool = False
    digits: int = 3


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns; plain text serves as a column. Columns marked `total` are added up in a last row.

    >>> memory = Table("Memory", columns=["Part", Column("Bytes", unit="B", total=True)],
    ...                rows=[("weights", 2.0**30), ("gradients", 2.0**30)])
    >>> memory.footer
    ('Total', 2147483648.0)

    :raises ValueError: for a row that does not fit the columns, or a number that is not finite.
    """

    title: str
    _: KW_ONLY
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    key: str = ""
    footer_label: str = "Total"
    assumed: tuple[str, ...] = ()
    """Names of the assumptions on which the rows stand."""

    def __init__(
        self,
        title: str,
        *,
        columns: Iterable[Column | str],
        rows: Iterable[Iterable[Cell]],
        notes: Iterable[str] = (),
        receipts: Iterable[Receipt] = (),
        key: str = "",
        footer_label: str = "Total",
        assumed: Iterable[str] = (),
    ) -> None:
        headings = tuple(column if isinstance(column, Column) else Column(column) for column in columns)
        body = tuple(tuple(_plain(cell) for cell in row) for row in rows)
        for number, row in enumerate(body, start=1):
            if len(row) != len(headings):
                raise ValueError(f"row {number} of {title!r} has {len(row)} cells for {len(headings)} columns")
        for name, value in (
            ("title", title), ("columns", headings), ("rows", body), ("notes", tuple(notes)),
            ("receipts", tuple(receipts)), ("key", key), ("footer_label", footer_label), ("assumed", tuple(assumed)),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def footer(self) -> tuple[Cell, ...] | None:
        """The sums of the columns that have one, after the label; None if no column is added up."""
        if not any(column.total for column in self.columns):
            return None
        sums = [
            _sum(row[place] for row in self.rows) if column.total else None for place, column in enumerate(self.columns)
        ]
        return (self.footer_label, *sums[1:])

    def _repr_html_(self) -> str | None:
        return html(self)


def _plain(cell: object) -> Cell:
    """NumPy scalars as Python numbers, so that a table can be compared and written."""
    if cell is None or isinstance(cell, str | bool | int | Figure):
        return cell
    value = cell.item() if hasattr(cell, "item") else cell
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"a table cell is {value}: leave it empty (None) instead")
    if not isinstance(value, str | bool | int | float):
        raise TypeError(f"a table cell is a {type(cell).__name__}")
    return value


def _sum(cells: Iterable[Cell]) -> float | None:
    numbers = [cell for cell in cells if isinstance(cell, int | float) and not isinstance(cell, bool)]
    if not numbers:
        return None
    found = math.fsum(numbers)  # what is left where cells cancel out is rounding
    return 0.0 if abs(found) < _ROUNDING * max(map(abs, numbers)) else found
