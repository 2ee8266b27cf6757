"""Reading the catalog's tables: CSV files beside this module, and what the user's own files add to them.

A row is a mapping of column to text, as the file has it; each table's module makes objects of it. Rows of the user
come after the shipped ones and carry two columns more: `yours`, the columns that the user gave, and `yours_source`.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar

from outlay.statement import Basis, Receipt

P = ParamSpec("P")
R = TypeVar("R")

FOLDER = Path(__file__).parent
_added: dict[str, list[Mapping[str, str]]] = {}
_caches: list[Callable[[], None]] = []


def cached(function: Callable[P, R]) -> Callable[P, R]:
    """`functools.cache` that forgets when the user's files are taken in or given up."""
    wrapper = functools.cache(function)
    _caches.append(wrapper.cache_clear)
    return wrapper  # type: ignore[return-value]  # the wrapper takes what the function takes, hashable


@functools.cache
def shipped(table: str) -> tuple[Mapping[str, str], ...]:
    """All rows of `<table>.csv`, without the user's."""
    with (FOLDER / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        return tuple(csv.DictReader(file))


@cached
def read(table: str, key: str | None = None) -> tuple[Mapping[str, str], ...]:
    """All rows of `<table>.csv`, then the user's. With `key`, a user's row takes the place of the row of that name,
    column by column: what the user leaves out stays.
    """
    rows = list(shipped(table))
    for row in _added.get(table, ()):
        index = next((i for i, known in enumerate(rows) if key and known[key] == row[key]), None)
        if index is None:
            rows.append(row)
        else:
            yours = ";".join(filter(None, (rows[index].get("yours", ""), row["yours"])))
            rows[index] = {**rows[index], **row, "yours": yours}
    return tuple(rows)


def extend(table: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Add a user's rows to a table for this process."""
    _added.setdefault(table, []).extend(rows)
    forget()


def restore() -> None:
    """Give up everything that a user's files added."""
    _added.clear()
    forget()


def forget() -> None:
    """Drop what was built from the tables so far."""
    for clear in _caches:
        clear()


def number(text: str | None) -> float | None:
    """The number in a cell, None in an empty one."""
    return float(text) if text else None


def needed(row: Mapping[str, str], column: str) -> float:
    """The number in a cell that must not be empty."""
    return float(row[column])


def names(cell: str | None) -> tuple[str, ...]:
    """The entries of a cell that lists names with `;` between."""
    return tuple(entry for entry in (cell or "").split(";") if entry)


def receipt(
    row: Mapping[str, str],
    column: str,
    value: float | str,
    *,
    unit: str,
    source: str = "",
    basis: str = "",
    note: str | None = None,
) -> Receipt:
    """The receipt of one cell: the row's source, date and basis, unless the user gave that cell.

    `source` and `basis` stand in for the row's where a table names one for a single column.
    """
    if column in names(row.get("yours")):
        return Receipt(value, unit=unit, source=row["yours_source"], date=row.get("yours_date", ""), basis="yours")
    kind: Basis = basis or row["basis"]  # type: ignore[assignment]  # Receipt checks it
    text = row.get("note", "") if note is None else note
    return Receipt(value, unit=unit, source=source or row["source"], date=row["date"], basis=kind, note=text)
