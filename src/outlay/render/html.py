"""HTML: a fragment for notebooks, a page for files; no script, and nothing is loaded from anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from outlay.render.width import clean
from outlay.render.words import LINE_HEADINGS, Row, cell, heading, headline, is_numeric, labelled, line_rows, total_row
from outlay.statement import Statement, Table, Tree

_STYLE = """\
.outlay{font:15px/1.5 system-ui,sans-serif;max-width:60rem;color-scheme:light dark}
.outlay table{border-collapse:collapse;margin:.75rem 0;font-variant-numeric:tabular-nums}
.outlay caption{text-align:left;font-weight:600}
.outlay th,.outlay td{padding:.15rem .6rem;text-align:left;vertical-align:top;border:0}
.outlay .n{text-align:right;white-space:nowrap}
.outlay tbody th{font-weight:400}
.outlay tfoot th,.outlay tfoot td{font-weight:600;border-top:1px solid currentColor}
.outlay .scroll{overflow-x:auto}
.outlay .answer{font-size:1.3rem;margin:.25rem 0}"""


def fragment(thing: Statement | Table | Tree) -> str:
    """`thing` as one `<section>` with its own style, to be put into any page."""
    if isinstance(thing, Statement):
        body = _statement(thing)
    elif isinstance(thing, Table):
        body = _table(thing)
    else:
        body = iter([f"<ul>{_tree(thing)}</ul>"])
    return "\n".join([f'<section class="outlay"><style>{_STYLE}</style>', *body, "</section>"]) + "\n"


def page(thing: Statement | Table | Tree) -> str:
    """`thing` as a whole page that can be opened from a file."""
    title = thing.text if isinstance(thing, Tree) else thing.title
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{_text(title)}</title>\n</head>\n<body>\n<main>\n{fragment(thing)}</main>\n</body>\n</html>\n"
    )


def _statement(statement: Statement) -> Iterator[str]:
    yield f"<h1>{_text(statement.title)}</h1>"
    for sentence, kind in ((headline(statement), ' class="answer"'), (labelled(statement), "")):
        if sentence:
            yield f"<p{kind}>{_text(sentence)}</p>"
    if not statement.lines:
        yield from (f"<p>{_spoken(note)}</p>" for note in statement.notes)
    if statement.lines:
        body = [_cells(row) for row in line_rows(statement)]
        right = (False, True, False, True, True, False)
        yield _grid("Lines", LINE_HEADINGS, body, _cells(total_row(statement)), right)
    for section in statement.sections:
        yield from _table(section)
    if statement.lines:
        yield from (f"<p>{_spoken(note)}</p>" for note in statement.notes)
    if statement.assumed:
        entries = (
            f"<li>{_text(f'{entry.name} = {entry.value}')}: {_spoken(entry.why)}</li>" for entry in statement.assumed
        )
        yield f"<h2>Assumed</h2>\n<ul>{''.join(entries)}</ul>"
    for hint in statement.hints:
        yield f"<p><strong>hint:</strong> {_spoken(hint)}</p>"


def _cells(row: Row) -> list[str]:
    branch = f'<span aria-hidden="true">{row.branch.replace(" ", "&nbsp;")}</span>' if row.branch else ""
    words = (row.quantity, row.unit, row.price, row.amount, row.basis)
    return [branch + _text(row.name), *(_text(entry) for entry in words)]


def _table(table: Table) -> Iterator[str]:
    right = [is_numeric(table, place) for place in range(len(table.columns))]
    rows = [
        [_text(cell(value, column)) for value, column in zip(row, table.columns, strict=True)] for row in table.rows
    ]
    footer = None
    if table.footer is not None:
        cells = zip(table.footer, table.columns, strict=True)
        footer = ["" if value is None else _text(cell(value, column)) for value, column in cells]
    yield _grid(table.title, [heading(column) for column in table.columns], rows, footer, right)
    for note in table.notes:
        yield f"<p>{_spoken(note)}</p>"


def _grid(
    caption: str,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    footer: Sequence[str] | None,
    right: Sequence[bool],
) -> str:
    """A table whose cells are escaped already; `headings` and `caption` are not."""
    head = "".join(
        f'<th scope="col"{_side(side)}>{_text(words)}</th>' for words, side in zip(headings, right, strict=True)
    )
    body = "\n".join(_row(row, right) for row in rows)
    foot = f"<tfoot>{_row(footer, right)}</tfoot>\n" if footer is not None else ""
    title = f"<caption>{_text(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(caption or "Table")}"><table>{title}\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n{foot}</table></div>"
    )


def _row(row: Sequence[str], right: Sequence[bool]) -> str:
    first, *others = row
    cells = "".join(f"<td{_side(side)}>{words}</td>" for words, side in zip(others, right[1:], strict=True))
    return f'<tr><th scope="row"{_side(right[0])}>{first}</th>{cells}</tr>'


def _side(numeric: bool) -> str:
    return ' class="n"' if numeric else ""


def _tree(tree: Tree) -> str:
    below = "".join(_tree(child) for child in tree.children)
    return f"<li>{_text(tree.text)}{f'<ul>{below}</ul>' if below else ''}</li>"


def _text(text: str) -> str:
    return escape(clean(text), quote=True)


def _spoken(text: str) -> str:
    """Escaped text in which what stands between backticks is code."""
    parts = _text(text).split("`")
    if len(parts) % 2 == 0:
        return _text(text)
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
