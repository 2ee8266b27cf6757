"""The shipped predictor: rows alike in all but numbers are predicted by one call over arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from outlay.accuracy.resolve import Resolved
from outlay.accuracy.validate import Prediction, Predictor, usable
from outlay.errors import InputError
from outlay.layout import Layout, Recompute, describe
from outlay.training import Coefficients, Recipe, choose_layout, estimate
from outlay.workload import Tuning

CHOICES = (
    (Recompute.NONE, 1.0),
    (Recompute.SELECTIVE, 1.0),
    (Recompute.FULL, 0.125),
    (Recompute.FULL, 0.25),
    (Recompute.FULL, 0.5),
    (Recompute.FULL, 1.0),
)
"""What a run may have recomputed, and in what share of its layers, where its row does not say: the least that fits."""
HALVINGS = 8
"""How often a micro-batch that a row does not state may be halved until it fits, before anything is recomputed."""

Floats: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]


def predictor(coefficients: Coefficients) -> Predictor:
    """A predictor with these coefficients."""

    def predict(questions: Sequence[Resolved]) -> list[Prediction | InputError]:
        groups: dict[tuple[object, ...], list[int]] = {}
        for index, question in enumerate(questions):
            groups.setdefault(question.layout_key(), []).append(index)
        answers: dict[int, Prediction | InputError] = {}
        for indices in groups.values():
            if "tensor" in questions[indices[0]].open:
                answers |= {index: _searched(questions[index], coefficients) for index in indices}
            else:
                answers |= dict(
                    zip(indices, _together([questions[index] for index in indices], coefficients), strict=True)
                )
        return [answers[index] for index in range(len(questions))]

    return predict


def _together(questions: list[Resolved], coefficients: Coefficients) -> list[Prediction | InputError]:
    """Rows of one recipe and cluster, as one array of layouts; a last axis tries what is not stated."""
    first = questions[0]
    try:
        degrees: dict[str, Any] = {
            name: np.array([question.fixed[name] for question in questions])[:, None] for name in first.fixed
        }
        tried = _tried(first)
        if "recompute" in first.open:
            degrees["recompute"] = np.array([[int(choice) for (choice, _), _ in tried]])
            degrees["recompute_layers"] = np.array([[share for (_, share), _ in tried]])
        if "micro_batch" in first.open:
            halvings = np.array([[halving for _, halving in tried]])
            degrees["micro_batch"] = np.maximum(degrees["micro_batch"] >> halvings, 1)
        batch = np.array([question.recipe.global_batch for question in questions])[:, None]
        found = estimate(replace(first.recipe, global_batch=batch), Layout(**degrees), first.cluster, coefficients)
        shape = (len(questions), len(tried))
        seconds = np.broadcast_to(found.step_seconds, shape)
        memory = np.broadcast_to(found.memory_bytes, shape)
        allocated = np.broadcast_to(found.allocated_bytes, shape)
        beside = beside_seconds(first, coefficients)
    except (InputError, ArithmeticError, ValueError) as error:
        if len(questions) > 1:
            return [answer for question in questions for answer in _together([question], coefficients)]
        return [error if isinstance(error, InputError) else _unusable(f"{type(error).__name__}: {error}")]
    answers: list[Prediction | InputError] = []
    for row in range(len(questions)):
        pick = _usual(seconds[row], memory[row] <= found.memory_capacity, [choice for choice, _ in tried])
        said = []
        if "micro_batch" in first.open:
            said.append(f"micro_batch {degrees['micro_batch'][row, pick]}")
        if "recompute" in first.open:
            (choice, share), _ = tried[pick]
            said.append(
                f"activation_recompute {choice.name.lower()}" + (f" of {share:.0%} of layers" if share < 1 else "")
            )
        answer = Prediction(
            step_seconds=float(seconds[row, pick]),
            memory_bytes=float(memory[row, pick]),
            allocated_bytes=float(allocated[row, pick]),
            beside_seconds=beside,
            assumed=tuple(said),
        )
        answers.append(answer if usable(answer) else _unusable("no finite number"))
    return answers


DECODED = 50
"""Sequences for which a comparison of methods generates at once."""


def beside_seconds(question: Resolved, coefficients: Coefficients) -> float:
    """Seconds that a row's step includes beside training: answers generated a token at a time, held-out samples scored."""
    if not question.decode_passes and not question.evaluation_passes:
        return 0.0
    recipe = question.recipe
    forward = replace(recipe, tuning=replace(recipe.tuning or Tuning(kind="last"), layers=0))
    one = replace(forward, lengths=None, sequence_length=1, global_batch=DECODED)
    micro = question.fixed.get("micro_batch", 1)
    scored = replace(forward, global_batch=micro)

    def seconds(asked: Recipe, size: int) -> float:
        layout = Layout(micro_batch=size, zero=0, sequence_parallel=False)
        return float(estimate(asked, layout, question.cluster, coefficients).step_seconds)

    decoding = seconds(one, DECODED) if question.decode_passes else 0.0
    scoring = seconds(scored, micro) if question.evaluation_passes else 0.0
    return question.decode_passes * decoding + question.evaluation_passes * scoring


def _tried(question: Resolved) -> list[tuple[tuple[Recompute, float], int]]:
    """What may have been recomputed and how often the micro-batch was halved, in the order in which people try them."""
    choices = CHOICES if "recompute" in question.open else CHOICES[:1]
    halvings = range(HALVINGS) if "micro_batch" in question.open else range(1)
    return [(choice, halving) for choice in choices for halving in halvings]


def _usual(seconds: Floats, fits: Flags, choices: Sequence[object]) -> int:
    """Which of what was tried people would run: nothing more made again than must be, then the fastest micro-batch."""
    if not fits.any():
        return len(choices) - 1
    least = choices[int(np.argmax(fits))]
    alike = np.array([choice == least for choice in choices])
    return int(np.argmin(np.where(fits & alike, seconds, np.inf)))


def _searched(question: Resolved, coefficients: Coefficients) -> Prediction | InputError:
    """A row that does not say how the model was divided: the fastest layout that fits."""
    kept = {name: value for name, value in question.fixed.items() if name in ("data", "context")}
    chosen = None
    try:
        # What a row states is kept as long as anything legal is left; a batch that divides badly must not stop the answer.
        for fixed in (question.fixed, kept, {}):
            chosen = chosen or choose_layout(question.recipe, question.cluster, coefficients, fixed)
    except (InputError, ArithmeticError, ValueError) as error:
        return error if isinstance(error, InputError) else _unusable(f"{type(error).__name__}: {error}")
    if chosen is None:
        return _unusable("no layout divides the model and the batch")
    answer = Prediction(
        step_seconds=float(chosen.estimate.step_seconds),
        memory_bytes=float(chosen.estimate.memory_bytes),
        allocated_bytes=float(chosen.estimate.allocated_bytes),
        assumed=(describe(chosen.layout),),
    )
    return answer if usable(answer) else _unusable("no finite number")


def _unusable(why: str) -> InputError:
    return InputError(f"cannot be predicted: {why}", hint="check the row's degrees and sizes")
