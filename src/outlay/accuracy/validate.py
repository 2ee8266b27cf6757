"""Predicted beside measured: every row of a file, each metric that it measured.

The predictor is handed in, so that a fit with a source left out is judged by the same code; so are the ranges.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from outlay.accuracy.contradictions import of_peak, of_speeds
from outlay.accuracy.metrics import RATES
from outlay.accuracy.records import Record, Records, Unread
from outlay.accuracy.resolve import Resolved, resolve
from outlay.accuracy.shapes import is_tuned
from outlay.errors import InputError
from outlay.training.ranges import LEVEL, Ranges, doubts, load_tuning_ranges
from outlay.training.step import trained_flop
from outlay.workload import parameters

_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What one row's configuration should take."""

    step_seconds: float
    memory_bytes: float
    """Bytes on the fullest device."""
    allocated_bytes: float | None = None
    """Of these, what the framework's allocator counts; None is all."""
    beside_seconds: float = 0.0
    """Seconds that the row's time of a step includes beside training."""
    assumed: tuple[str, ...] = ()
    """What the predictor chose where the row left a choice."""


THROUGHPUT = ("tokens_per_s_per_gpu", "samples_per_s", *RATES)
"""Metrics of which more is better."""
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
    contradiction: str = ""
    """How, where the row's own figures show it."""
    doubts: tuple[str, ...] = ()
    """Why its range is wider than others: see :func:`outlay.training.ranges.doubts`."""
    stated: bool = False
    """The row says how the model was divided, fed and recomputed: nothing of that was assumed."""

    @property
    def error(self) -> float:
        """predicted / measured − 1.

        >>> Comparison(id="a", source="s", metric="step_time_s", measured=2.0, predicted=3.0).error
        0.5
        """
        return self.predicted / self.measured - 1.0

    @property
    def time_error(self) -> float:
        """The same as an error of time, so that errors of one sense can be counted together: a throughput is turned over.

        >>> common = {"id": "a", "source": "s", "measured": 2.0, "predicted": 4.0}
        >>> [Comparison(metric=metric, **common).time_error for metric in ("step_time_s", "samples_per_s")]
        [1.0, -0.5]
        """
        return self.measured / self.predicted - 1.0 if self.metric in THROUGHPUT else self.error

    @property
    def held(self) -> bool | None:
        """Whether the measured number lies in the range; None where there is none."""
        return None if self.low is None or self.high is None else self.low <= self.measured <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Every row of one or more files, answered or skipped with its reason."""

    comparisons: tuple[Comparison, ...]
    skipped: tuple[Unread, ...]
    assumed: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of each answered row, in order: its id and what was assumed of it."""
    ignored_columns: tuple[str, ...] = ()
    level: float | None = None
    """Share of runs that the ranges are to hold; None where there are no ranges."""
    notes: tuple[str, ...] = ()
    """What was done out of the usual."""

    @property
    def answered(self) -> int:
        """Rows with at least one comparison."""
        return len(self.assumed)


def validate(
    records: Records,
    predictor: Predictor,
    *,
    unseen: Mapping[str, Predictor] | None = None,
    ranges: Ranges | None = None,
    level: float = LEVEL,
) -> Validation:
    """Predict every record from its configuration alone, and compare.

    Rows of a source in `unseen` are predicted by the predictor that it names. With `ranges` every prediction has one
    that should hold a share `level` of such runs.
    """
    asked: list[tuple[Record, Resolved]] = []
    skipped = list(records.unread)
    for record in records.records:
        try:
            question = resolve(record)
        except InputError as error:
            skipped.append(unanswered(record, error))
            continue
        if record.measured:
            asked.append((record, question))
        else:
            skipped.append(Unread(id=record.id, reason="no metric that is compared was measured", line=record.line))
    answers = each_by_its_own(asked, predictor, unseen or {})
    comparisons: list[Comparison] = []
    assumed: list[tuple[str, tuple[str, ...]]] = []
    for (record, question), answer in zip(asked, answers, strict=True):
        if isinstance(answer, InputError):
            skipped.append(unanswered(record, answer))
            continue
        comparisons += compare(record, question, answer, row=len(assumed), ranges=ranges, level=level)
        assumed.append((record.id, question.assumed + answer.assumed))
    return Validation(
        comparisons=tuple(comparisons),
        skipped=tuple(skipped),
        assumed=tuple(assumed),
        ignored_columns=records.ignored_columns,
        level=level if ranges else None,
    )


def unanswered(record: Record, error: InputError) -> Unread:
    """A row that cannot be predicted, with the line of the file on which it stands."""
    return Unread(id=record.id, reason=error.message, line=record.line)


