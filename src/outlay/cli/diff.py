"""`outlay diff A.json B.json`."""

from __future__ import annotations

import click

from outlay.cli.answer import answer_options, emit, prepare
from outlay.cli.save import check_apart
from outlay.cli.settings import Verb


@click.command(cls=Verb, name="diff")
@click.argument("before", metavar="A.json")
@click.argument("after", metavar="B.json")
@answer_options
def command(before: str, after: str, format: str | None, output: str | None) -> int:
    """Subtract one statement from another.

    Both were saved with `-o FILE.json`. Lines that only one of them has are shown too.
    """
    form = prepare(output, format)
    check_apart(output, (before, after))
    from outlay.statement import diff, load

    emit(diff(load(before), load(after)), format=form, output=output)
    return 0
