"""What a pre-training costs: the question with its blanks filled, a layout that fits, the run, and its statement."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

import outlay.render as _render  # statements that come from here show themselves in notebooks
from outlay.scenarios.asked import inputs_of
from outlay.scenarios.terms import agree, price_notes
from outlay.scenarios.today import today as day
from outlay.scenarios.training.fitting import fit
from outlay.scenarios.training.hints import hints_of
from outlay.scenarios.training.question import Question, ask
from outlay.scenarios.training.statement import notes_of, run_of, statement_of
from outlay.statement import Statement
from outlay.training import Coefficients, load_coefficients
from outlay.training.ranges import parse_level
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

    `stages` is a table of the run's stages (:mod:`outlay.scenarios.training.stages`), of which `tokens` may be left out; `done`
    are the tokens that are trained already. Everything else is found or assumed, and then said in `Statement.assumed`. Texts are
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
    if tokens is None or stages is not None or done is not None:  # most questions have none of it, and load none of it
        from outlay.scenarios.training.staged import cost_stages
        from outlay.scenarios.training.stages import ask_stages

        parts, tokens = ask_stages(stages, tokens, done)
        if parts:
            return cost_stages(
                parts,
                asked,
                coefficients=coefficients,
                level=level,
                notes=notes,
                today=today or day(),
                path=str(stages),
            )
    question = ask(
        model,
        tokens=tokens,
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


def _title(question: Question) -> str:
    tokens = format_quantity(question.tokens, "tokens")
    tokens = "1 token" if question.tokens == 1 else tokens
    return f"Training {question.architecture.name} on {tokens} with {question.devices:,} × {question.accelerator.name}"
