"""What would make a tuning fit, each change tried by the same model: fewer bytes a weight, fewer activations, more devices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.fitting import fit
from outlay.scenarios.question import Question
from outlay.scenarios.tuning_question import DECODED_ON, RANK, TuningQuestion
from outlay.training import Coefficients
from outlay.training.idle import rounder
from outlay.workload import PARTS, Tuning

LORA = Tuning(kind="low-rank", rank=RANK, targets=frozenset(PARTS))
_DOUBLINGS = 8


def what_helps(tuning: TuningQuestion, coefficients: Coefficients) -> Iterator[str]:
    """Flags with which it fits, the gentlest first."""
    question = tuning.question
    recipe, fixed = question.recipe, question.fixed

    def fits(changed: Question) -> bool:
        try:
            fit(changed, coefficients, explain=False)
        except (DoesNotFit, InputError):
            return False
        return True

    def without(*names: str) -> dict[str, float]:
        return {name: value for name, value in fixed.items() if name not in names}  # type: ignore[misc]

    if "recompute" in fixed and fits(replace(question, fixed=without("recompute", "recompute_layers"))):
        yield "write `--recompute full`"
        return
    if fixed.get("micro_batch", 1) != 1 and fits(replace(question, fixed={**fixed, "micro_batch": 1})):
        yield "write `--micro-batch 1`"
        return
    found = False
    smaller = replace(recipe, optimizer="adam-8bit", paged=True)
    if recipe.optimizer == "adam" and tuning.method.tuning is None and fits(replace(question, recipe=smaller)):
        found = True
        yield "write `--optimizer paged-adamw-8bit`"
    lora = replace(recipe, tuning=LORA, stored=None)
    if tuning.method.name in ("full", "freeze") and fits(replace(question, recipe=lora)):
        found = True
        yield "write `--method lora`"
    decoded = question.accelerator.category in DECODED_ON and recipe.stored is None
    if not found and decoded and fits(replace(question, recipe=replace(lora, stored="nf4-dq"))):
        found = True
        yield "write `--method qlora`"
    longest = round(tuning.data.longest) // 2
    if not found and longest > tuning.data.mean and longest >= 64:
        lengths = None if recipe.lengths is None else replace(recipe.lengths, longest=longest)
        shorter = replace(recipe, lengths=lengths, sequence_length=longest)
        if fits(replace(question, recipe=shorter)):
            yield f"write `--longest {longest}`"
    count = question.devices
    for _ in range(_DOUBLINGS):
        count *= 2
        if fits(replace(question, fixed=without("data")).on_count(count)):
            yield f"write `--on {question.on}:{count}`"
            return


def check_shares(tuning: TuningQuestion, *, micro_batch: str) -> None:
    """Refuse a step that the devices cannot share, in the words of the question rather than in those of a layout.

    `micro_batch` is how the user would write one: the flag, or the key of `--layout`.

    :raises InputError: with what can be shared; where layers may be split too, the search for a layout says it.
    """
    question, fixed = tuning.question, tuning.question.fixed
    if "data" in fixed or any(fixed.get(part) != 1 for part in ("tensor", "pipeline", "context")):
        return
    devices, size = question.devices, int(fixed.get("micro_batch", 1))
    if any(question.batch_on(count) % (count * size) == 0 for count in rounder(devices)):
        return
    batch, grain = question.batch_on(devices), devices * size
    ways = []
    if size > 1:
        ways += [f"write `{micro_batch}{less}`" for less in range(size - 1, 0, -1) if batch % (less * devices) == 0][:1]
    data = tuning.data
    examples = data.longest / data.mean if data.packed else 1.0 / tuning.objective.sequences
    larger = math.ceil(grain * math.ceil(batch / grain) * examples)
    if larger <= data.examples:
        ways.append(f"write `--batch {larger}`")
    if size == 1:
        fewer = max(count for count in range(1, min(batch, devices - 1) + 1) if batch % count == 0)
        ways.append(f"write `--on {question.on}:{fewer}`")
    raise InputError(
        f"a step of {batch:,} sequence{'' if batch == 1 else 's'} cannot be shared by {devices:,} "
        f"accelerator{'' if devices == 1 else 's'}" + (f" in micro-batches of {size:,}" if size > 1 else ""),
        expected=f"a multiple of {grain:,}",
        hint="; or ".join(ways) if ways else "write a smaller micro-batch, or fewer accelerators after `--on`",
    )
