"""One statement subtracted from another, line by line."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from outlay.statement.figure import Figure, called
from outlay.statement.interval import Interval
from outlay.statement.line import Line
from outlay.statement.statement import Statement
from outlay.statement.table import Cell, Column, Table
from outlay.units import format_money, format_quantity

_T = TypeVar("_T")


def diff(before: Statement, after: Statement) -> Statement:
    """What changes from `before` to `after`: a statement without lines of its own, in four tables.

    Lines are matched by key. A line that is on one side only counts as nothing on the other; where a line stands on a
    side without a price, its change is not known and the table's last row says *at least*.

    >>> def of(hours): return Statement("Run", lines=(Line("Training", key="training", quantity=Interval.of(hours),
    ...                                               unit="GPU-h", unit_price=Interval.exact(2.0)),))
    >>> diff(of(100), of(80)).sections[0].rows
    (('Training', 200.0, 160.0, -40.0, 'changed'),)
    """
    tables = [_lines(before, after), _figures(before, after), _assumed(before, after), _inputs(before, after)]
    sections = tuple(table for table in tables if table.rows)
    same = () if any("unchanged" not in row for table in sections for row in table.rows) else ("Nothing changes.",)
    return Statement(
        f"From {before.title} to {after.title}",
        sections=sections,
        notes=(*_sentence(before, after), *same),
        inputs={"before": dict(before.inputs), "after": dict(after.inputs)},
        version=after.version,
    )


def _sentence(before: Statement, after: Statement) -> tuple[str, ...]:
    """The change in one sentence: less or more dollars, then each figure that both sides have."""
    parts = []
    old, new = before.total, after.total
    if old.amount is not None and new.amount is not None and not _same(old.amount, new.amount):
        parts.append(_change(new.amount.likely - old.amount.likely, "$", priced=not (old.at_least or new.at_least)))
    for name, figure in before.answer.items():
        other = after.answer.get(name)
        if (
            other is not None
            and other.unit == figure.unit
            and not figure.label
            and not _same(other.value, figure.value)
        ):
            parts.append(_change(other.value.likely - figure.value.likely, figure.unit))
    return (" · ".join(parts),) if parts else ()


def _same(old: Interval, new: Interval) -> bool:
    """Whether two sums differ by no more than the order in which they were added up."""
    ends = ((old.likely, new.likely), (old.low, new.low), (old.high, new.high))
    return all(a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-9)) for a, b in ends)


def _change(value: float, unit: str, *, priced: bool = True) -> str:
    size = format_money(abs(value)) if unit == "$" else format_quantity(abs(value), unit)
    return f"{size} {'less' if value < 0 else 'more'}{'' if priced else ' on the priced lines'}"


def _lines(before: Statement, after: Statement) -> Table:
    rows: list[tuple[Cell, ...]] = []
    unknown = False
    for old, new in _pairs(_leaves(before), _leaves(after)):
        name = next(side[0] for side in (new, old) if side is not None)
        first, second = _dollars(old), _dollars(new)
        known = (old is None or first is not None) and (new is None or second is not None)
        unknown = unknown or not known
        change = (second or 0.0) - (first or 0.0) if known else None
        rows.append((name, first, second, change, _state(old, new, lambda pair: _essence(pair[1]))))
    return Table(
        "Lines",
        columns=("Line", *(Column(side, unit="$", total=True) for side in ("Before", "After", "Change")), "State"),
        rows=rows,
        key="lines",
        footer_label="At least" if unknown else "Total",
    )


def _leaves(statement: Statement) -> dict[str, tuple[str, Line]]:
    """Leaf lines by key, with the path of names that leads to each."""

    def below(line: Line, path: tuple[str, ...]) -> Iterable[tuple[str, tuple[str, Line]]]:
        path = (*path, line.name)
        if not line.children:
            yield line.key, (": ".join(path), line)
        for child in line.children:
            yield from below(child, path)

    return dict(entry for top in statement.lines for entry in below(top, ()))


def _essence(line: Line) -> tuple[Interval | None, str, Interval | None]:
    return line.quantity, line.unit, line.unit_price


def _dollars(entry: tuple[str, Line] | None) -> float | None:
    amount = entry[1].amount if entry is not None else None
    return amount.likely if amount is not None else None


def _figures(before: Statement, after: Statement) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name in dict.fromkeys((*before.answer, *after.answer)):
        old, new = before.answer.get(name), after.answer.get(name)
        change: Figure | None = None
        if old is not None and new is not None and old.unit == new.unit:
            change = Figure(Interval.of(new.value.likely - old.value.likely), unit=old.unit)
        rows.append(
            (
                called(new or old or Figure(Interval.exact(0), unit=""), name),
                _bare(old),
                _bare(new),
                change,
                _state(old, new, lambda figure: figure.value),
            )
        )
    return Table("Figures", columns=("Figure", "Before", "After", "Change", "State"), rows=rows, key="figures")


def _bare(figure: Figure | None) -> Figure | None:
    """The likely value alone: two ranges side by side do not fit a screen, and a difference has none."""
    return None if figure is None else Figure(Interval.of(figure.value.likely), unit=figure.unit)


def _assumed(before: Statement, after: Statement) -> Table:
    old = {entry.name: entry.value for entry in before.assumed}
    new = {entry.name: entry.value for entry in after.assumed}
    return Table("Assumed", columns=("What", "Before", "After", "State"), rows=_changed(old, new), key="assumed")


def _inputs(before: Statement, after: Statement) -> Table:
    old, new = ({name: _text(value) for name, value in side.inputs.items()} for side in (before, after))
    return Table("Inputs", columns=("What", "Before", "After", "State"), rows=_changed(old, new), key="inputs")


def _text(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[Cell, ...]]:
    """Only what differs: unchanged choices would bury the changed ones."""
    return [
        (name, old.get(name), new.get(name), _state(old.get(name), new.get(name), lambda value: value))
        for name in dict.fromkeys((*old, *new))
        if old.get(name) != new.get(name)
    ]


def _pairs(old: Mapping[str, _T], new: Mapping[str, _T]) -> list[tuple[_T | None, _T | None]]:
    return [(old.get(key), new.get(key)) for key in dict.fromkeys((*old, *new))]


def _state(old: _T | None, new: _T | None, essence: Callable[[_T], object]) -> str:
    if old is None or new is None:
        return "added" if old is None else "removed"
    return "unchanged" if essence(old) == essence(new) else "changed"
