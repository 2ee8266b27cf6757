"""Markdown tables (GitHub's), for issues and pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from outlay.render.width import clean
from outlay.render.words import LINE_HEADINGS, Row, cell, heading, headline, is_numeric, labelled, line_rows, total_row
from outlay.statement import Statement, Table, Tree

_SPECIAL = re.compile(r"([\\`*_\[\]|#])")
_MARKED = re.compile(r"^([-+=]|[0-9]+[.)])(?=\s|$|-|=)")


def markdown(thing: Statement | Table | Tree) -> str:
    """`thing` in Markdown; nothing in its texts is taken for markup, except code between backticks in notes and hints."""
    if isinstance(thing, Statement):
        blocks = _statement(thing)
    elif isinstance(thing, Table):
        blocks = _table(thing, "##")
    else:
        blocks = iter(["\n".join(_tree(thing, 0))])
    return "\n\n".join(block for block in blocks if block) + "\n"


def _statement(statement: Statement) -> Iterator[str]:
    yield f"## {_plain(statement.title)}"
    first = headline(statement)
    yield f"**{_plain(first)}**" if first else ""
    yield _plain(labelled(statement))
    if not statement.lines:
        yield from map(_spoken, statement.notes)
    if statement.lines:
        rows = [_cells(row) for row in line_rows(statement)]
        rows.append([f"**{words}**" if words else "" for words in _cells(total_row(statement))])
        yield _grid(LINE_HEADINGS, rows, (False, True, False, True, True, False))
    for section in statement.sections:
        yield from _table(section, "###")
    if statement.lines:
        yield from map(_spoken, statement.notes)
    if statement.assumed:
        entries = (
            f"- {_plain(entry.name)} = {_plain(entry.value)}: {_spoken(entry.why)}" for entry in statement.assumed
        )
        yield "Assumed:\n\n" + "\n".join(entries)
    for hint in statement.hints:
        yield f"> hint: {_spoken(hint)}"


def _cells(row: Row) -> list[str]:
    words = (row.quantity, row.unit, row.price, row.amount, row.basis)
    return [row.branch.replace(" ", "\u00a0") + _plain(row.name), *(_plain(entry) for entry in words)]


def _table(table: Table, level: str) -> Iterator[str]:
    yield f"{level} {_plain(table.title)}" if table.title else ""
    right = [is_numeric(table, place) for place in range(len(table.columns))]
    rows = [
        [_plain(cell(value, column)) for value, column in zip(row, table.columns, strict=True)] for row in table.rows
    ]
    if table.footer is not None:
        footer = zip(table.footer, table.columns, strict=True)
        rows.append(["" if value is None else f"**{_plain(cell(value, column))}**" for value, column in footer])
    yield _grid([heading(column) for column in table.columns], rows, right) if table.columns else ""
    for note in table.notes:
        yield _spoken(note)


def _grid(headings: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool]) -> str:
    rule = ["---:" if numeric else "---" for numeric in right]
    return "\n".join(f"| {' | '.join(row)} |" for row in ([_plain(entry) for entry in headings], rule, *rows))


def _tree(tree: Tree, depth: int) -> Iterator[str]:
    yield f"{'  ' * depth}- {_plain(tree.text)}"
    for child in tree.children:
        yield from _tree(child, depth + 1)


def _plain(text: str) -> str:
    """Text with every sign of Markdown escaped."""
    escaped = _SPECIAL.sub(r"\\\1", clean(text))
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("~", "&#126;")):
        escaped = escaped.replace(sign, entity)
    return _MARKED.sub(lambda match: match[1][:-1] + "\\" + match[1][-1], escaped)


def _spoken(text: str) -> str:
    """Text in which code between backticks stays code."""
    parts = clean(text).split("`")
    if len(parts) % 2 == 0:
        return _plain(text)
    return "".join(f"`{part}`" if place % 2 else _plain(part) for place, part in enumerate(parts) if part)
