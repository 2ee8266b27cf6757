"""JSON back into a statement; whatever is not one is refused with the place where it went wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from outlay.errors import InputError
from outlay.statement.figure import Figure
from outlay.statement.interval import Interval
from outlay.statement.line import Line
from outlay.statement.receipt import Receipt
from outlay.statement.statement import SCHEMA, Assumption, Statement
from outlay.statement.table import Cell, Column, Table

MAX_BYTES = 32 * 2**20
"""The largest statement that is read: thousands of lines fit in a hundredth of it."""
_DEEPEST = 32
_HINT = "`outlay cost … --format json -o FILE.json` writes a statement that can be read again"
_T = TypeVar("_T")
_MISSING: Any = object()


class _WrongError(Exception):
    """What is wrong, and where in the document."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where or 'the document'} {problem}")


def load(path: str | Path) -> Statement:
    """The statement in the file `path`.

    :raises InputError: if the file cannot be read or holds no statement.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"`{path}` is a folder", expected="a statement in JSON", hint=_HINT)
    if path.exists() and not path.is_file():  # a pipe or a device would be waited for, perhaps for ever
        raise InputError(f"`{path}` is not a plain file", expected="a statement in JSON", hint=_HINT)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"`{path}` cannot be read: {reason}", hint=_HINT) from error
    return from_json(data, name=str(path))


def from_json(text: str | bytes, *, name: str = "the text") -> Statement:
    """The statement that `to_json` wrote, equal to what it was; `name` is what errors call the text.

    >>> from outlay.statement.encode import to_json
    >>> statement = Statement("Nothing", inputs={"model": "gpt2"})
    >>> from_json(to_json(statement)) == statement
    True

    :raises InputError: for text that is no JSON, another schema, more than `MAX_BYTES`, a missing, unknown or wrong
        value, or amounts that are not quantity × unit price.
    """
    if len(text) > MAX_BYTES:
        raise InputError(f"`{name}` has more than {MAX_BYTES // 2**20} MiB", expected="a statement in JSON", hint=_HINT)
    try:
        document = json.loads(text.decode("utf-8-sig") if isinstance(text, bytes) else text, parse_constant=_constant)
        return _statement(document)
    except UnicodeDecodeError as error:
        raise InputError(f"`{name}` is not text in UTF-8", expected="a statement in JSON", hint=_HINT) from error
    except json.JSONDecodeError as error:
        problem = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise InputError(f"`{name}` is not JSON ({problem})", expected="a statement in JSON", hint=_HINT) from error
    except RecursionError as error:
        raise InputError(f"`{name}` is nested too deeply", expected="a statement in JSON", hint=_HINT) from error
    except (_WrongError, ValueError, OverflowError) as error:
        raise InputError(f"`{name}` is not a statement: {error}", hint=_HINT) from error


def _constant(word: str) -> NoReturn:
    raise ValueError(f"it holds {word}, which is no number")


class _Object:
    """A JSON object whose keys are taken one by one, so that unknown ones are noticed."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise _WrongError(where, "is not an object")
        self.fields: dict[str, Any] = dict(value)
        self.where = where

    def place(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def take(self, key: str, reader: Callable[[Any, str], _T]) -> _T:
        value = self.fields.pop(key, _MISSING)
        if value is _MISSING:
            raise _WrongError(self.where, f"has no `{key}`")
        return reader(value, self.place(key))

    def many(self, key: str, reader: Callable[[Any, str], _T]) -> tuple[_T, ...]:
        values = self.take(key, _list)
        return tuple(reader(value, f"{self.place(key)}[{place}]") for place, value in enumerate(values))

    def end(self) -> None:
        for key in self.fields:
            raise _WrongError(self.where, f"has an unknown key {_short(key)}")


def _statement(document: object) -> Statement:
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        found = f"its schema is {_short(schema)}" if schema is not None else "it names no schema"
        raise _WrongError("the document", f"has not the schema `{SCHEMA}` ({found})")
    it = _Object(document, "")
    it.take("schema", _text)
    written = it.take("total", _total)
    answer = it.take("answer", _Object)
    statement = Statement(
        it.take("title", _text),
        version=it.take("version", _text),
        coverage=it.take("coverage", _optional(_number)),
        answer={name: answer.take(name, _figure) for name in tuple(answer.fields)},
        lines=it.many("lines", _line),
        sections=it.many("sections", _table),
        assumed=it.many("assumed", _assumption),
        notes=it.many("notes", _text),
        hints=it.many("hints", _text),
        inputs=it.take("inputs", _Object).fields,
    )
    it.end()
    computed = statement.total
    if not _agree(written[0], computed.amount) or written[1] != computed.at_least:
        raise _WrongError("total", "is not the sum of the lines")
    return statement


def _total(value: object, where: str) -> tuple[Interval | None, bool]:
    it = _Object(value, where)
    it.take("unit", _text)
    total = it.take("amount", _optional(_interval)), it.take("at_least", _flag)
    it.end()
    return total


def _line(value: object, where: str) -> Line:
    if where.count(".children") > _DEEPEST:
        raise _WrongError("lines", f"are nested more than {_DEEPEST} deep")
    it = _Object(value, where)
    amount, priced = it.take("amount", _optional(_interval)), it.take("priced", _flag)
    line = Line(
        it.take("name", _text),
        key=it.take("key", _text),
        quantity=it.take("quantity", _optional(_interval)),
        unit=it.take("unit", _text),
        unit_price=it.take("unit_price", _optional(_interval)),
        basis=it.take("basis", _optional(_any_text)),
        note=it.take("note", _text),
        receipts=it.many("receipts", _receipt),
        assumed=it.many("assumed", _text),
        parts=it.many("parts", _figure),
        children=it.many("children", _line),
    )
    it.end()
    if not _agree(amount, line.amount) or priced != line.priced:
        made = "the sum of its children" if line.children else "quantity × unit price"
        raise _WrongError(it.place("amount"), f"is not {made}")
    return line


def _figure(value: object, where: str) -> Figure:
    if where.count(".parts") > _DEEPEST:
        raise _WrongError("parts", f"are nested more than {_DEEPEST} deep")
    it = _Object(value, where)
    figure = Figure(
        it.take("value", _interval),
        unit=it.take("unit", _text),
        label=it.take("label", _text),
        note=it.take("note", _text),
        basis=it.take("basis", _optional(_any_text)),
        parts=it.many("parts", _figure),
        receipts=it.many("receipts", _receipt),
        assumed=it.many("assumed", _text),
    )
    it.end()
    return figure


def _table(value: object, where: str) -> Table:
    it = _Object(value, where)
    it.fields.pop("footer", None)  # computed again from the rows
    table = Table(
        it.take("title", _text),
        key=it.take("key", _text),
        columns=it.many("columns", _column),
        rows=it.many("rows", lambda row, at: [_cell(cell, at) for cell in _list(row, at)]),
        notes=it.many("notes", _text),
        receipts=it.many("receipts", _receipt),
        assumed=it.many("assumed", _text),
        footer_label=it.take("footer_label", _text),
    )
    it.end()
    return table


def _column(value: object, where: str) -> Column:
    it = _Object(value, where)
    total, digits = it.take("total", _flag), it.take("digits", _number)
    column = Column(
        it.take("name", _text), unit=it.take("unit", _text), total=total, digits=min(17, max(1, int(digits)))
    )
    it.end()
    return column


def _cell(value: Any, where: str) -> Cell:
    if isinstance(value, dict):
        return _figure(value, where)
    if isinstance(value, list):
        raise _WrongError(where, "holds a list where a cell belongs")
    if isinstance(value, float):
        return _number(value, where)
    cell: Cell = value
    return cell


def _assumption(value: object, where: str) -> Assumption:
    it = _Object(value, where)
    name, words, why = (it.take(key, _text) for key in ("name", "value", "why"))
    entry = Assumption(name, value=words, why=why, receipt=it.take("receipt", _optional(_receipt)))
    it.end()
    return entry


def _receipt(value: object, where: str) -> Receipt:
    it = _Object(value, where)
    figure = it.take("value", _cell)
    if isinstance(figure, Figure):
        raise _WrongError(it.place("value"), "is not a number or text")
    unit, source, date, note = (it.take(key, _text) for key in ("unit", "source", "date", "note"))
    receipt = Receipt(figure, unit=unit, source=source, date=date, basis=it.take("basis", _any_text), note=note)
    it.end()
    return receipt


def _interval(value: object, where: str) -> Interval:
    it = _Object(value, where)
    low, likely, high = (
        it.take("low", _optional(_number)),
        it.take("likely", _number),
        it.take("high", _optional(_number)),
    )
    it.end()
    try:
        return Interval(low, likely, high)
    except ValueError as error:
        raise _WrongError(where, f"is no interval: {error}") from error


def _optional(reader: Callable[[Any, str], _T]) -> Callable[[Any, str], _T | None]:
    return lambda value, where: None if value is None else reader(value, where)


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _WrongError(where, "is not text")
    return value


def _any_text(value: object, where: str) -> Any:
    """Text whose choices the receiving class checks."""
    return _text(value, where)


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _WrongError(where, "is not a finite number")
    return value


def _flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise _WrongError(where, "is not true or false")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _WrongError(where, "is not a list")
    return value


def _agree(written: Interval | None, computed: Interval | None) -> bool:
    """Equal up to the last digits: another machine may have added in another order."""
    if written is None or computed is None:
        return written is computed
    pairs = ((written.low, computed.low), (written.likely, computed.likely), (written.high, computed.high))
    return all(
        one == two or (one is not None and two is not None and math.isclose(one, two, rel_tol=1e-9))
        for one, two in pairs
    )


def _short(value: object) -> str:
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:59]}…"
