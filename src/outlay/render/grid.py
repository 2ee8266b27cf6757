"""Cells set in columns that fit the screen; what is too long is wrapped inside its column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outlay.render.width import cells, clean, joined, pad, wrap

_MARGIN, _GAP = " ", "  "
_NARROWEST_COLUMN = 8
_LONGEST_NAME = 40
"""Columns beyond which a word is no name, and may be broken."""
STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A cell: `first` opens its first line and `rest` the wrapped ones."""

    text: str
    first: str = ""
    rest: str = ""
    style: str = ""


Rule = None
"""In place of a row: a line across the grid."""


def paint(text: str, style: str, color: bool) -> str:
    """`text` in a style, or as it is."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if color and style and text.strip() else text


def grid(
    headings: Sequence[str],
    rows: Sequence[Sequence[Entry] | None],
    *,
    right: Sequence[bool],
    width: int,
    fill: int = 0,
    color: bool = False,
) -> list[str]:
    """Lines of at most `width` columns: headings, then rows; `right` says which columns are set to the right.

    The first column takes what is left up to `fill`. Where the columns cannot fit, each row becomes a list of
    `heading: cell`.
    """
    bodies = [row for row in rows if row is not None]
    header = [Entry(heading, style="bold") for heading in headings]
    natural = [
        max(cells(entry.first) + cells(clean(entry.text)) for entry in column)
        for column in zip(header, *bodies, strict=True)
    ]
    room = width - len(_MARGIN) - len(_GAP) * (len(headings) - 1)

    def floors_of(least: Callable[[Entry], int]) -> list[int]:
        """Of the first column, in which names stand whole, and of the others."""
        return [
            size
            if right[place]
            else min(size, max((least if place else _whole)(row[place]) for row in [header, *bodies]))
            for place, size in enumerate(natural)
        ]

    floors = floors_of(_joined)
    if sum(floors) > room:
        floors = floors_of(_least)
    if sum(floors) > room:  # rather a long name on two lines than no table
        least = max(_whole(header[0]), *(_least(row[0]) for row in bodies))
        floors[0] = floors[0] if right[0] else min(natural[0], least)
    if sum(floors) > room:
        return _stacked(header, rows, width=width, color=color)
    sizes = _fitted(natural, floors, room)
    if fill:
        sizes[0] += max(0, min(fill, width) - (width - room) - sum(sizes))
    across = len(_MARGIN) + sum(sizes) + len(_GAP) * (len(sizes) - 1)
    lines = []
    for row in (header, *rows):
        if row is None:
            lines.append(paint(_MARGIN + "─" * (across - len(_MARGIN)), "dim", color))
        else:
            lines += _set(row, sizes, right, color=color)
    return lines


def _whole(entry: Entry) -> int:
    """Columns with which no word of a name is broken."""
    return _least(entry, clean(entry.text).split())


def _joined(entry: Entry) -> int:
    """Columns with which words are broken at their joints alone."""
    return _least(entry, [piece for word in clean(entry.text).split() for piece in joined(word)])


def _least(entry: Entry, pieces: Sequence[str] = ()) -> int:
    """Columns that a cell needs at least, with no piece of a name broken."""
    longest = max(map(cells, pieces), default=0)
    return cells(entry.first) + max(_NARROWEST_COLUMN, longest if longest <= _LONGEST_NAME else 0)


def _fitted(natural: Sequence[int], floors: Sequence[int], room: int) -> list[int]:
    """Widths that fit: the widest column that may shrink gives first."""
    sizes = list(natural)
    while sum(sizes) > room:
        widest = max(
            (place for place in range(len(sizes)) if sizes[place] > floors[place]), key=lambda place: sizes[place]
        )
        sizes[widest] -= 1
    return sizes


def _set(row: Sequence[Entry], sizes: Sequence[int], right: Sequence[bool], *, color: bool) -> list[str]:
    columns = [
        wrap(entry.text, size, first=entry.first, rest=entry.rest) for entry, size in zip(row, sizes, strict=True)
    ]
    lines = []
    for level in range(max(map(len, columns))):
        parts = []
        for place, (entry, column) in enumerate(zip(row, columns, strict=True)):
            words = column[level] if level < len(column) else entry.rest if place == 0 else ""
            lead = entry.first if level == 0 else entry.rest
            padded = pad(words, sizes[place], right=right[place])
            if lead and padded.startswith(lead):
                parts.append(paint(lead, "dim", color) + paint(padded[len(lead) :], entry.style, color))
            else:
                parts.append(paint(padded, entry.style, color))
        lines.append(_MARGIN + _GAP.join(parts))
    return lines


def _stacked(
    header: Sequence[Entry], rows: Sequence[Sequence[Entry] | None], *, width: int, color: bool
) -> list[str]:  # fmt: skip
    lines: list[str] = []
    for row in rows:
        if row is None:
            lines.append(paint(_MARGIN + "─" * (width - len(_MARGIN)), "dim", color))
            continue
        for heading, entry in zip(header, row, strict=True):
            if entry.text:
                lines += wrap(f"{heading.text}: {entry.text}", width, first=_MARGIN, rest=_MARGIN + "  ")
        lines.append("")
    return lines[:-1] if lines and not lines[-1] else lines
