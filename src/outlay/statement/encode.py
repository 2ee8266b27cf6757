"""Statements and tables as JSON, in the schemas that `outlay/schemas` publishes."""

from __future__ import annotations

import json
from typing import Any

from outlay.statement.explanation import Tree
from outlay.statement.figure import Figure
from outlay.statement.interval import Interval
from outlay.statement.line import Line
from outlay.statement.receipt import Receipt
from outlay.statement.statement import SCHEMA, Assumption, Statement
from outlay.statement.table import Cell, Table

TABLE_SCHEMA = "outlay/table/1"
TREE_SCHEMA = "outlay/explanation/1"


def to_json(thing: Statement | Table | Tree, *, indent: int | None = 2) -> str:
    """`thing` as JSON text; amounts and totals are written for readers, and computed again by `from_json`.

    >>> to_json(Tree("Total: $250"), indent=None)
    '{"schema": "outlay/explanation/1", "text": "Total: $250", "children": []}'
    """
    if isinstance(thing, Statement):
        document = _statement(thing)
    elif isinstance(thing, Table):
        document = {"schema": TABLE_SCHEMA, **_table(thing)}
    else:
        document = {"schema": TREE_SCHEMA, **_tree(thing)}
    text = json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, as file names may hold: only its escape can be written
        return json.dumps(document, indent=indent, allow_nan=False)
    return text


def _statement(statement: Statement) -> dict[str, Any]:
    whole = statement.total
    return {
        "schema": SCHEMA,
        "version": statement.version,
        "title": statement.title,
        "total": {"unit": "$", "amount": _interval(whole.amount), "at_least": whole.at_least},
        "coverage": statement.coverage,
        "answer": {name: _figure(figure) for name, figure in statement.answer.items()},
        "lines": [_line(line) for line in statement.lines],
        "sections": [_table(table) for table in statement.sections],
        "assumed": [_assumption(entry) for entry in statement.assumed],
        "notes": list(statement.notes),
        "hints": list(statement.hints),
        "inputs": dict(statement.inputs),
    }


def _line(line: Line) -> dict[str, Any]:
    return {
        "key": line.key,
        "name": line.name,
        "quantity": _interval(line.quantity),
        "unit": line.unit,
        "unit_price": _interval(line.unit_price),
        "amount": _interval(line.amount),
        "priced": line.priced,
        "basis": line.basis,
        "note": line.note,
        "receipts": [_receipt(receipt) for receipt in line.receipts],
        "assumed": list(line.assumed),
        "parts": [_figure(part) for part in line.parts],
        "children": [_line(child) for child in line.children],
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "value": _interval(figure.value),
        "unit": figure.unit,
        "label": figure.label,
        "note": figure.note,
        "basis": figure.basis,
        "parts": [_figure(part) for part in figure.parts],
        "receipts": [_receipt(receipt) for receipt in figure.receipts],
        "assumed": list(figure.assumed),
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "key": table.key,
        "title": table.title,
        "columns": [
            {"name": column.name, "unit": column.unit, "total": column.total, "digits": column.digits}
            for column in table.columns
        ],
        "rows": [[_cell(cell) for cell in row] for row in table.rows],
        "footer": None if table.footer is None else [_cell(cell) for cell in table.footer],
        "footer_label": table.footer_label,
        "notes": list(table.notes),
        "receipts": [_receipt(receipt) for receipt in table.receipts],
        "assumed": list(table.assumed),
    }


def _cell(cell: Cell) -> Any:
    return _figure(cell) if isinstance(cell, Figure) else cell


def _assumption(entry: Assumption) -> dict[str, Any]:
    receipt = None if entry.receipt is None else _receipt(entry.receipt)
    return {"name": entry.name, "value": entry.value, "why": entry.why, "receipt": receipt}


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {name: getattr(receipt, name) for name in ("value", "unit", "source", "date", "basis", "note")}


def _interval(interval: Interval | None) -> dict[str, float | None] | None:
    return None if interval is None else {"low": interval.low, "likely": interval.likely, "high": interval.high}


def _tree(tree: Tree) -> dict[str, Any]:
    return {"text": tree.text, "children": [_tree(child) for child in tree.children]}
