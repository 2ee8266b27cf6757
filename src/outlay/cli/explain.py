"""`outlay explain LINE [STATEMENT.json]`."""

from __future__ import annotations

import click

from outlay.cli.answer import answer_options, emit, prepare
from outlay.cli.settings import Verb


@click.command(cls=Verb, name="explain")
@click.argument("line", metavar="LINE")
@click.argument("statement", metavar="[STATEMENT.json]", required=False)
@answer_options
def command(line: str, statement: str | None, format: str | None, output: str | None) -> int:
    """How one figure came about, down to its sources.

    LINE is a line of the statement ("training steps"), a table of it (memory, step, carbon), or total, time,
    energy, co2e. Without a file, the last answer is explained.
    """
    form = prepare(output, format)
    from outlay.cli.statements import FIGURES, statement_of
    from outlay.statement import explain

    found = statement_of(statement)
    key = FIGURES.get(line.strip().lower().replace(" ", "-"), line.strip())
    emit(explain(found, key), format=form, output=output)
    return 0
