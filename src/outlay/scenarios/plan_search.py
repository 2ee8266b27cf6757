"""The search behind a plan: every candidate, those within the limits, and the best of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from outlay import units
from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.fitting import Fitted
from outlay.scenarios.named import read_model
from outlay.scenarios.plan_candidates import Candidate, Found, candidates_of
from outlay.scenarios.plan_question import Wanted, ask_plan
from outlay.scenarios.plan_sections import FLAGS, limits_in_words, machines, score, seller, shown, why
from outlay.scenarios.question import Question, ask
from outlay.scenarios.run import Run
from outlay.scenarios.terms import Terms, agree
from outlay.scenarios.training_run import run_of
from outlay.search.limits import Judged, judge
from outlay.training import load_coefficients
from outlay.training.ranges import parse_level
from outlay.workload import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A search that found a plan, and what it was chosen from."""

    model: str
    tokens: int
    """Those that are still to be trained."""
    wanted: Wanted
    found: Found
    judged: Judged
    usable: tuple[Candidate, ...]
    """Within all limits, and with a figure for the goal."""
    best: Candidate

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self.found.candidates


_WANTED = ("on", "count", "goal", "under", "within", "carbon", "have", "without")
_RECIPE = ("layout", "sequence_length", "global_batch", "precision", "optimizer", "recompute", "framework")
_TERMS = ("price", "discount", "grid", "pue", "data", "checkpoints", "lost_work")


def search_plan(
    model: str | Mapping[str, object] | Architecture,
    asked: Mapping[str, Any],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Planned:
    """The best plan, and all that were looked at; `asked` are the parameters of :func:`~outlay.scenarios.planning.plan_training`.

    :raises InputError: for anything that cannot be read, or that contradicts itself.
    :raises DoesNotFit: if no plan is within the limits, with the nearest that there is.
    """
    level, coefficients, price = parse_level(asked.get("interval")), load_coefficients(), asked.get("price")
    wanted = ask_plan(
        **{name: asked.get(name) for name in _WANTED},
        providers=asked.get("provider"),
        tiers=asked.get("tier"),
        priced=price is not None,
    )
    architecture, receipt = read_model(model)
    left = _left(asked["tokens"], asked.get("done"))
    recipe = {name: asked.get(name) for name in _RECIPE}

    def question(chip: str, devices: int) -> Question:
        found = ask(architecture, tokens=left, on=f"{chip}:{devices}", gpus_per_node=None, interconnect=None, **recipe)
        return replace(found, model_receipt=receipt)

    def terms(question: Question, who: str | None, kind: str) -> Terms:
        return agree(
            question,
            provider=None if price is not None else who,
            tier=None if price is not None and kind != "owned" else kind,
            electricity=asked.get("electricity") if kind == "owned" else None,
            **{name: asked.get(name) for name in _TERMS},
        )

    def assemble(question: Question, fitted: Fitted, agreed: Terms) -> Run:
        return run_of(question, fitted, agreed, coefficients, level)

    found = candidates_of(
        wanted, asker=question, agree=terms, assemble=assemble, coefficients=coefficients, progress=progress
    )
    candidates = found.candidates
    if not candidates:
        raise _nothing(architecture, wanted, found)
    judged = judge(
        {name: [getattr(entry, name) for entry in candidates] for name in ("dollars", "seconds", "kg_co2e")},
        wanted.limits,
    )
    inside = [entry for entry, kept in zip(candidates, judged.within, strict=True) if kept]
    usable = tuple(entry for entry in inside if np.isfinite(score(entry, wanted.goal)))
    if not usable:
        raise _none_within(architecture, wanted, judged, candidates)
    best = min(usable, key=lambda entry: (score(entry, wanted.goal), entry.seconds, entry.dollars))
    return Planned(
        model=architecture.name, tokens=left, wanted=wanted, found=found, judged=judged, usable=usable, best=best
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
