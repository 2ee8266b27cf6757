"""The sources behind a statement, each once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from outlay.statement.figure import Figure, called
from outlay.statement.receipt import Basis, Receipt
from outlay.statement.statement import Statement
from outlay.statement.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """One source: when it was read, on what basis its figures stand, and for what they were used."""

    source: str
    dates: tuple[str, ...]
    bases: tuple[Basis, ...]
    used_for: tuple[str, ...]


def cite(statement: Statement) -> tuple[Citation, ...]:
    """All sources of `statement`, in the order of first use; `citations` makes a table of them."""
    found: dict[str, list[tuple[Receipt, str]]] = {}
    for receipt, use in _receipts(statement):
        found.setdefault(receipt.source, []).append((receipt, use))
    return tuple(
        Citation(
            source=source,
            dates=tuple(sorted({receipt.date for receipt, _ in uses if receipt.date})),
            bases=tuple(dict.fromkeys(receipt.basis for receipt, _ in uses)),
            used_for=tuple(dict.fromkeys(use for _, use in uses)),
        )
        for source, uses in found.items()
    )


def citations(statement: Statement) -> Table:
    """The sources of `statement` as a table."""
    rows = [
        (entry.source, ", ".join(entry.dates), ", ".join(entry.bases), ", ".join(entry.used_for))
        for entry in cite(statement)
    ]
    return Table(
        f"Sources: {statement.title}", columns=("Source", "Date", "Basis", "Used for"), rows=rows, key="sources"
    )


def _receipts(statement: Statement) -> Iterator[tuple[Receipt, str]]:
    for line in statement.walk():
        yield from ((receipt, line.name) for receipt in line.receipts)
        for part in line.parts:
            yield from _of_figure(part, line.name)
    for name, figure in statement.answer.items():
        yield from _of_figure(figure, called(figure, name))
    for section in statement.sections:
        yield from ((receipt, section.title) for receipt in section.receipts)
        for row in section.rows:
            for cell in row:
                if isinstance(cell, Figure):
                    yield from _of_figure(cell, section.title)
    yield from ((entry.receipt, entry.name) for entry in statement.assumed if entry.receipt is not None)


def _of_figure(figure: Figure, use: str) -> Iterator[tuple[Receipt, str]]:
    yield from ((receipt, use) for receipt in figure.receipts)
    for part in figure.parts:
        yield from _of_figure(part, use)
