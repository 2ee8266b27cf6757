"""What a pre-training costs: the question with its blanks filled, a layout that fits, the run, and its statement."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import outlay.render as _render  # statements that come from here show themselves in notebooks
from outlay import __version__, catalog
from outlay.layout import describe
from outlay.scenarios.fitting import Fitted, fit
from outlay.scenarios.hints import hints_of
from outlay.scenarios.lines import figures_of, lines_of
from outlay.scenarios.losses import assumptions
from outlay.scenarios.provenance import receipts_of
from outlay.scenarios.question import Question, ask
from outlay.scenarios.ranged import relative_range
from outlay.scenarios.run import Run
from outlay.scenarios.sections import sections_of
from outlay.scenarios.stages import ask_stages
from outlay.scenarios.terms import Terms, agree
from outlay.scenarios.today import today as day
from outlay.statement import Assumption, Interval, Statement, Table
from outlay.training import Coefficients, load_coefficients
from outlay.training.axes import TRIED
from outlay.training.choose import TIE
from outlay.training.ranges import parse_level, percent
from outlay.units import format_quantity
from outlay.workload import Architecture

assert _render.FORMATS


def cost_training(
    model: str | Mapping[str, object] | Architecture,
    *,
    tokens: str | float | None = None,
    on: str,
    stages: str | None = None,
    done: str | float | None = None,
    layout: str | None = None,
    sequence_length: str | int | None = None,
    global_batch: str | int | None = None,
    precision: str | None = None,
    optimizer: str | None = None,
    recompute: str | None = None,
    framework: str | None = None,
    gpus_per_node: str | int | None = None,
    interconnect: str | None = None,
    provider: str | None = None,
    tier: str | None = None,
    price: str | float | None = None,
    discount: str | float | None = None,
    grid: str | None = None,
    pue: str | float | None = None,
    electricity: str | float | None = None,
    data: str | float | None = None,
    checkpoints: str | int | None = None,
    lost_work: str | float | None = None,
    hardware: str | float | None = None,
    life: str | float | None = None,
    use: str | float | None = None,
    egress: str | float | None = None,
    exploration: str | float | None = None,
    people: str | float | None = None,
    interval: str | float | None = None,
    notes: tuple[str, ...] = (),
    coefficients: Coefficients | None = None,
    today: datetime.date | None = None,
) -> Statement:
    """What it costs to train `model` from scratch on `tokens` with the accelerators `on` (`h100-sxm:64`).

    `stages` is a table of the run's stages (:mod:`outlay.scenarios.stages`), of which `tokens` may be left out; `done` are
    the tokens that are trained already. Everything else is found or assumed, and then said in `Statement.assumed`. Texts are
    read as on the command line (`"1T"`, `"4M tokens"`, `"30%"`); numbers are in base units: tokens, sequences, bytes, shares.

    >>> answer = cost_training("gpt2", tokens=10e9, on="rtx-4090", price=0.40)
    >>> [line.key for line in answer.lines], answer.total.at_least
    (['accelerators', 'storage', 'network'], True)

    :raises InputError: for anything that cannot be read, or that nobody sells.
    :raises DoesNotFit: if no layout fits in memory, with what would help.
    """
    asked = {name: value for name, value in locals().items() if name not in ("notes", "coefficients", "today")}
    level = parse_level(interval)
    coefficients = coefficients or load_coefficients()
    parts, left = ask_stages(stages, tokens, done)
    if parts:
        from outlay.scenarios.staged_run import cost_stages

        return cost_stages(
            parts, asked, coefficients=coefficients, level=level, notes=notes, today=today or day(), path=stages or ""
        )
    question = ask(
        model,
        tokens=left,
        on=on,
        layout=layout,
        sequence_length=sequence_length,
        global_batch=global_batch,
        precision=precision,
        optimizer=optimizer,
        recompute=recompute,
        framework=framework,
        gpus_per_node=gpus_per_node,
        interconnect=interconnect,
    )
    fitted = fit(question, coefficients)
    question = fitted.question
    terms = agree(
        question,
        provider=provider,
        tier=tier,
        price=price,
        discount=discount,
        grid=grid,
        pue=pue,
        electricity=electricity,
        data=data,
        checkpoints=checkpoints,
        lost_work=lost_work,
        hardware=hardware,
        life=life,
        use=use,
        egress=egress,
        exploration=exploration,
        people=people,
    )
    run = run_of(question, fitted, terms, coefficients, level)
    return statement_of(
        run,
        title=_title(question),
        notes=(*price_notes(terms, today or day()), *notes_of(run), *notes),
        hints=hints_of(run, coefficients, data_said=data is not None),
        inputs=inputs_of(asked),
    )


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


def _title(question: Question) -> str:
    tokens = format_quantity(question.tokens, "tokens")
    tokens = "1 token" if question.tokens == 1 else tokens
    return f"Training {question.architecture.name} on {tokens} with {question.devices:,} × {question.accelerator.name}"


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
        value=f"{run.making.likely:.0f} kg a device ({run.making.low:.0f} to {run.making.high:.0f})",
        why=f"over {run.life.likely:g} years, used {run.use.likely:.0%} of the time",
        receipt=run.making.receipt,
    )


def price_notes(terms: Terms, today: datetime.date) -> Iterator[str]:
    """Whose price it is, and how old."""
    if terms.choice is None:
        return
    listing = terms.choice.price
    old = catalog.stale(listing.date, today)
    yield f"Prices: {listing.provider}, {listing.date}" + (f" ({old})." if old else ".")


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


def inputs_of(asked: Mapping[str, object]) -> dict[str, str | int | float]:
    """What was asked, under the names of the parameters, in JSON's types."""
    inputs: dict[str, str | int | float] = {}
    for name, value in asked.items():
        if value is None:
            continue
        if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
            inputs[name] = value
        else:
            inputs[name] = getattr(value, "name", "") or "a config"
    return inputs
