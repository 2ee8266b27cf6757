"""CSV for spreadsheets: full numbers, units in their own column or in the heading, and no cell that is run as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from outlay.render.width import clean
from outlay.statement import Cell, Figure, Interval, Statement, Table, Tree

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_STATEMENT = (
    "key", "line", "quantity", "unit", "unit_price", "amount", "amount_low", "amount_high", "basis", "sources",
)  # fmt: skip


def delimited(thing: Statement | Table | Tree) -> str:
    """One table: of a statement its lines, parents too (their keys end before a point), then the total.

    A statement without lines (a difference) gives its sections one after another, with an empty line between.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if isinstance(thing, Tree):
        writer.writerows([("depth", "text"), *((depth, _safe(words)) for depth, words in _flat(thing, 0))])
    elif isinstance(thing, Table):
        writer.writerows(_table(thing))
    elif thing.lines or not thing.sections:
        writer.writerows(_lines(thing))
    else:
        for place, section in enumerate(thing.sections):
            writer.writerows([*([[]] if place else []), *_table(section)])
    return out.getvalue()


def _lines(statement: Statement) -> Iterator[Iterable[object]]:
    yield _STATEMENT
    for line in statement.walk():
        sources = "; ".join(dict.fromkeys(receipt.source for receipt in line.receipts))
        yield (
            line.key,
            _safe(line.name),
            _likely(line.quantity),
            _safe(line.unit),
            _likely(line.unit_price),
            *_amounts(line.amount),
            line.shown_basis,
            _safe(sources),
        )
    total = statement.total
    yield "total", "At least" if total.at_least else "Total", "", "", "", *_amounts(total.amount), "", ""


def _table(table: Table) -> Iterator[Iterable[object]]:
    yield [_safe(f"{column.name} ({column.unit})" if column.unit else column.name) for column in table.columns]
    for row in table.rows:
        yield [_cell(cell, column.unit) for cell, column in zip(row, table.columns, strict=True)]


def _cell(cell: Cell, unit: str) -> object:
    """A cell as it is written; a share under a heading or beside a sign of per cent is written in per cent."""
    if isinstance(cell, Figure):
        value = cell.value.likely
        return f"{_percent(value) if cell.unit == '%' else value!r} {cell.unit}" if cell.unit else value
    if unit == "%" and isinstance(cell, int | float) and not isinstance(cell, bool):
        return _percent(cell)
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return "" if cell is None else _safe(cell) if isinstance(cell, str) else cell


def _percent(share: float) -> float:
    """The share in per cent, without the digits that the factor makes up.

    >>> _percent(0.07), _percent(0.569)
    (7.0, 56.9)
    """
    return float(f"{100.0 * share:.15g}")


def _safe(text: str) -> str:
    """Text that a spreadsheet would take for a formula gets a quote before it."""
    text = text if text.startswith(_FORMULA) else clean(text)
    return "'" + clean(text) if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA) else text


def _likely(value: Interval | None) -> object:
    return "" if value is None else value.likely


def _amounts(value: Interval | None) -> tuple[object, object, object]:
    if value is None:
        return "", "", ""
    return value.likely, *("" if bound is None else bound for bound in (value.low, value.high))  # type: ignore[return-value]


def _flat(tree: Tree, depth: int) -> Iterator[tuple[int, str]]:
    yield depth, tree.text
    for child in tree.children:
        yield from _flat(child, depth + 1)
