"""Predicted beside measured: every serving row of a file, each metric that it measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from outlay.accuracy.metrics import kind_of
from outlay.accuracy.records import Record, Records, Unread, header_of, read_records
from outlay.accuracy.serving.columns import COLUMNS, MEASURED, is_serving, measured
from outlay.accuracy.serving.contradictory import contradiction
from outlay.accuracy.serving.doubts import doubts
from outlay.accuracy.serving.manner import suspect
from outlay.accuracy.serving.models import LIKE_SIZE
from outlay.accuracy.serving.predict import ServingPrediction, ServingPredictor
from outlay.accuracy.serving.ranges import ServingRanges
from outlay.accuracy.serving.resolve import Question, resolve
from outlay.accuracy.serving.words import UNDATED
from outlay.accuracy.validate import THROUGHPUT, Comparison, Validation, each_by_its_own, unanswered
from outlay.errors import InputError
from outlay.training.ranges import LEVEL


def is_serving_file(path: str | Path) -> bool:
    """Whether a CSV file holds serving records, by its columns."""
    return is_serving(header_of(path))


def read_serving(path: str | Path) -> Records:
    """The serving records of a CSV file."""
    return read_records(path, columns=COLUMNS, measured=(*MEASURED, "energy"))


def validate_serving(
    records: Records,
    predictor: ServingPredictor,
    *,
    unseen: Mapping[str, ServingPredictor] | None = None,
    ranges: ServingRanges | None = None,
    level: float = LEVEL,
) -> Validation:
    """Predict every record from its configuration alone, and compare.

    Rows of a source in `unseen` are predicted by the predictor that it names.
    """
    asked: list[tuple[Record, Question]] = []
    skipped = list(records.unread)
    for record in records.records:
        try:
            question = resolve(record)
        except InputError as error:
            skipped.append(unanswered(record, error))
            continue
        if measured(record):
            asked.append((record, question))
        else:
            skipped.append(Unread(id=record.id, reason=_NOTHING, line=record.line))
    answers = each_by_its_own(asked, predictor, unseen or {})
    comparisons: list[Comparison] = []
    assumed: list[tuple[str, tuple[str, ...]]] = []
    for (record, question), answer in zip(asked, answers, strict=True):
        if isinstance(answer, InputError):
            skipped.append(unanswered(record, answer))
            continue
        found = compare(record, question, answer, row=len(assumed), ranges=ranges, level=level)
        if not found:
            skipped.append(Unread(id=record.id, reason="what was measured has no prediction", line=record.line))
            continue
        comparisons += found
        assumed.append((record.id, question.assumed + answer.assumed))
    return Validation(
        comparisons=tuple(comparisons),
        skipped=tuple(skipped),
        assumed=tuple(assumed),
        ignored_columns=records.ignored_columns,
        level=level if ranges else None,
        notes=tuple(_remarks([found for _, found in assumed])),
    )


_NOTHING = (
    f"nothing is measured: {', '.join(f'`{name}`' for name in MEASURED)} and `energy` are empty (`nan` is empty too)"
)


def _remarks(assumed: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """What weighs most of what rows left out, with the columns that say it."""
    undated = sum(UNDATED in said for said in assumed)
    guessed = sum(any(LIKE_SIZE in one for one in said) for said in assumed)
    if undated:
        yield (
            f"{_rows(undated)} neither a `date` nor a known `engine_version`: predicted with today's engine. Of an older run "
            "write when it was, `2025-09`."
        )
    if guessed:
        yield (
            f"{_rows(guessed)} no model that outlay knows: predicted as a known one about as large. `layers`, `hidden` and "
            "the other columns of its shape say what it is."
        )


def _rows(count: int) -> str:
    return "A row names" if count == 1 else f"{count:,} rows name"


def compare(
    record: Record,
    question: Question,
    answer: ServingPrediction,
    *,
    row: int = 0,
    ranges: ServingRanges | None = None,
    level: float = LEVEL,
) -> list[Comparison]:
    """One comparison for each metric that the row measured and that has a prediction."""
    reasons = doubts(question)
    said = contradiction(record, question)
    found = []
    for metric, value in measured(record).items():
        predicted = answer.metrics.get(metric)
        if predicted is None:
            continue
        low = high = None
        if ranges:
            least, most = ranges.of(kind_of(metric)).factors(reasons, level)
            if metric in THROUGHPUT:
                least, most = 1 / most, 1 / least
            low, high = predicted * least, predicted * most
        found.append(
            Comparison(
                id=record.id,
                source=record.source,
                metric=metric,
                measured=value,
                predicted=predicted,
                low=low,
                high=high,
                row=row,
                flagged=suspect(record) or bool(said),
                contradiction=said,
                doubts=reasons,
                stated=not question.assumed,
            )
        )
    return found
