"""The answer to a question of money: lines, a total or *at least*, and everything that was taken for granted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TypeAlias

from outlay.errors import AmbiguousName, UnknownName
from outlay.statement.figure import Figure, called
from outlay.statement.interval import Interval
from outlay.statement.line import Line, total
from outlay.statement.notebook import html
from outlay.statement.receipt import Receipt
from outlay.statement.table import Cell, Table

SCHEMA = "outlay/statement/1"
_SHORT = {"seconds": "time", "joules": "energy", "kg_co2e": "co2e"}
"""What some figures are called where they are asked for."""
_NEVER_NEGATIVE = frozenset({"s", "J", "kg CO2e", "B", "FLOP", "tokens/s", "%"})
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Assumption:
    """A default that touched the answer: what was taken, and why. `value` is text as a user reads it."""

    name: str
    _: KW_ONLY
    value: str
    why: str
    receipt: Receipt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Dollars of what is priced (None where nothing is), and whether something is not."""

    amount: Interval | None
    at_least: bool


@dataclass(frozen=True, slots=True)
class Statement:
    """Lines in dollars, the figures beside them, and every choice that made them.

    `answer` names the figures beside the dollars (`seconds`, `joules`, `kg_co2e`, …); the dollars are never stored:
    `total` adds the lines. `inputs` holds all choices, in JSON's own types, under the names of the flags. `coverage` is
    the share of cases that the ranges are meant to hold (0.8); None while ranges are not known.

    >>> hours = Line("Training", key="training", quantity=Interval.of(100), unit="h", unit_price=Interval.exact(2.5))
    >>> transfer = Line("Data transfer", key="transfer", unit="TB")
    >>> Statement("Training", lines=(hours, transfer)).total
    Total(amount=Interval(low=None, likely=250.0, high=None), at_least=True)

    :raises ValueError: for two lines with one key, dollars among the figures, a figure that nothing can be below zero of,
        an assumption that is named and not there, or inputs that JSON cannot hold.
    """

    title: str
    _: KW_ONLY
    lines: tuple[Line, ...] = ()
    answer: Mapping[str, Figure] = field(default_factory=dict)
    sections: tuple[Table, ...] = ()
    assumed: tuple[Assumption, ...] = ()
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    inputs: Mapping[str, Json] = field(default_factory=dict)
    coverage: float | None = None
    version: str = ""

    def __post_init__(self) -> None:
        for name in ("lines", "sections", "assumed", "notes", "hints"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if "dollars" in self.answer:
            raise ValueError("dollars are the sum of the lines, so they are not given among the figures")
        object.__setattr__(self, "answer", dict(self.answer))
        # A copy in JSON's own types: what is saved and read again is equal, and nobody can change it from outside.
        object.__setattr__(self, "inputs", json.loads(json.dumps(dict(self.inputs), allow_nan=False)))
        twice = [key for key, count in Counter(line.key for line in self.walk()).items() if count > 1]
        if twice:
            raise ValueError(f"more than one line has the key {', '.join(map(repr, twice))}")
        for name, figure in self.answer.items():
            if figure.unit in _NEVER_NEGATIVE and min(figure.value.likely, figure.value.low or 0.0) < 0:
                raise ValueError(f"`{name}` is below zero")
        unknown = set(self.stands_on(*self.lines, *self.answer.values(), *self.sections)) - {
            entry.name for entry in self.assumed
        }
        if unknown:
            raise ValueError(f"no assumption is called {', '.join(map(repr, sorted(unknown)))}")

    @property
    def total(self) -> Total:
        """The sum of the lines."""
        return Total(amount=total(self.lines), at_least=not all(line.priced for line in self.lines))

    def walk(self) -> tuple[Line, ...]:
        """All lines, parents before children, in the order in which they are printed."""
        return tuple(line for top in self.lines for line in top.walk())

    def stands_on(self, *things: Line | Figure | Table) -> tuple[str, ...]:
        """The names of the assumptions on which lines, figures or tables stand, those of their parts with them."""
        return tuple(dict.fromkeys(name for thing in things for name in _grounds(thing)))

    def find(self, key: str) -> Line | Figure | Table:
        """The line, figure or section that `key` means: its key, the last word of it, or its name.

        >>> Statement("Training", lines=(Line("Data transfer", key="network.transfer"),)).find("transfer").name
        'Data transfer'

        :raises UnknownName: with the nearest keys.
        :raises AmbiguousName: if several match.
        """
        named: dict[str, Line | Figure | Table] = {line.key: line for line in self.walk()}
        named |= {name: figure for name, figure in self.answer.items() if name not in named}
        named |= {table.key: table for table in self.sections if table.key and table.key not in named}
        if key in named:
            return named[key]
        wanted = _folded(key)
        matches = [
            name
            for name, thing in named.items()
            if wanted in (_folded(name), _folded(name.rpartition(".")[2]), _folded(_name(thing, name)))
        ]
        if not wanted:
            matches = []
        elif not matches:  # the beginning of a name is enough where it begins only one
            matches = [name for name, thing in named.items() if _folded(_name(thing, name)).startswith(wanted)]
        if len(matches) == 1:
            return named[matches[0]]
        if matches:
            raise AmbiguousName("line", key, matches, hint=f"write `{matches[0]}`")
        error = UnknownName("line of this statement", key, named, listing="outlay report")
        tables = ", ".join(table.key for table in self.sections if table.key)
        also = f"; tables are {tables}" if tables else ""
        near = error.hint.removesuffix("`outlay report` lists all")
        others = ("total", *(_SHORT.get(name, name) for name in self.answer))
        listed = f"{', '.join(others[:-1])} and {others[-1]} are" if len(others) > 1 else "total is"
        error.hint = f"{near}`outlay report` shows the lines{also}; {listed} explained too"
        raise error

    def _repr_html_(self) -> str | None:
        return html(self)


def _folded(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def _name(thing: Line | Figure | Table, key: str) -> str:
    return thing.name if isinstance(thing, Line) else called(thing, key) if isinstance(thing, Figure) else thing.title


def _grounds(thing: Line | Figure | Table) -> Iterator[str]:
    yield from thing.assumed
    below: Iterable[Line | Figure | Cell]
    if isinstance(thing, Table):
        below = (cell for row in thing.rows for cell in row)
    else:
        below = (*thing.parts, *(thing.children if isinstance(thing, Line) else ()))
    for part in below:
        if isinstance(part, Line | Figure):
            yield from _grounds(part)
