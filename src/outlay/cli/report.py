"""`outlay report [FILE.json]`."""

from __future__ import annotations

import click

from outlay.cli.answer import answer_options, emit, prepare
from outlay.cli.save import check_apart
from outlay.cli.settings import Verb


@click.command(cls=Verb, name="report")
@click.argument("statement", metavar="[FILE.json]", required=False)
@answer_options
def command(statement: str | None, format: str | None, output: str | None) -> int:
    """Print a saved statement again, in any format.

    Nothing is computed anew. Without a file, the last answer is printed.
    """
    form = prepare(output, format)
    check_apart(output, (statement,))
    from outlay.cli.statements import statement_of

    emit(statement_of(statement), format=form, output=output)
    return 0
