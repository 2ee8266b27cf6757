"""`outlay validate`: predict measured runs from their configuration, and print the error."""

from __future__ import annotations

import functools
import operator
import sys
from pathlib import Path

import click

from outlay.cli.answer import prepare
from outlay.cli.save import save
from outlay.errors import InputError

FORMATS = ("text", "json", "csv", "md")


@click.command("validate")
@click.argument("records", nargs=-1, required=True, metavar="RECORDS.csv...")
@click.option("--format", type=click.Choice(FORMATS), metavar="FORMAT", help="text (default), json, csv or md.")
@click.option("-o", "--output", metavar="FILE", help="Write the answer to FILE, not to the screen.")
@click.option("--summary", is_flag=True, help="Leave out the rows (text and md).")
def command(records: tuple[str, ...], format: str | None, output: str | None, summary: bool) -> int:
    """Predict measured training runs, and print the error.

    Each row of RECORDS.csv is one run: its configuration and what it reached. Predictions use the configuration
    columns alone. What a row leaves empty is assumed, and said.

    \b
    Example:  outlay validate validation/training/*.csv
    """
    chosen = prepare(output, format)
    if chosen not in FORMATS:
        raise InputError(
            f"a validation has no format `{chosen}`", expected=", ".join(FORMATS), hint="write `--format md`"
        )
    from outlay import accuracy
    from outlay.accuracy import screen
    from outlay.training import load_coefficients

    read = functools.reduce(operator.add, [accuracy.read_records(path) for path in records])
    found = accuracy.validate(read, accuracy.predictor(load_coefficients()))
    if chosen == "json":
        text = screen.as_json(found)
    elif chosen == "csv":
        text = screen.as_csv(found)
    elif chosen == "md":
        text = screen.as_markdown(found, rows=not summary)
    else:
        text = screen.as_text(found, rows=not summary)
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        save(Path(output), text)
        print(f"saved in {output}", file=sys.stderr)
    if not found.answered:
        raise InputError("no row could be predicted", hint="the answer lists each row with the reason")
    return 0
