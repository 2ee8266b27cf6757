"""The best plan for a training: over accelerators, counts, sellers, tiers and layouts, within what one has and may spend."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

import outlay.render as _render  # statements that come from here show themselves in notebooks
from outlay import units
from outlay.errors import DoesNotFit, InputError
from outlay.layout import describe
from outlay.scenarios.fitting import Fitted
from outlay.scenarios.named import read_model
from outlay.scenarios.plan_candidates import Candidate, Found, candidates_of
from outlay.scenarios.plan_question import Wanted, ask_plan
from outlay.scenarios.plan_sections import (
    FLAGS,
    all_table,
    binding,
    front_table,
    limits_in_words,
    looked_at,
    machines,
    nearest,
    score,
    seller,
    shown,
    substitute,
    why,
)
from outlay.scenarios.question import Question, ask
from outlay.scenarios.relief import relief_table
from outlay.scenarios.run import Run
from outlay.scenarios.terms import Terms, agree
from outlay.scenarios.today import today as day
from outlay.scenarios.training_run import inputs_of, notes_of, price_notes, run_of, statement_of
from outlay.search.limits import Judged, judge
from outlay.statement import Statement
from outlay.training import load_coefficients
from outlay.training.ranges import parse_level
from outlay.units import format_quantity
from outlay.workload import Architecture

assert _render.FORMATS


def plan_training(
    model: str | Mapping[str, object] | Architecture,
    *,
    tokens: str | float,
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
    interval: str | float | None = None,
    every: bool = False,
    notes: tuple[str, ...] = (),
    progress: Callable[[int, int], None] | None = None,
    today: datetime.date | None = None,
) -> Statement:
    """The plan that reaches `goal` (cheapest, fastest, greenest) within dollars, time and carbon; its statement.

    Every accelerator (`on`: names or `any`), count, seller and tier is looked at, each with all its layouts. `have` is
    what there is of each accelerator; `without` cannot be had; `done` are the tokens that are trained already. `every`
    adds a table of all plans. Texts are read as on the command line; numbers are in base units.

    >>> plan = plan_training("gpt2", tokens=10e9, on="rtx-4090,h100-sxm", count="1..4", within="4d")
    >>> plan.sections[0].key, plan.total.amount.likely < 500
    ('front', True)

    :raises InputError: for anything that cannot be read, or that contradicts itself.
    :raises DoesNotFit: if no plan is within the limits, with the nearest that there is.
    """
    asked = {name: value for name, value in locals().items() if name not in ("notes", "progress", "today")}
    level, coefficients = parse_level(interval), load_coefficients()
    wanted = ask_plan(
        on=on,
        count=count,
        providers=provider,
        tiers=tier,
        goal=goal,
        under=under,
        within=within,
        carbon=carbon,
        have=have,
        without=without,
        priced=price is not None,
    )
    architecture, receipt = read_model(model)
    left = _left(tokens, done)

    def question(chip: str, devices: int) -> Question:
        found = ask(
            architecture,
            tokens=left,
            on=f"{chip}:{devices}",
            layout=layout,
            sequence_length=sequence_length,
            global_batch=global_batch,
            precision=precision,
            optimizer=optimizer,
            recompute=recompute,
            framework=framework,
            gpus_per_node=None,
            interconnect=None,
        )
        return replace(found, model_receipt=receipt)

    def terms(asked: Question, who: str | None, kind: str) -> Terms:
        return agree(
            asked,
            provider=None if price is not None else who,
            tier=None if price is not None and kind != "owned" else kind,
            price=price,
            discount=discount,
            grid=grid,
            pue=pue,
            electricity=electricity if kind == "owned" else None,
            data=data,
            checkpoints=checkpoints,
            lost_work=lost_work,
        )

    def assemble(asked: Question, fitted: Fitted, agreed: Terms) -> Run:
        return run_of(asked, fitted, agreed, coefficients, level)

    def look(wanted: Wanted, progress: Callable[[int, int], None] | None = None) -> Found:
        return candidates_of(
            wanted,
            asker=question,
            agree=terms,
            assemble=assemble,
            coefficients=coefficients,
            contenders=lambda candidates, faster: _contenders(candidates, wanted, faster),
            progress=progress,
        )

    found = look(wanted, progress)
    candidates = found.candidates
    if not candidates:
        raise _nothing(architecture, wanted, found)
    judged = judge(_figures(candidates), wanted.limits)
    usable = _usable(candidates, wanted, judged)
    if not usable:
        raise _none_within(architecture, wanted, judged, candidates)
    best = _best(usable, wanted)
    missed = _usable(look(replace(wanted, machines=wanted.gone)).candidates, wanted) if wanted.gone else []

    def again(question: Question, fitted: Fitted) -> Run:
        return assemble(question, fitted, best.run.terms)

    relief = relief_table(best.run, again, coefficients)
    near = nearest(judged, candidates, wanted)
    return statement_of(
        best.run,
        title=_title(architecture, left, wanted, best),
        before=tuple(
            table
            for table in (front_table(usable), relief, all_table(candidates, wanted) if every else None)
            if table is not None
        ),
        notes=(
            *binding(judged, candidates, wanted, best),
            *(substitute(_best(missed, wanted), best, wanted) if missed else ()),
            *(() if near is None else (near,)),
            looked_at(found),
            *_supply(best, wanted),
            *price_notes(best.run.terms, today or day()),
            *notes_of(best.run),
            *notes,
        ),
        hints=(_again(model, architecture, left, best),),
        inputs=inputs_of(asked),
    )


def _usable(candidates: Sequence[Candidate], wanted: Wanted, judged: Judged | None = None) -> list[Candidate]:
    """Candidates within the limits, of which one knows what the goal makes small."""
    judged = judged or judge(_figures(candidates), wanted.limits)
    return [
        entry
        for entry, kept in zip(candidates, judged.within, strict=True)
        if kept and np.isfinite(score(entry, wanted.goal))
    ]


def _best(usable: Sequence[Candidate], wanted: Wanted) -> Candidate:
    return min(usable, key=lambda entry: (score(entry, wanted.goal), entry.seconds, entry.dollars))


def _figures(candidates: Sequence[Candidate]) -> dict[str, NDArray[np.float64]]:
    return {
        name: np.array([getattr(entry, name) for entry in candidates], dtype=np.float64)
        for name in ("dollars", "seconds", "kg_co2e")
    }


def _contenders(candidates: Sequence[Candidate], wanted: Wanted, faster: float) -> Iterator[int]:
    """Candidates that, were they `faster` by a factor and cheaper by as much, could be best, nearest, or on the front."""
    if not candidates:
        return
    now = _figures(candidates)
    then = {name: values / faster for name, values in now.items()}
    kept = judge(now, wanted.limits).within
    could = judge(then, wanted.limits).within
    if not could.any():  # then the nearest counts: whatever is not much farther off than it
        worst = np.max([np.asarray(excess) for excess in judge(now, wanted.limits).over.values()], axis=0)
        yield from map(int, np.flatnonzero(worst + 1.0 <= (worst.min() + 1.0) * faster))
        return
    goal = {"cheapest": "dollars", "fastest": "seconds", "greenest": "kg_co2e"}[wanted.goal]
    for index in np.flatnonzero(could):
        better = (now["dollars"] < then["dollars"][index]) & (now["seconds"] < then["seconds"][index]) & kept
        best = then[goal][index] <= now[goal][kept].min(initial=np.inf)
        if best or not better.any():
            yield int(index)


def _supply(best: Candidate, wanted: Wanted) -> Iterator[str]:
    """What a price list does not say."""
    if best.run.terms.choice is not None and wanted.had is None and best.run.question.devices > 1:
        yield (
            f"Whether {best.run.terms.provider} has {best.run.question.devices:,} free, linked and for you, no list says: "
            "`--have` plans with what there is, `--without` without what there is not."
        )


def _left(tokens: str | float, done: str | float | None) -> int:
    """Tokens that are still to be trained."""
    whole = int(units.parse(tokens, "tokens", name="--tokens"))
    trained = 0 if done is None else int(units.parse(done, "tokens", name="--done", zero=True, example="3.2T"))
    if trained >= whole:
        raise InputError(
            f"`--done {done}` is all of `--tokens {tokens}`", expected="less", hint="nothing is left to plan"
        )
    return whole - trained


def _title(architecture: Architecture, left: int, wanted: Wanted, best: Candidate) -> str:
    limits = limits_in_words(wanted)
    return (
        f"The {wanted.goal} way to train {architecture.name} on {format_quantity(left, 'tokens')}"
        f"{' ' + limits if limits else ''}: {machines(best)} ({seller(best)})"
    )


def _nothing(architecture: Architecture, wanted: Wanted, found: Found) -> DoesNotFit:
    """Nothing could be priced at all: nobody sells it, or nothing fits."""
    small = [entry for entry in found.failed if entry.need is not None]
    if small:
        near = min(small, key=lambda entry: entry.need or np.inf)
        return DoesNotFit(
            f"{architecture.name} fits on none of the machines asked for\n"
            f"  nearest: {near.count:,} × {near.chip}, whose fullest device needs {near.need:.2f} times its memory",
            hint=f"write `--count {near.count * 2}..{near.count * 16}`, or larger accelerators",
        )
    if found.failed:
        return DoesNotFit(found.failed[0].why, hint="write other counts, or leave `--layout` and `--batch` out")
    chips = ", ".join(sorted(wanted.machines))
    return DoesNotFit(
        f"nobody offers {chips} in these counts as {' or '.join(wanted.tiers)}, linked to each other",
        hint="write fewer (`--count`), another `--tier`, or your own `--price`",
    )


def _none_within(
    architecture: Architecture, wanted: Wanted, judged: Judged, candidates: tuple[Candidate, ...]
) -> DoesNotFit:
    """The limits cannot be kept: the nearest plan, and what would have to give."""
    place = judged.nearest()
    if place is None:
        return DoesNotFit(
            f"nobody lists a price of what trains {architecture.name} within these limits",
            hint="write your own `--price`, or `--goal fastest`",
        )
    near = candidates[place]
    more = {name: getattr(near, name) for name in judged.broken(place)}
    relief = " ".join(f"{FLAGS[name]} {_rounded(name, value)}" for name, value in more.items())
    return DoesNotFit(
        f"no plan trains {architecture.name} {limits_in_words(wanted)}\n"
        f"  nearest: {machines(near)} ({seller(near)}) {why(judged, place, near, wanted)}\n"
        f"  its time is {shown('seconds', near.seconds)}, its cost {shown('dollars', near.dollars)}",
        hint=f"it is there with `{relief}`",
    )


def _rounded(name: str, value: float) -> str:
    """A little more than `value`, as it is typed."""
    if name == "seconds":
        return f"{np.ceil(value / 8640.0) / 10:g}d" if value > 86_400 else f"{np.ceil(value / 360.0) / 10:g}h"
    step = 10.0 ** (np.floor(np.log10(value)) - 2)
    return f"{np.ceil(value / step) * step:.12g}{'kg' if name == 'kg_co2e' else ''}"


def _again(model: object, architecture: Architecture, left: int, best: Candidate) -> str:
    """The command that prices the same plan by itself."""
    name = model if isinstance(model, str) else architecture.name
    run = best.run
    who = f" --provider {run.terms.provider}" if run.terms.choice is not None and run.terms.provider else ""
    tokens = format_quantity(left, "tokens", digits=3).removesuffix(" tokens").replace(" ", "")
    return (
        f"`outlay cost training {name} --tokens {tokens} --on {run.question.accelerator.name}:{run.question.devices}"
        f"{who} --tier {run.terms.tier}` is this plan alone, in layout {describe(run.fitted.chosen.layout)}"
    )