def each_by_its_own(
    asked: Sequence[tuple[Record, _Question]],
    predictor: Callable[[Sequence[_Question]], Sequence[_Answer]],
    unseen: Mapping[str, Callable[[Sequence[_Question]], Sequence[_Answer]]],
) -> list[_Answer]:
    """Answers in the order of the questions, each by the predictor of its record's source."""
    groups: dict[int, tuple[Callable[[Sequence[_Question]], Sequence[_Answer]], list[int]]] = {}
    for index, (record, _) in enumerate(asked):
        own = unseen.get(record.source, predictor)
        groups.setdefault(id(own), (own, []))[1].append(index)
    answers: dict[int, _Answer] = {}
    for own, indices in groups.values():
        answers |= zip(indices, own([asked[index][1] for index in indices]), strict=True)
    return [answers[index] for index in range(len(asked))]


LAYOUT = ("tp ", "pp ", "cp ", "dp ", "ep ", "gpus ", "global_batch ", "micro_batch ", "activation_recompute ")
"""How an assumption begins that is about how a model was divided, fed or recomputed."""


def compare(
    record: Record,
    question: Resolved,
    answer: Prediction,
    *,
    row: int = 0,
    ranges: Ranges | None = None,
    level: float = LEVEL,
) -> list[Comparison]:
    """One comparison for each metric that the row measured."""
    searched = "tensor" in question.open
    reasons = doubts(question.recipe, question.cluster, searched=searched, tuning=is_tuned(record))
    if record.allocated and answer.allocated_bytes is not None:
        answer = replace(answer, memory_bytes=answer.allocated_bytes)
    found = []
    contradiction = of_speeds(record) or of_peak(*_flop(record, question))
    for metric, measured in record.measured.items():
        predicted = convert(
            metric,
            answer,
            batch=float(question.recipe.global_batch),
            # Tokens are counted as the row counts them: padding too.
            length=question.recipe.mean_length
            if question.recipe.lengths
            else record.whole("seq_len") or question.recipe.sequence_length,
            devices=int(question.cluster.count),
            memory_unit=question.memory_unit,
        )
        low = high = None
        if ranges:
            own = load_tuning_ranges() if is_tuned(record) else ranges
            spread = own.memory if metric == "peak_mem_gb" else own.time
            least, most = spread.factors(reasons, level)
            if metric in THROUGHPUT:
                least, most = 1 / most, 1 / least
            low, high = predicted * least, predicted * most
        found.append(
            Comparison(
                id=record.id,
                source=record.source,
                metric=metric,
                measured=measured,
                predicted=predicted,
                low=low,
                high=high,
                row=row,
                flagged=record.flagged or bool(contradiction),
                contradiction=contradiction,
                doubts=reasons,
                stated=not searched and not any(said.startswith(LAYOUT) for said in question.assumed + answer.assumed),
            )
        )
    return found


def _flop(record: Record, question: Resolved) -> tuple[float, float]:
    """Model FLOP/s of a device in the measured time of a step (the head left out), and its peak in any type."""
    recipe, seconds = question.recipe, record.measured.get("step_time_s")
    peak = max(question.cluster.accelerator.peaks.values())
    if seconds is None or recipe.architecture.is_moe:
        return 0.0, peak
    body = sum(count * layer.total for count, layer in parameters(recipe.architecture).layers)
    tokens = float(recipe.global_batch) * recipe.mean_length / int(question.cluster.count)
    return 6.0 * body * tokens * trained_flop(recipe) / seconds, peak


def convert(metric: str, answer: Prediction, *, batch: float, length: float, devices: int, memory_unit: float) -> float:
    """A prediction in the unit of a column; `batch` sequences of `length` tokens a step on `devices`.

    >>> half = Prediction(step_seconds=0.5, memory_bytes=2.0**31)
    >>> run = {"batch": 8, "length": 1024, "devices": 4, "memory_unit": 2.0**30}
    >>> [convert(metric, half, **run) for metric in ("tokens_per_s_per_gpu", "samples_per_s", "peak_mem_gb")]
    [4096.0, 16.0, 2.0]
    """
    if metric == "step_time_s":
        return answer.step_seconds + answer.beside_seconds
    if metric == "tokens_per_s_per_gpu":
        return batch * length / (answer.step_seconds * devices)
    if metric == "samples_per_s":
        return batch / answer.step_seconds
    return answer.memory_bytes / memory_unit


def usable(answer: Prediction) -> bool:
    """Whether a prediction is two finite positive numbers."""
    return all(math.isfinite(value) and value > 0 for value in (answer.step_seconds, answer.memory_bytes))
