"""How one figure came about, as a tree: the figure, what it was made of, and the sources at the tips."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from outlay.statement.figure import Figure, called
from outlay.statement.interval import Interval
from outlay.statement.line import Line
from outlay.statement.notebook import html
from outlay.statement.receipt import Receipt
from outlay.statement.statement import Assumption, Statement
from outlay.statement.table import Table
from outlay.units import UNITS, format_money, format_number, format_quantity


@dataclass(frozen=True, slots=True)
class Tree:
    """A sentence, and the sentences that it rests on."""

    text: str
    _: KW_ONLY
    children: tuple[Tree, ...] = ()

    def _repr_html_(self) -> str | None:
        return html(self)


def explain(statement: Statement, key: str) -> Tree:
    """How the line, figure or section `key` of `statement` came about; `total` explains the whole.

    >>> from outlay.statement.receipt import Receipt
    >>> listed = Receipt(2.5, unit="$/GPU-h", source="example.org/prices", date="2026-05", basis="quoted")
    >>> hours = Line("Training", key="training", quantity=Interval.of(100), unit="GPU-h",
    ...              unit_price=Interval.exact(2.5), basis="quoted", receipts=(listed,))
    >>> tree = explain(Statement("Training", lines=(hours,)), "training")
    >>> tree.text, [child.text for child in tree.children]
    ('Training: 100 GPU-h × $2.50/GPU-h = $250 (quoted)', ['$2.50/GPU-h: example.org/prices, 2026-05 (quoted)'])

    :raises InputError: if nothing in the statement has that name.
    """
    if key in ("total", "dollars"):
        tree, names = _of_total(statement), statement.stands_on(*statement.lines)
    else:
        found = statement.find(key)
        names = statement.stands_on(found)
        if isinstance(found, Line):
            tree = _of_line(found)
        elif isinstance(found, Figure):
            name = next(name for name, figure in statement.answer.items() if figure is found)
            tree = _of_figure(found, called(found, name))
        else:
            tree = _of_table(found)
    assumed = tuple(_of_assumption(entry) for entry in statement.assumed if entry.name in names)
    return Tree(tree.text, children=(*tree.children, *assumed)) if assumed else tree


def _of_total(statement: Statement) -> Tree:
    whole = statement.total
    amount = _range(whole.amount, "$") if whole.amount is not None else "nothing is priced"
    text = f"{'At least' if whole.at_least else 'Total'}: {amount}, {_sum_of(len(statement.lines))}"
    return Tree(text, children=tuple(_of_line(line) for line in statement.lines))


def _of_line(line: Line) -> Tree:
    if line.children:
        amount = _range(line.amount, "$") if line.amount is not None else "not priced"
        least = "" if line.priced or line.amount is None else "at least "
        children = tuple(_of_line(child) for child in line.children)
        return Tree(f"{line.name}: {least}{amount}, {_sum_of(len(children))}", children=(*_notes(line.note), *children))
    quantity = f"{_range(line.quantity, line.unit)}" if line.quantity else "an unknown quantity"
    price = _range(line.unit_price, f"$/{line.unit}" if line.unit else "$") if line.unit_price else "an unknown price"
    amount = f" = {_range(line.amount, '$')}" if line.amount is not None else ""
    return Tree(
        f"{line.name}: {quantity} × {price}{amount} ({line.shown_basis or 'no basis given'})",
        children=(
            *_notes(line.note),
            *(_of_figure(part, part.label) for part in line.parts),
            *(_of_receipt(receipt) for receipt in line.receipts),
        ),
    )


def _of_figure(figure: Figure, name: str) -> Tree:
    basis = f" ({figure.basis})" if figure.basis else ""
    how = f", {figure.note}" if figure.note else ""
    parts = tuple(_of_figure(part, part.label) for part in figure.parts)
    receipts = tuple(_of_receipt(receipt) for receipt in figure.receipts)
    label = f"{name.replace('_', ' ')}: " if name else ""
    return Tree(f"{label}{_range(figure.value, figure.unit)}{basis}{how}", children=(*parts, *receipts))


def _of_table(table: Table) -> Tree:
    rows = tuple(
        Tree(
            " · ".join(
                _cell(cell, column.unit) for cell, column in zip(row, table.columns, strict=True) if cell is not None
            ),
            children=tuple(tip for cell in row if isinstance(cell, Figure) for tip in _of_figure(cell, "").children),
        )
        for row in (*table.rows, *((table.footer,) if table.footer else ()))
    )
    receipts = tuple(_of_receipt(receipt) for receipt in table.receipts)
    return Tree(table.title, children=(*rows, *(Tree(note) for note in table.notes), *receipts))


def _cell(cell: object, unit: str) -> str:
    if isinstance(cell, Figure):
        return _range(cell.value, cell.unit)
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return format_quantity(cell, unit)
    return str(cell)


_LARGE = 1e6
"""From here on a sourced figure is written with a prefix: 989.4 TFLOP/s."""


def _of_receipt(receipt: Receipt) -> Tree:
    value = receipt.value
    if isinstance(value, bool) or value is None:
        shown = "" if value is None else str(value).lower()
    elif isinstance(value, int | float):
        shown = (
            format_money(value, cents=True) + receipt.unit[1:]
            if receipt.unit.startswith("$")
            else format_quantity(value, receipt.unit, digits=4)
            if receipt.unit in UNITS and abs(value) >= _LARGE
            else f"{format_number(value, digits=6)} {receipt.unit}".rstrip()
        )
    else:
        shown = value
    return Tree(f"{shown}: {receipt.sentence()}" if shown else receipt.sentence())


def _of_assumption(assumption: Assumption) -> Tree:
    children = (_of_receipt(assumption.receipt),) if assumption.receipt else ()
    return Tree(f"assumed {assumption.name} = {assumption.value}: {assumption.why}", children=children)


def _sum_of(lines: int) -> str:
    return "the one line below" if lines == 1 else f"the sum of {lines} lines"


def _notes(note: str) -> tuple[Tree, ...]:
    return (Tree(note),) if note else ()


def _range(value: Interval | None, unit: str) -> str:
    if value is None:
        return "?"
    likely = format_quantity(value.likely, unit)
    if value.has_range and value.low is not None and value.high is not None:
        return f"{likely} ({format_quantity(value.low, unit)} to {format_quantity(value.high, unit)})"
    return likely
