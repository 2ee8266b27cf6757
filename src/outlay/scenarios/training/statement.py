"""The statement of one run: its lines and figures, what was assumed for it, and what a reader should know beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from outlay import __version__
from outlay.layout import describe
from outlay.scenarios.provenance import receipts_of
from outlay.scenarios.terms import Terms
from outlay.scenarios.training.fitting import Fitted
from outlay.scenarios.training.lines import figures_of, lines_of
from outlay.scenarios.training.losses import assumptions
from outlay.scenarios.training.question import Question
from outlay.scenarios.training.ranged import relative_range
from outlay.scenarios.training.run import Run
from outlay.scenarios.training.sections import sections_of
from outlay.statement import Assumption, Interval, Statement, Table
from outlay.training import Coefficients, load_coefficients
from outlay.training.axes import TRIED
from outlay.training.choose import TIE
from outlay.training.ranges import percent
from outlay.units import format_quantity


def run_of(question: Question, fitted: Fitted, terms: Terms, coefficients: Coefficients, level: float) -> Run:
    """The run with its range."""
    run = Run(question=question, fitted=fitted, terms=terms, fitted_on=receipts_of(coefficients))
    if coefficients == load_coefficients():  # nobody knows how far others are off
        low, high = relative_range(question, level)
        run = replace(run, relative=Interval.between(low, 1.0, high), level=level)
    return run


def assumed_of(run: Run) -> tuple[Assumption, ...]:
    """Everything that was taken because nobody said."""
    return (*run.question.assumed, *_layout(run), *_steps(run), *_lost(run), *run.terms.assumed, *_making(run))


def statement_of(
    run: Run,
    *,
    title: str,
    notes: tuple[str, ...],
    hints: tuple[str, ...],
    inputs: Mapping[str, str | int | float],
    before: tuple[Table, ...] = (),
) -> Statement:
    """The run line by line, with what was assumed for it; tables `before` its own."""
    run = replace(run, assumed=assumed_of(run))
    return Statement(
        title,
        lines=lines_of(run),
        answer=figures_of(run),
        sections=(*before, *sections_of(run)),
        assumed=run.assumed,
        notes=notes,
        hints=hints,
        inputs=inputs,
        coverage=run.level,
        version=__version__,
    )


def _layout(run: Run) -> Iterator[Assumption]:
    """The layout, unless each degree of it was asked for."""
    chosen, fixed = run.fitted.chosen, run.question.fixed
    if chosen.looked_at <= 1:
        return
    why = (
        f"the simplest within {TIE - 1:.0%} of the fastest of {chosen.fitting:,} that fit, of {chosen.legal:,} legal ones, "
        f"of {chosen.looked_at:,} looked at ({TRIED})"
    )
    if fixed:
        why += f", with {', '.join(name.replace('_', ' ') for name in fixed)} as asked"
    yield Assumption("layout", value=describe(chosen.layout), why=why)


def _steps(run: Run) -> Iterator[Assumption]:
    """A step is run whole or not at all; said where that is more than the rounding of a long run."""
    asked, each = run.question.tokens, int(run.question.recipe.tokens)
    counted = run.steps * each
    if counted <= 1.01 * asked:
        return
    whole = "one whole step" if run.steps == 1 else f"{run.steps:,} whole steps"
    yield Assumption(
        "steps",
        value=f"{whole} of {format_quantity(each, 'tokens')}, {format_quantity(counted, 'tokens')} in all",
        why=f"{'1 token was' if asked == 1 else format_quantity(asked, 'tokens') + ' were'} asked for; "
        + ("a batch is larger than that" if run.steps == 1 else "the last batch would not be full"),
    )


def _lost(run: Run) -> tuple[Assumption, ...]:
    stated = run.terms.lost is not None
    return assumptions(run.useful_seconds, run.question, run.checkpoint_bytes, stated=stated, spot=run.spot)


def _making(run: Run) -> Iterator[Assumption]:
    yield Assumption(
        "carbon of making",
        value=f"{run.making.likely:,.0f} kg a device ({run.making.low:,.0f} to {run.making.high:,.0f})",
        why=f"over {run.life.likely:g} years, used {run.use.likely:.0%} of the time",
        receipt=run.making.receipt,
    )


LONG_RUN = 3 * 365.25 * 86_400.0
"""Seconds beyond which nobody runs one training: the accelerators would be replaced before its end."""
POOR_USE = 0.03
"""Share of the peak below which a step is no sensible use of its accelerators, or they are modelled badly."""


def notes_of(run: Run) -> Iterator[str]:
    """What a reader of the run should know beside its lines."""
    chosen = run.fitted.chosen
    if run.seconds > LONG_RUN:
        yield (
            f"This run takes {format_quantity(run.seconds, 's', digits=2)}, longer than accelerators are kept: "
            "take more of them, or train on fewer tokens."
        )
    if run.utilisation < POOR_USE:
        yield (
            f"A step uses {format_quantity(run.utilisation, '%', digits=2)} of the peak of a {run.question.accelerator.name}: "
            "the work suits it badly, or it is run in ways that outlay does not model. Do not rely on this answer."
        )
    if chosen.looked_at <= 1:
        yield f"Layout: {describe(chosen.layout)}, as asked."
    if float(chosen.layout.offload) > 0 and "offload" not in run.question.fixed:
        share = f"{float(chosen.layout.offload):.0%} of the optimizer's state"
        yield f"It is fastest, or fits only, with {share} on the host, whose update waits for the PCIe bus."
    if run.level is None:
        yield "How far coefficients of your own are off is not known: `outlay validate` prints the error on measured runs."
    else:
        yield (
            f"Ranges: {percent(run.level)} of measured runs from sources that our fit had not used lie within that of a step; "
            "to it the ranges of lost time and of the building are added, each at its worst."
            + (" What other sellers ask is left out." if run.terms.choice is not None else "")
        )
