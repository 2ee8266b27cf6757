"""What would make a tuning fit, each change tried by the same model: fewer bytes a weight, fewer activations, more devices."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from outlay import catalog
from outlay.errors import DoesNotFit, InputError
from outlay.machine import cluster_for
from outlay.scenarios.training.fitting import fit
from outlay.scenarios.training.question import Question
from outlay.scenarios.tuning.question import DECODED_ON, RANK, TuningQuestion
from outlay.training import Coefficients
from outlay.training.idle import rounder
from outlay.training.recipe import Recipe
from outlay.workload import PARTS, Tuning

LORA = Tuning(kind="low-rank", rank=RANK, targets=frozenset(PARTS))
_DOUBLINGS = 8
_LARGER = "h100-sxm"
"""What is offered where no number of smaller devices is enough."""


def what_helps(tuning: TuningQuestion, coefficients: Coefficients) -> Iterator[str]:
    """Flags with which it fits, the gentlest first."""

    def fits(changed: Question) -> bool:
        try:
            fit(changed, coefficients, explain=False)
        except (DoesNotFit, InputError):
            return False
        return True

    relaxed = list(_relaxed(tuning))
    for words, question in relaxed:
        if fits(question):
            yield f"write `{words}`"
            return
    for words, question in [("", tuning.question), *relaxed[-1:]]:
        ways = [f"write `{' '.join(filter(None, (words, way)))}`" for way in _ways(tuning, question, fits)]
        if ways:
            yield from ways
            return
    yield from _elsewhere(tuning, fits)


def _relaxed(tuning: TuningQuestion) -> Iterator[tuple[str, Question]]:
    """The question with what was fixed of recomputation and micro-batches given up: one of them, then both."""
    question, fixed = tuning.question, tuning.question.fixed
    changes: list[tuple[str, str]] = []
    if "recompute" in fixed:
        changes.append(("recompute", "full"))
    if fixed.get("micro_batch", 1) != 1:
        changes.append(("micro_batch", "1"))
    for chosen in ([change] for change in changes) if len(changes) < 2 else ([changes[0]], [changes[1]], changes):
        kept = dict(fixed)
        asked = tuning.layout
        said = []
        for name, value in chosen:
            kept = {key: degree for key, degree in kept.items() if key not in (name, f"{name}_layers")}
            if name == "micro_batch":
                kept[name] = 1
            asked, flag = _written(asked, name, value)
            said += [flag] if flag else []
        if asked != tuning.layout:
            said.append(f"--layout {asked}")
        yield " ".join(said), replace(question, fixed=kept)


def _written(layout: str | None, name: str, value: str) -> tuple[str | None, str]:
    """A layout with another degree where it states one, else the flag that states it.

    >>> _written("tp=1,mbs=64", "micro_batch", "1"), _written("tp=1", "micro_batch", "1")
    (('tp=1,mbs=1', ''), ('tp=1', '--micro-batch 1'))
    """
    key, flag = _SPELT[name]
    if layout is not None and re.search(rf"\b{key}=", layout):
        return re.sub(rf"\b{key}=[^,\s]*", f"{key}={value}", layout), ""
    return layout, f"{flag} {value}"


_SPELT = {"micro_batch": ("mbs", "--micro-batch"), "recompute": ("recompute", "--recompute")}


def _ways(tuning: TuningQuestion, question: Question, fits: Callable[[Question], bool]) -> Iterator[str]:
    """Each change alone, after which it fits."""
    recipe = question.recipe
    found = False
    smaller = replace(recipe, optimizer="adam-8bit", paged=True)
    if recipe.optimizer == "adam" and tuning.method.tuning is None and fits(replace(question, recipe=smaller)):
        found = True
        yield "--optimizer paged-adamw-8bit"
    if tuning.method.name in ("full", "freeze") and fits(replace(question, recipe=_lora(recipe))):
        found = True
        yield "--method lora"
    added = recipe.tuning
    rank = 0 if added is None else added.rank
    if added is not None and rank > RANK:
        lower = replace(recipe, tuning=replace(added, rank=RANK))
        if fits(replace(question, recipe=lower)):
            found = True
            yield f"--rank {RANK}"
    if not found and _decodes(question) and fits(replace(question, recipe=_qlora(recipe))):
        found = True
        yield "--method qlora" + (f" --rank {RANK}" if rank > RANK else "")
    longest = round(tuning.data.longest) // 2
    if not found and longest > tuning.data.mean and longest >= 64:
        lengths = None if recipe.lengths is None else replace(recipe.lengths, longest=longest)
        if fits(replace(question, recipe=replace(recipe, lengths=lengths, sequence_length=longest))):
            yield f"--longest {longest}"
    if (count := _enough(tuning, question, fits)) is not None:
        yield f"--on {question.on}:{count}"


def _lora(recipe: Recipe) -> Recipe:
    return replace(recipe, tuning=LORA, stored=None)


def _qlora(recipe: Recipe) -> Recipe:
    return replace(recipe, tuning=LORA, stored="nf4-dq")


def _decodes(question: Question) -> bool:
    return question.accelerator.category in DECODED_ON and question.recipe.stored is None


def _enough(tuning: TuningQuestion, question: Question, fits: Callable[[Question], bool], least: int = 0) -> int | None:
    """Devices of the same kind on which it fits, by doublings; None if none of those does."""
    free = {name: value for name, value in question.fixed.items() if name != "data"}
    count = least // 2 or question.devices
    for _ in range(_DOUBLINGS):
        count *= 2
        more = replace(question, fixed=free)
        if question.sequences is not None:  # nobody said a batch: it grows with the devices
            if count > tuning.data.examples * tuning.objective.sequences:
                return None
            more = replace(more, sequences=max(question.sequences, float(count)))
        if fits(more.on_count(count)):
            return count
    return None


def _elsewhere(tuning: TuningQuestion, fits: Callable[[Question], bool]) -> Iterator[str]:
    """Where no change alone is enough: adapters on a quantized base with more devices, then larger devices."""
    question = tuning.question
    quantized = replace(question, recipe=_qlora(question.recipe))
    if _decodes(question) and (count := _enough(tuning, quantized, fits)) is not None:
        yield f"write `--method qlora --on {question.on}:{count}`"
        return
    chip = catalog.accelerator(_LARGER)
    if question.accelerator.memory < chip.memory and question.accelerator.category in DECODED_ON:
        larger = replace(question, cluster=cluster_for(chip, 1))
        if (count := _enough(tuning, larger, fits, least=8)) is not None:
            yield f"write `--on {_LARGER}:{count}`"


def check_shares(tuning: TuningQuestion) -> None:
    """Refuse a step that the devices cannot share, in the words of the question rather than in those of a layout.

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
        less = next((part for part in range(size - 1, 0, -1) if batch % (part * devices) == 0), None)
        layout, flag = _written(tuning.layout, "micro_batch", str(less))
        ways += [] if less is None else [f"write `{flag or f'--layout {layout}'}`"]
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
