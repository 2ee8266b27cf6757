"""The best plan for a training: over accelerators, counts, sellers, tiers and layouts, within what one has and may spend."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence

import outlay.render as _render  # statements that come from here show themselves in notebooks
from outlay.layout import describe
from outlay.scenarios.asked import inputs_of
from outlay.scenarios.terms import price_notes
from outlay.scenarios.today import today as day
from outlay.scenarios.training.course import Course, course_of
from outlay.scenarios.training.course_statement import course_notes, statement_of_course
from outlay.scenarios.training.question import Question
from outlay.scenarios.training_plan.candidates import Candidate
from outlay.scenarios.training_plan.question import Wanted
from outlay.scenarios.training_plan.relief import relief_table
from outlay.scenarios.training_plan.search import Planned, Search, best_of, search_plan
from outlay.scenarios.training_plan.sections import (
    all_table,
    beyond,
    binding,
    counts_table,
    front_table,
    limits_in_words,
    looked_at,
    machines,
    nearest,
    recipe_of,
    recipes_table,
    seller,
    sellers_table,
    substitute,
)
from outlay.statement import Figure, Statement, Table
from outlay.units import format_quantity
from outlay.workload import Architecture

assert _render.FORMATS


def plan_training(
    model: str | Mapping[str, object] | Architecture,
    *,
    tokens: str | float | None = None,
    stages: str | None = None,
    on: str | None = None,
    count: str | int | None = None,
    provider: str | None = None,
    tier: str | None = None,
    goal: str | None = None,
    under: str | float | None = None,
    within: str | float | None = None,
    carbon: str | float | None = None,
    have: str | None = None,
    without: str | None = None,
    done: str | float | None = None,
    layout: str | None = None,
    sequence_length: str | int | None = None,
    global_batch: str | int | None = None,
    precision: str | None = None,
    optimizer: str | None = None,
    recompute: str | None = None,
    framework: str | None = None,
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
    every: bool = False,
    notes: tuple[str, ...] = (),
    progress: Callable[[int, int], None] | None = None,
    today: datetime.date | None = None,
) -> Statement:
    """The plan that reaches `goal` (cheapest, fastest, greenest) within dollars, time and carbon; its statement.

    Every accelerator (`on`: names or `any`), count, seller and tier is looked at, each with all its layouts. `have` is
    what there is of each accelerator; `without` cannot be had; `stages` is a table of the run's stages and `done` are the tokens
    that are trained already. `precision` and `optimizer` may name several, of which the best is found. `every` adds a table
    of all plans. Texts are read as on the command line; numbers are in base units.

    >>> plan = plan_training("gpt2", tokens=10e9, on="rtx-4090,h100-sxm", count="1..4", within="4d")
    >>> plan.sections[0].key, plan.total.amount.likely < 500
    ('front', True)

    :raises InputError: for anything that cannot be read, or that contradicts itself.
    :raises DoesNotFit: if no plan is within the limits, with the nearest that there is.
    """
    asked = {name: value for name, value in locals().items() if name not in ("notes", "progress", "today")}
    planned = search_plan(model, asked, progress=progress)
    search, best = planned.search, planned.best
    wanted, candidates, missed = search.wanted, planned.found.candidates, search.missed()

    def again(questions: Sequence[Question]) -> Course:
        """On the terms of the best, stage by stage."""
        terms = iter([run.terms for run in best.course.runs])
        return course_of(search.stages, search.fit(questions), lambda _: next(terms), search.assemble)

    relief = relief_table(best.course, again)
    near = nearest(planned.judged, candidates, wanted)
    return statement_of_course(
        best.course,
        title=_title(planned),
        before=tuple(
            table
            for table in (
                front_table(planned.usable),
                recipes_table(planned.usable, wanted),
                counts_table(planned.usable, wanted) if "," in str(count or "") else None,
                sellers_table(best, candidates),
                relief,
                all_table(candidates, wanted) if every else None,
            )
            if table is not None
        ),
        notes=(
            *beyond(best, wanted),
            *binding(planned.judged, candidates, wanted, best),
            *(substitute(best_of(missed, wanted), best, wanted) if missed else ()),
            *(() if near is None else (near,)),
            looked_at(planned.found, planned.usable),
            *_supply(best, wanted, relief),
            *dict.fromkeys(note for run in best.course.runs for note in price_notes(run.terms, today or day())),
            *_quality(search),
            *course_notes(best.course),
            *notes,
        ),
        hints=tuple(_again(model, planned)),
        inputs=inputs_of(asked),
    )


def _supply(best: Candidate, wanted: Wanted, relief: Table | None) -> Iterator[str]:
    """What a price list does not say, and what there is not enough of."""
    chip, count = best.place.chip, best.place.devices
    more = None if relief is None else relief.rows[0]
    if wanted.had is not None and count == wanted.had.get(chip) and more is not None and str(more[0]).endswith("more"):
        change = more[2]
        assert isinstance(change, Figure)
        shorter = format_quantity(abs(change.value.likely), "%", digits=2)
        yield f"What binds is supply: with {more[0]} of the {chip} it would take {shorter} less time."
    free = {} if wanted.had is None else {name: number for name, number in wanted.had.items() if name != chip}
    if free:
        others = " and ".join(f"{number:,} × {name}" for name, number in free.items())
        yield f"A run is planned on one kind of accelerator: {others} stay free."
    if best.run.terms.choice is not None and wanted.had is None and best.run.question.devices > 1:
        yield (
            f"Whether {best.run.terms.provider} has {best.run.question.devices:,} free, linked and for you, no list says: "
            "`--have` plans with what there is, `--without` without what there is not."
        )


def _title(planned: Planned) -> str:
    search, best = planned.search, planned.best
    limits = limits_in_words(search.wanted)
    return (
        f"The {search.wanted.goal} way to train {search.architecture.name} on {tokens_in_words(search)}"
        f"{' ' + limits if limits else ''}: {machines(best)} ({seller(best)})"
        f"{', in ' + recipe_of(best) if len(search.recipes) > 1 else ''}"
    )


def tokens_in_words(search: Search) -> str:
    """`1 T tokens in 3 stages`."""
    words = "1 token" if search.tokens == 1 else format_quantity(search.tokens, "tokens")
    count = len(search.stages)
    return f"{words} in {count} stage{'s' if count > 1 else ''}" if count else words


def _quality(search: Search) -> Iterator[str]:
    """What a search over recipes leaves out."""
    if len(search.recipes) > 1:
        yield (
            "Precisions and optimizers are compared by time, memory and money alone: what they do to the model's loss is not "
            "predicted."
        )


LONG, SOON = 365 * 86_400.0, 90 * 86_400.0
"""Seconds of a plan that nobody wants who did not say so, and of one that many would."""
_KEPT = (
    *("tokens", "stages", "done", "layout", "sequence_length", "global_batch", "precision", "optimizer", "recompute"),
    *("framework", "price", "discount", "grid", "pue", "electricity", "data", "checkpoints", "lost_work", "hardware"),
    *("life", "use", "egress", "exploration", "people", "interval"),
)
_FLAGS = {"sequence_length": "seq", "global_batch": "batch"}


def _again(model: object, planned: Planned) -> Iterator[str]:
    """The command that prices the same plan by itself, and the flag that starts it."""
    quick = [entry for entry in planned.usable if entry.seconds <= SOON]
    if "seconds" not in planned.search.wanted.limits and planned.best.seconds > LONG and quick:
        yield f"`--within {SOON / 86_400:g}d` keeps to plans that end sooner; the cheapest machines are slow ones"
    if not isinstance(model, str):
        return
    search, best = planned.search, planned.best
    run, asked = best.run, {**search.asked, **search.recipes[best.place.recipe]}
    words = ["outlay", "cost", "training", model]
    for name in _KEPT:
        if asked.get(name) is None or (name == "electricity" and not run.terms.owned):
            continue
        words += [f"--{_FLAGS.get(name, name).replace('_', '-')}", str(asked[name])]
    words += ["--on", f"{best.place.chip}:{best.place.devices}"]
    if run.terms.choice is not None and run.terms.provider:
        words += ["--provider", run.terms.provider]
    if asked.get("price") is None or run.terms.owned:
        words += ["--tier", run.terms.tier]
    what = "" if search.stages else f", in layout {describe(run.fitted.chosen.layout)}"
    starts = "" if search.stages else "; with `--export megatron`, or another tool, it writes what starts it"
    yield f"`{shlex.join(words)}` is this plan alone{what}{starts}"
