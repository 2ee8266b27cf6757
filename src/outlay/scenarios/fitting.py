"""The layout in which the training is done; or why there is none, and what would help."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from outlay.errors import DoesNotFit, InputError
from outlay.layout import Layout, Problem, broken_rules, describe
from outlay.scenarios.question import Question
from outlay.training import Chosen, Coefficients, choose_layout
from outlay.units import format_quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """The layout chosen, and whether the optimizer had to leave the device for it."""

    chosen: Chosen
    offloaded: bool = False


def fit(question: Question, coefficients: Coefficients) -> Fitted:
    """The fastest layout that fits; with the optimizer's state on the host where nothing else does.

    :raises InputError: if the degrees asked for break a rule.
    :raises DoesNotFit: if the fullest device is too small, with what would help, by the same model.
    """
    chosen = choose_layout(question.recipe, question.cluster, coefficients, question.fixed)
    if chosen is None:
        raise _refused(question)
    if bool(chosen.estimate.fits):
        return Fitted(chosen=chosen)
    if "offload" not in question.fixed and question.accelerator.category != "apple":
        moved = choose_layout(question.recipe, question.cluster, coefficients, {**question.fixed, "offload": 1.0})
        if moved is not None and bool(moved.estimate.fits):
            return Fitted(chosen=moved, offloaded=True)
        chosen = moved or chosen
    raise _too_small(question, chosen, coefficients)


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
    facts = f"{devices:,} devices, batch {batch:,}, {question.architecture.depth} layers"
    rules = broken_rules(layout, problem) or ("no choice of the other degrees makes it legal",)
    return InputError(
        f"the layout {describe(layout)} cannot be trained in ({facts})",
        details=rules,
        hint="write `--layout auto`, or change the degrees that the rule names",
    )


def _too_small(question: Question, chosen: Chosen, coefficients: Coefficients) -> DoesNotFit:
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
    helps = list(_what_helps(question, coefficients))
    return DoesNotFit(
        message, hint="; or ".join(helps) if helps else "train a smaller model, or on larger accelerators"
    )


def _what_helps(question: Question, coefficients: Coefficients) -> Iterator[str]:
    """Changes after which it does fit, each tried."""

    def fits(changed: Question) -> bool:
        for extra in ({}, {"offload": 1.0}):
            found = choose_layout(changed.recipe, changed.cluster, coefficients, {**changed.fixed, **extra})
            if found is not None and bool(found.estimate.fits):
                return True
        return False

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
