"""For a terminal: 80 columns are enough, and without its colours the text says the same."""

from __future__ import annotations

import re
from collections.abc import Iterator

from outlay.render.grid import Entry, grid, paint
from outlay.render.width import wrap
from outlay.render.words import LINE_HEADINGS, Row, cell, heading, headline, is_numeric, labelled, line_rows, total_row
from outlay.statement import Statement, Table, Tree

_FULL = 80
"""A statement fills this much of a wider screen: an amount far from its name is hard to read."""
_BASIS_STYLE = {"assumed": "yellow", "missing": "red", "yours": "cyan", "quoted": "green", "measured": "green"}
_TAIL = re.compile(r"(?: |\x1b\[[0-9]+m)+$")
_DEEPEST = 8
"""Levels of a tree that are indented; what is deeper stays at that level, so that words keep some room."""


def text(thing: Statement | Table | Tree, *, width: int, color: bool) -> str:
    """`thing` on lines of at most `width` columns."""
    if isinstance(thing, Statement):
        lines = _statement(thing, width=width, color=color)
    elif isinstance(thing, Table):
        lines = _table(thing, width=width, color=color)
    else:
        lines = _tree(thing, width=width, color=color)
    return "".join(f"{_TAIL.sub(_codes, line)}\n" for line in lines) or "\n"


def _codes(tail: re.Match[str]) -> str:
    """The end of a line without its spaces; colours stay, so that what they opened is closed."""
    return tail[0].replace(" ", "")


def _statement(statement: Statement, *, width: int, color: bool) -> list[str]:
    lines = [paint(line, "bold", color) for line in wrap(statement.title, width)]
    for sentence in (headline(statement), labelled(statement)):
        lines += wrap(sentence, width) if sentence else []
    if not statement.lines:  # a difference: its sentence comes first
        lines += [line for note in statement.notes for line in wrap(note, width)]
    if statement.lines:
        lines += ["", *_lines(statement, width=width, color=color)]
    for section in statement.sections:
        lines += ["", *_table(section, width=width, color=color)]
    if statement.lines and statement.notes:
        lines += ["", *(line for note in statement.notes for line in wrap(note, width))]
    if statement.assumed:
        lines += ["", "Assumed:"]
    for entry in statement.assumed:
        lines += wrap(f"{entry.name} = {entry.value}: {entry.why}", width, first="  ", rest="    ")
    for place, hint in enumerate(statement.hints):
        lines += [""] if place == 0 else []
        lines += [_hinted(line, color) for line in wrap(f"hint: {hint}", width, rest="  ")]
    return lines


def _hinted(line: str, color: bool) -> str:
    return paint("hint:", "cyan", color) + line.removeprefix("hint:") if line.startswith("hint:") else line


def _lines(statement: Statement, *, width: int, color: bool) -> list[str]:
    rows: list[list[Entry] | None] = [_entries(row) for row in line_rows(statement)]
    rows += [None, [Entry(entry.text, style="bold") for entry in _entries(total_row(statement))]]
    right = (False, True, False, True, True, False)
    return grid(LINE_HEADINGS, rows, right=right, width=width, fill=_FULL, color=color)


def _entries(row: Row) -> list[Entry]:
    return [
        Entry(row.name, first=row.branch, rest=row.trunk, style="" if row.branch else "bold"),
        *(Entry(words) for words in (row.quantity, row.unit, row.price, row.amount)),
        Entry(row.basis, style=_BASIS_STYLE.get(row.basis, "")),
    ]


def _table(table: Table, *, width: int, color: bool) -> list[str]:
    lines = [*(paint(line, "bold", color) for line in wrap(table.title, width)), ""] if table.title else []
    rows: list[list[Entry] | None] = [
        [Entry(cell(value, column)) for value, column in zip(row, table.columns, strict=True)] for row in table.rows
    ]
    if table.footer is not None:
        footer = zip(table.footer, table.columns, strict=True)
        rows += [None, [Entry("" if value is None else cell(value, column), style="bold") for value, column in footer]]
    right = [is_numeric(table, place) for place in range(len(table.columns))]
    if table.columns:
        lines += grid([heading(column) for column in table.columns], rows, right=right, width=width, color=color)
    for note in table.notes:
        lines += wrap(note, width, first=" ", rest=" ")
    return lines


def _tree(tree: Tree, *, width: int, color: bool) -> list[str]:
    lines = []
    for branch, trunk, words in _branches(tree, "", "", 0):
        for place, line in enumerate(wrap(words, width, first=branch, rest=trunk)):
            lead = branch if place == 0 else trunk
            lines.append(paint(lead, "dim", color) + line[len(lead) :] if lead else paint(line, "bold", color))
    return lines


def _branches(tree: Tree, branch: str, trunk: str, depth: int) -> Iterator[tuple[str, str, str]]:
    """Each sentence with what opens its first line and its wrapped ones."""
    yield branch, f"{trunk}│  " if tree.children else trunk, tree.text
    lead = trunk if depth < _DEEPEST else trunk[:-3]
    for child in tree.children[:-1]:
        yield from _branches(child, f"{lead}├─ ", f"{lead}│  ", min(depth + 1, _DEEPEST))
    for child in tree.children[-1:]:
        yield from _branches(child, f"{lead}└─ ", f"{lead}   ", min(depth + 1, _DEEPEST))
