"""Predicted beside measured: every row of a file, each metric that it measured.

The predictor is handed in, so that a fit with a source left out is judged by the same code.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from outlay.accuracy.records import Record, Records, Unread
from outlay.accuracy.resolve import Resolved, resolve
from outlay.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What one row's configuration should take."""

    step_seconds: float
    memory_bytes: float
    """Bytes on the fullest device."""
    assumed: tuple[str, ...] = ()
    """What the predictor chose where the row left a choice."""


Predictor = Callable[[Sequence[Resolved]], Sequence[Prediction | InputError]]
"""Predictions in the order of the questions; an `InputError` in the place of one that cannot be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One measured number of one row, and what was predicted for it."""

    id: str
    source: str
    metric: str
    measured: float
    predicted: float
    low: float | None = None
    high: float | None = None
    row: int = 0
    """Which of the answered rows: one row may have several metrics, and ids may repeat."""
    flagged: bool = False
    """The source contradicts itself here; listed, and left out of summaries."""

    @property
    def error(self) -> float:
        """predicted / measured − 1.

        >>> Comparison(id="a", source="s", metric="step_time_s", measured=2.0, predicted=3.0).error
        0.5
        """
        return self.predicted / self.measured - 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Every row of one or more files, answered or skipped with its reason."""

    comparisons: tuple[Comparison, ...]
    skipped: tuple[Unread, ...]
    assumed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of each answered row, in order: its id and what was assumed of it."""
    ignored_columns: tuple[str, ...] = ()

    @property
    def answered(self) -> int:
        """Rows with at least one comparison."""
        return len(self.assumed)


def validate(records: Records, predictor: Predictor) -> Validation:
    """Predict every record from its configuration alone, and compare."""
    asked: list[tuple[Record, Resolved]] = []
    skipped = list(records.unread)
    for record in records.records:
        try:
            question = resolve(record)
        except InputError as error:
            skipped.append(Unread(id=record.id, reason=error.message))
            continue
        if record.measured:
            asked.append((record, question))
        else:
            skipped.append(Unread(id=record.id, reason="no metric that is compared was measured"))
    answers = predictor([question for _, question in asked])
    comparisons: list[Comparison] = []
    assumed: list[tuple[str, tuple[str, ...]]] = []
    for (record, question), answer in zip(asked, answers, strict=True):
        if isinstance(answer, InputError):
            skipped.append(Unread(id=record.id, reason=answer.message))
            continue
        comparisons += compare(record, question, answer, row=len(assumed))
        assumed.append((record.id, question.assumed + answer.assumed))
    return Validation(
        comparisons=tuple(comparisons),
        skipped=tuple(skipped),
        assumed=tuple(assumed),
        ignored_columns=records.ignored_columns,
    )


def compare(record: Record, question: Resolved, answer: Prediction, *, row: int = 0) -> list[Comparison]:
    """One comparison for each metric that the row measured."""
    return [
        Comparison(
            id=record.id,
            source=record.source,
            metric=metric,
            measured=measured,
            predicted=convert(
                metric,
                answer,
                batch=float(question.recipe.global_batch),
                length=question.recipe.sequence_length,
                devices=int(question.cluster.count),
                memory_unit=question.memory_unit,
            ),
            row=row,
            flagged=record.flagged,
        )
        for metric, measured in record.measured.items()
    ]


def convert(metric: str, answer: Prediction, *, batch: float, length: int, devices: int, memory_unit: float) -> float:
    """A prediction in the unit of a column; `batch` sequences of `length` tokens a step on `devices`.

    >>> half = Prediction(step_seconds=0.5, memory_bytes=2.0**31)
    >>> run = {"batch": 8, "length": 1024, "devices": 4, "memory_unit": 2.0**30}
    >>> [convert(metric, half, **run) for metric in ("tokens_per_s_per_gpu", "samples_per_s", "peak_mem_gb")]
    [4096.0, 16.0, 2.0]
    """
    if metric == "step_time_s":
        return answer.step_seconds
    if metric == "tokens_per_s_per_gpu":
        return batch * length / (answer.step_seconds * devices)
    if metric == "samples_per_s":
        return batch / answer.step_seconds
    return answer.memory_bytes / memory_unit


def usable(answer: Prediction) -> bool:
    """Whether a prediction is two finite positive numbers."""
    return all(math.isfinite(value) and value > 0 for value in (answer.step_seconds, answer.memory_bytes))
