"""`outlay validate`: predict measured runs from their configuration, and print the error."""

from __future__ import annotations

import functools
import operator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from outlay.cli.answer import emit_text, prepare
from outlay.cli.save import check_apart
from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.accuracy.validate import Predictor, Validation

FORMATS = ("text", "json", "csv", "md")


@click.command("validate")
@click.argument("records", nargs=-1, required=True, metavar="RECORDS.csv...")
@click.option("--format", type=click.Choice(FORMATS), metavar="FORMAT", help="text (default), json, csv or md.")
@click.option("-o", "--output", metavar="FILE", help="Write the answer to FILE, not to the screen.")
@click.option("--cross", metavar="source", help="Predict each row by a fit that never saw its source.")
@click.option("--interval", metavar="PERCENT", help="Share of runs that a range is to hold: 80 (default), 95.")
@click.option("--summary", is_flag=True, help="Leave out the rows (text and md).")
def command(
    records: tuple[str, ...],
    format: str | None,
    output: str | None,
    cross: str | None,
    interval: str | None,
    summary: bool,
) -> int:
    """Predict measured runs, and print the error.

    Each row of RECORDS.csv is one run of training, tuning or serving: its configuration and what it reached.
    Predictions use the configuration columns alone. What a row leaves empty is assumed, and said. Ranges come from rows
    that our fit had not used.

    \b
    Example:  outlay validate validation/training/*.csv
    """
    chosen = prepare(output, format)
    check_apart(output, records)
    if chosen not in FORMATS:
        raise InputError(
            f"a validation has no format `{chosen}`", expected=", ".join(FORMATS), hint="write `--format md`"
        )
    if cross not in (None, "source"):
        raise InputError(f"`--cross` is {cross}", expected="source", hint="write `--cross source`")
    from outlay.accuracy import runs, screen
    from outlay.accuracy.predict import predictor
    from outlay.accuracy.records import read_records
    from outlay.accuracy.serving.judged import judged
    from outlay.accuracy.serving.ranges import UNTRIED
    from outlay.accuracy.serving.validate import is_serving_file, read_serving
    from outlay.accuracy.validate import validate as judge
    from outlay.training import load_coefficients
    from outlay.training.ranges import load_ranges, parse_level

    served = [path for path in records if is_serving_file(path)]
    whole = [path for path in records if path not in served and runs.is_run_file(path)]
    steps = [path for path in records if path not in (*whole, *served)]
    level = parse_level(interval, since="" if whole or steps else UNTRIED)
    parts = []
    for path in steps:
        _measures(path)
    if steps:
        read = functools.reduce(operator.add, [read_records(path) for path in steps])
        unseen = {} if cross is None else _unseen()
        found = judge(read, predictor(load_coefficients()), unseen=unseen, ranges=load_ranges(), level=level)
        parts.append(found if cross is None else replace(found, notes=(_cross_note(found, unseen),)))
    if whole:
        read = functools.reduce(operator.add, [runs.read_runs(path) for path in whole])
        parts.append(runs.validate_runs(read, load_coefficients(), cross=cross is not None, level=level))
    if served:
        read = functools.reduce(operator.add, [read_serving(path) for path in served])
        parts.append(judged(read, cross=cross is not None, level=level))
    found = runs.joined(parts)
    if chosen == "json":
        text = screen.as_json(found)
    elif chosen == "csv":
        text = screen.as_csv(found)
    elif chosen == "md":
        text = screen.as_markdown(found, rows=not summary)
    else:
        text = screen.as_text(found, rows=not summary)
    emit_text(text, output=output, format=chosen)
    if not found.answered:
        raise InputError("no row could be predicted", hint="the answer lists each row with the reason")
    return 0


def _measures(path: str) -> None:
    """Refuse a file of records in which nothing was measured, whatever they are records of."""
    from outlay.accuracy import columns, runs_columns, tuning_rows
    from outlay.accuracy.records import header_of
    from outlay.accuracy.serving import columns as serving_columns

    header = header_of(path)
    kinds = {"training": columns, "serving": serving_columns, "whole runs": runs_columns}
    if any(header & set(kind.MEASURED) for kind in kinds.values()) or tuning_rows.is_table(list(header)):
        return
    if len(header & set().union(*(kind.COLUMNS for kind in kinds.values()))) < 2:
        return  # it has no header, and the reader says so
    listed = "; ".join(f"{', '.join(kind.MEASURED)} ({name})" for name, kind in kinds.items())
    raise InputError(
        f"`{path}` has no measured column",
        expected=f"at least one of {listed}",
        hint="`docs/reference/records.md`, `serving-records.md` and `whole-runs.md` list the columns",
    )


def _unseen() -> dict[str, Predictor]:
    """For each source of the fit, a predictor that has not seen it."""
    from outlay.accuracy.cross import load_unseen, predictors

    return predictors(load_unseen())


def _cross_note(found: Validation, unseen: dict[str, Predictor]) -> str:
    from outlay.accuracy.cross import note

    return note({one.row: one.source for one in found.comparisons}.values(), unseen)
