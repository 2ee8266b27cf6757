"""`outlay explain LINE [STATEMENT.json]`."""

from __future__ import annotations

import os

import click

from outlay.cli.answer import answer_options, emit, prepare
from outlay.cli.settings import Verb
from outlay.errors import InputError


@click.command(cls=Verb, name="explain", example="outlay explain total")
@click.argument("line", metavar="LINE")
@click.argument("statement", metavar="[STATEMENT.json]", required=False)
@answer_options
def command(line: str, statement: str | None, format: str | None, output: str | None) -> int:
    """How one figure came about, down to its sources.

    LINE is a line of the statement ("training steps"), a table of it (memory, step, carbon), or total, or a
    figure beside it: time, energy, co2e of a run; ttft, tpot, e2e of a deployment. Without a file, the last answer is explained.
    """
    form = prepare(output, format)
    if statement is not None and not statement.endswith(".json") and not os.path.exists(statement):
        raise InputError(
            f"`{statement}` is no file",
            expected="one LINE, and a statement that was saved",
            hint=f'a line of several words stands in quotes: `outlay explain "{line} {statement}"`',
        )
    from outlay.cli.statements import FIGURES, statement_of
    from outlay.statement import explain

    found = statement_of(statement)
    key = FIGURES.get(line.strip().lower().replace(" ", "-"), "")
    emit(explain(found, key if key in found.answer else line.strip()), format=form, output=output)
    return 0
