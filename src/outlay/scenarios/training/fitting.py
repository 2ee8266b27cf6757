"""The layout in which the training is done; or why there is none, and what would help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from outlay.errors import DoesNotFit, InputError
from outlay.layout import Layout, Problem, broken_rules, describe
from outlay.scenarios.training.question import Question
from outlay.training import Chosen, Coefficients, Working, choose_working
from outlay.units import format_quantity

if TYPE_CHECKING:  # launch files are read and written where somebody asks for one
    from outlay.scenarios.training.able import Able


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The layout chosen, and the question as it is then answered: some devices may be left idle."""

    chosen: Chosen
    question: Question


def fit(
    question: Question,
    coefficients: Coefficients,
    *,
    explain: bool = True,
    wide: bool = True,
    able: Able | None = None,
) -> Fitted:
    """The fastest layout that fits, on as many of the devices as are fastest.

    `explain` tries what would help where nothing fits, which takes longer than the answer. Without `wide`, layouts that are
    hardly ever the fastest are tried only where no other fits. `able` keeps to what tools can run.

    :raises InputError: if the degrees asked for break a rule, or no tool can run what is legal.
    :raises DoesNotFit: if the fullest device is too small, with what would help, by the same model.
    """
    found = _chosen(question, coefficients, wide=wide, able=able)
    if not wide and (found is None or not bool(found.chosen.estimate.fits)):
        found = _chosen(question, coefficients, able=able)
    if found is None and able is not None and (free := _chosen(question, coefficients)) is not None:
        raise able.refusal(question.on_working(free.devices), free.chosen.layout)
    if found is None:
        raise _refused(question)
    if not bool(found.chosen.estimate.fits):
        raise _too_small(question, found.chosen, coefficients if explain else None)
    return Fitted(chosen=found.chosen, question=question.on_working(found.devices))


def _chosen(
    question: Question, coefficients: Coefficients, *, wide: bool = True, able: Able | None = None
) -> Working | None:
    return choose_working(
        question.recipe,
        question.cluster,
        coefficients,
        question.fixed,
        batch=question.batch_on,
        active=question.active,
        wide=wide,
        allowed=able,
    )


def _refused(question: Question) -> InputError:
    """No layout is legal: the rules that the asked one breaks, or that the batch cannot be shared."""
    devices, batch = question.devices, int(question.recipe.global_batch)
    if not question.fixed:
        return InputError(
            f"no layout divides {devices:,} accelerators and a batch of {batch:,} sequences",
            hint=f"write `--batch {devices * max(1, round(batch / devices))}`, or another count",
        )
    fixed = dict(question.fixed)
    inner = int(fixed.get("tensor", 1)) * int(fixed.get("pipeline", 1)) * int(fixed.get("context", 1))
    fixed.setdefault("data", max(devices // inner, 1))
    layout = Layout(**fixed)
    problem = Problem(
        architecture=question.architecture,
        sequence_length=question.recipe.sequence_length,
        global_batch=batch,
        devices=devices,
    )
    facts = f"{devices:,} device{'s' if devices > 1 else ''}, batch {batch:,}, {question.architecture.depth} layers"
    rules = broken_rules(layout, problem) or ("no choice of the other degrees makes it legal",)
    return InputError(
        f"the layout {describe(layout)} cannot be trained in ({facts})",
        details=rules,
        hint="write `--layout auto`, or change the degrees that the rule names",
    )


def _too_small(question: Question, chosen: Chosen, coefficients: Coefficients | None) -> DoesNotFit:
    estimate = chosen.estimate
    need, there = float(estimate.memory_bytes), estimate.memory_capacity
    largest = sorted(estimate.memory.items(), key=lambda part: -float(part[1]))[:3]
    parts = ", ".join(f"{name} {format_quantity(float(size), 'B')}" for name, size in largest)
    message = (
        f"{question.architecture.name} does not fit on {question.devices:,} × {question.accelerator.name}\n"
        f"  the fullest device needs {format_quantity(need, 'B')} and has {format_quantity(there, 'B')}\n"
        f"  mostly {parts}\n"
        f"  even the layout that comes closest, {describe(chosen.layout)}, needs that much"
    )
    helps = [] if coefficients is None else list(_what_helps(question, coefficients))
    return DoesNotFit(
        message,
        hint="; or ".join(helps) if helps else "train a smaller model, or on larger accelerators",
        need=need / there,
    )


def _what_helps(question: Question, coefficients: Coefficients) -> Iterator[str]:
    """Changes after which it does fit, each tried."""

    def fits(changed: Question) -> bool:
        found = _chosen(changed, coefficients)
        return found is not None and bool(found.chosen.estimate.fits)

    if question.fixed and fits(replace(question, fixed={})):
        yield "write `--layout auto`"
    if question.recipe.optimizer == "adam":
        small = replace(question, recipe=replace(question.recipe, optimizer="adam-8bit"))
        if fits(small):
            yield "write `--optimizer adam-8bit`"
    sequence = question.recipe.sequence_length
    if sequence > 2048 and fits(replace(question, recipe=replace(question.recipe, sequence_length=sequence // 2))):
        yield f"write `--seq {sequence // 2}`"
    count, free = question.devices, {name: value for name, value in question.fixed.items() if name != "data"}
    for _ in range(10):
        count *= 2
        if count > 10**6:
            return
        if fits(replace(question, fixed=free).on_count(count)):
            yield f"write `--on {question.on}:{count}`"
            return
