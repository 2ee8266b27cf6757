"""Predictions of serving rows: those alike in all but numbers are answered by a few calls over arrays."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.accuracy.serving.apart import ApartSession, fare_apart, with_layouts
from outlay.accuracy.serving.columns import ENERGY, REQUESTS
from outlay.accuracy.serving.resolve import PIPELINED, Question
from outlay.accuracy.serving.sessions import Fare, Session, fare
from outlay.errors import InputError
from outlay.layout import Layout
from outlay.serving import ServingCoefficients, Speculation

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingPrediction:
    """What one row's configuration should reach, by metric."""

    metrics: Mapping[str, float]
    assumed: tuple[str, ...] = ()


ServingPredictor = Callable[[Sequence[Question]], Sequence[ServingPrediction | InputError]]
"""Predictions in the order of the questions; an `InputError` in the place of one that cannot be answered."""

_DEGREES = ("tensor", "pipeline", "data", "expert", "expert_tensor")


def predictor(coefficients: ServingCoefficients) -> ServingPredictor:
    """A predictor with these coefficients."""

    def predict(questions: Sequence[Question]) -> list[ServingPrediction | InputError]:
        groups: dict[tuple[object, ...], list[int]] = {}
        for index, question in enumerate(questions):
            groups.setdefault((question.key, question.protocol), []).append(index)
        answers: dict[int, ServingPrediction | InputError] = {}
        for indices in groups.values():
            answers |= zip(indices, _together([questions[index] for index in indices], coefficients), strict=True)
        return [answers[index] for index in range(len(questions))]

    return predict


def _together(questions: Sequence[Question], coefficients: ServingCoefficients) -> list[ServingPrediction | InputError]:
    """Rows of one deployment, as one array of layouts and loads."""
    first = questions[0]
    if first.apart is not None:
        return _apart(questions, coefficients)
    layout = Layout(
        **{name: np.array([float(getattr(one.deployment.layout, name)) for one in questions]) for name in _DEGREES}
    )
    instances = np.array([float(one.instances) for one in questions])
    session = Session(
        deployment=dataclasses.replace(first.deployment, layout=layout),
        coefficients=coefficients,
        input=np.array([one.input for one in questions]),
        output=np.array([one.output for one in questions]),
        batch=np.array([math.nan if one.batch is None else one.batch for one in questions]) / instances,
        rate=np.array([math.nan if one.rate is None else one.rate for one in questions]) / instances,
        beams=np.array([float(one.beams) for one in questions]),
        rounds=np.array([one.rounds for one in questions]),
        sent=np.array([one.sent for one in questions]) / instances,
        pipelined=first.deployment.engine.year >= PIPELINED,
        cold=np.array([one.cold for one in questions]),
        unprompted=np.array([one.unprompted for one in questions]),
        scattered=np.array([one.scattered for one in questions]),
        random_lengths=np.array([one.random_lengths for one in questions]),
        alike=np.array([one.alike for one in questions]),
        slots=np.array([one.slots for one in questions]),
        pace=np.array([math.inf if one.pace is None else one.pace for one in questions]),
        speculation=_drafting(questions),
    )
    try:
        found = fare(first.protocol, session)
    except (ArithmeticError, ValueError) as error:
        if len(questions) > 1:
            return [answer for one in questions for answer in _together([one], coefficients)]
        return [_unusable(f"{type(error).__name__}: {error}")]
    return [_answer(question, found, index) for index, question in enumerate(questions)]


def _drafting(questions: Sequence[Question]) -> Speculation | None:
    """How the rows draft, all alike, with the degrees of a draft model in an array."""
    first = questions[0].speculation
    if first is None or first.draft is None:
        return first
    drafts = [one.speculation.draft for one in questions if one.speculation is not None]
    return dataclasses.replace(first, draft=with_layouts([draft for draft in drafts if draft is not None]))


def _apart(questions: Sequence[Question], coefficients: ServingCoefficients) -> list[ServingPrediction | InputError]:
    """Rows whose prompts and answers have devices of their own."""
    prefills = [one.apart for one in questions if one.apart is not None]

    def numbers(values: Sequence[float | int | None]) -> Floats:
        return np.array([math.nan if value is None else float(value) for value in values])

    session = ApartSession(
        prefill=with_layouts([one.prefill for one in prefills]),
        decode=with_layouts([one.deployment for one in questions]),
        coefficients=coefficients,
        prefill_instances=numbers([one.instances for one in prefills]),
        decode_instances=numbers([one.instances for one in questions]),
        input=numbers([one.input for one in questions]),
        output=numbers([one.output for one in questions]),
        clients=numbers([one.batch for one in questions]),
        rounds=numbers([one.rounds for one in questions]),
        scattered=np.array([one.scattered for one in questions]),
        random_lengths=np.array([one.random_lengths for one in questions]),
        speculation=_drafting(questions),
    )
    try:
        found = fare_apart(session)
    except (ArithmeticError, ValueError) as error:
        if len(questions) > 1:
            return [answer for one in questions for answer in _apart([one], coefficients)]
        return [_unusable(f"{type(error).__name__}: {error}")]
    return [_answer(question, found, index, many=1) for index, question in enumerate(questions)]


def _answer(question: Question, found: Fare, index: int, *, many: int | None = None) -> ServingPrediction | InputError:
    """One row's metrics: seconds of one instance, rates of all; `found` has those of one of `many`."""

    def at(values: Floats) -> float:
        return float(np.broadcast_to(values, found.shape)[index])

    many = question.instances if many is None else many
    output = at(found.output_per_second) * many
    decode = output if question.of_whole else at(found.decode_per_second) * many
    metrics = {
        "ttft_ms": at(found.ttft) * 1e3,
        "tpot_ms": at(found.tpot) * 1e3,
        "e2e_latency_ms": at(found.e2e) * 1e3,
        "output_tokens_per_s": decode if question.answer_alone else output,
        "total_tokens_per_s": at(found.total_per_second) * many,
        "prefill_tokens_per_s": at(found.prefill_per_second) * many,
        "decode_tokens_per_s": decode,
        REQUESTS: at(found.requests_per_second) * many,
        ENERGY: at(found.joules_per_token),
    }
    usable = {name: value for name, value in metrics.items() if math.isfinite(value) and value > 0}
    return ServingPrediction(metrics=usable) if usable else _unusable("no finite number")


def _unusable(why: str) -> InputError:
    return InputError(f"cannot be predicted: {why}", hint="check the row's degrees and sizes")
