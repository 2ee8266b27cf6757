"""Statements: quantity × unit price = amount, line by line, each line with its receipts; a total, or *at least*.

What reads and subtracts saved statements loads on use: an answer needs neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlay.on_use import on_use
from outlay.statement.encode import to_json as to_json
from outlay.statement.explanation import Tree as Tree
from outlay.statement.explanation import explain as explain
from outlay.statement.figure import Figure as Figure
from outlay.statement.interval import Interval as Interval
from outlay.statement.line import Line as Line
from outlay.statement.notebook import show_html_with as show_html_with
from outlay.statement.receipt import BASES as BASES
from outlay.statement.receipt import Basis as Basis
from outlay.statement.receipt import Receipt as Receipt
from outlay.statement.sources import Citation as Citation
from outlay.statement.sources import citations as citations
from outlay.statement.sources import cite as cite
from outlay.statement.statement import SCHEMA as SCHEMA
from outlay.statement.statement import Assumption as Assumption
from outlay.statement.statement import Statement as Statement
from outlay.statement.statement import Total as Total
from outlay.statement.table import Cell as Cell
from outlay.statement.table import Column as Column
from outlay.statement.table import Table as Table

if TYPE_CHECKING:
    from outlay.statement.decode import MAX_BYTES as MAX_BYTES
    from outlay.statement.decode import from_json as from_json
    from outlay.statement.decode import load as load
    from outlay.statement.difference import diff as diff

__getattr__ = on_use(__name__, {"decode": ("MAX_BYTES", "from_json", "load"), "difference": ("diff",)})


__all__ = [
    "BASES",
    "MAX_BYTES",
    "SCHEMA",
    "Assumption",
    "Basis",
    "Cell",
    "Citation",
    "Column",
    "Figure",
    "Interval",
    "Line",
    "Receipt",
    "Statement",
    "Table",
    "Total",
    "Tree",
    "citations",
    "cite",
    "diff",
    "explain",
    "from_json",
    "load",
    "show_html_with",
    "to_json",
]
