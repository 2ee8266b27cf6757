"""`outlay cite [STATEMENT.json]`."""

from __future__ import annotations

import click

from outlay.cli.answer import answer_options, emit, prepare
from outlay.cli.settings import Verb


@click.command(cls=Verb, name="cite")
@click.argument("statement", metavar="[STATEMENT.json]", required=False)
@answer_options
def command(statement: str | None, format: str | None, output: str | None) -> int:
    """The sources behind a statement.

    Without a file, those of the last answer.
    """
    form = prepare(output, format)
    from outlay.cli.statements import statement_of
    from outlay.statement import citations

    emit(citations(statement_of(statement)), format=form, output=output)
    return 0
