"""Whole runs: predicted device-hours beside published ones.

Seconds of steps come from the layout that we choose, what is lost beside them from :mod:`outlay.training.goodput`, and what
runs lose against their steps from :mod:`outlay.training.production`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from outlay.accuracy.contradictions import of_memory, of_peak, of_run
from outlay.accuracy.records import Record, Records, header_of, read_records
from outlay.accuracy.runs_columns import COLUMNS, MEASURED, METRIC, is_runs
from outlay.accuracy.runs_question import Run, question_of
from outlay.accuracy.validate import Comparison, Validation, unanswered
from outlay.errors import InputError
from outlay.layout import describe
from outlay.training import OPTIMIZERS, Coefficients, choose_working
from outlay.training.goodput import losses, practices
from outlay.training.production import LEVEL, Production, load_production, load_unseen

_NOT_MEASURED = re.compile(
    r"upper bound|lower bound|flops?\b|6nd|utili[sz]ation|\bmfu\b|extrapolat|project(ed|ion)|by definition|assumed"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPrediction:
    """Device-hours of a run."""

    step_hours: float
    """Of steps alone."""
    lost_hours: float
    """Of failures, restarts, checkpoints, evaluation and warm-up."""
    hours: float
    low: float
    high: float
    assumed: tuple[str, ...] = ()
    filled: float = 0.0
    """Of a device's memory, by the layout that was chosen."""


def is_run_file(path: str | Path) -> bool:
    """Whether a CSV file holds whole runs rather than steps, by its columns."""
    return is_runs(header_of(path))


def read_runs(path: str | Path) -> Records:
    """The whole-run records of a CSV file; a row without a source takes the first address of its `source_url`."""
    found = read_records(path, columns=COLUMNS, measured=MEASURED)
    return Records(
        records=tuple(_named(record) for record in found.records),
        unread=found.unread,
        ignored_columns=found.ignored_columns,
    )


def _named(record: Record) -> Record:
    place = re.search(r"(?:https?://)?(?:www\.)?([^\s;,]+)", record.word("source_url"))
    if record.word("source") or not place:
        return record
    return replace(record, source=place.group(1))


def measured_hours(record: Record) -> float | None:
    """Device-hours that a row measured: stated, else devices × days × 24."""
    stated, days, count = (record.numbers.get(name) for name in ("device_hours", "days", "count"))
    if stated is not None:
        return stated
    return count * days * 24.0 if count is not None and days is not None else None


def was_measured(record: Record) -> bool:
    """Whether the hours are of the run itself, rather than worked out from FLOP and a utilisation, or a bound.

    >>> row = Record(id="a", source="s", line=2, words={"hours_kind": "derived (FLOP / 40 % MFU)"}, numbers={})
    >>> was_measured(row)
    False
    """
    return _NOT_MEASURED.search(record.word("hours_kind").lower()) is None and not record.flagged


def predict_run(
    run: Run, coefficients: Coefficients, production: Production | None = None, *, level: float = LEVEL
) -> RunPrediction:
    """Device-hours of a run in the layout that we choose.

    Where none fits it is the one nearest to fitting, and that is said. Raises `InputError` if no layout divides the run.
    """
    found = choose_working(run.recipe, run.cluster, coefficients, batch=run.batch_on, active=run.active)
    if found is None:
        raise InputError("no layout divides the model and the batch", hint="check the row's batch and count")
    chosen, working, count = found.chosen, found.devices, int(run.cluster.count)
    seconds = run.tokens / (float(chosen.estimate.tokens_per_second_per_device) * working)
    state = run.parameters * (
        run.recipe.weight_bytes + run.recipe.master_bytes + OPTIMIZERS[run.recipe.optimizer].state_bytes
    )
    lost = losses(seconds, devices=working, state_bytes=state, practice=practices()["likely"])
    steps, beside = (value * count / 3600.0 for value in (seconds, float(lost.seconds)))
    low, likely, high = (production or load_production()).factor(
        devices=working, active=run.active, counted=run.counted, tpu=run.tpu, named=run.named, level=level
    )
    whole = steps + beside
    said = (
        [describe(chosen.layout)] if bool(chosen.estimate.fits) else [f"{describe(chosen.layout)}, which does not fit"]
    )
    if working < count:
        said.append(f"{count - working:,} of {count:,} devices idle")
    return RunPrediction(
        step_hours=steps,
        lost_hours=beside,
        hours=whole * likely,
        low=whole * low,
        high=whole * high,
        assumed=(*run.assumed, *said, f"runs take {likely:.2f} × their steps and published losses"),
        filled=float(chosen.estimate.memory_bytes) / float(chosen.estimate.memory_capacity),
    )


def validate_runs(
    records: Records,
    coefficients: Coefficients,
    production: Production | None = None,
    *,
    cross: bool = False,
    level: float = LEVEL,
) -> Validation:
    """Predict every run from its configuration alone, and compare device-hours.

    With `cross` runs of a source that the factors were fitted to take those of a fit without it. Ranges should hold a
    share `level` of such runs.
    """
    comparisons: list[Comparison] = []
    skipped = list(records.unread)
    unseen = load_unseen() if cross else {}
    assumed: list[tuple[str, tuple[str, ...]]] = []
    for record in records.records:
        try:
            run = question_of(record)
            hours = measured_hours(record)
            if hours is None:
                raise InputError("no device-hours were measured", hint="give `device_hours`, or `count` and `days`")
            answer = predict_run(run, coefficients, unseen.get(record.source, production), level=level)
        except InputError as error:
            skipped.append(unanswered(record, error))
            continue
        contradiction = of_run(record, run.recipe.sequence_length)
        if run.counted and not contradiction:
            contradiction = of_memory(answer.filled, int(run.cluster.count))
        peak = max(run.cluster.accelerator.peaks.values(), default=float("inf"))
        contradiction = contradiction or of_peak(6.0 * run.active * run.tokens / (hours * 3600.0), peak)
        comparisons.append(
            Comparison(
                id=record.id,
                source=record.source,
                metric=METRIC,
                measured=hours,
                predicted=answer.hours,
                low=answer.low,
                high=answer.high,
                row=len(assumed),
                flagged=bool(contradiction) or not was_measured(record),
                contradiction=contradiction,
            )
        )
        assumed.append((record.id, answer.assumed))
    return Validation(
        comparisons=tuple(comparisons),
        skipped=tuple(skipped),
        assumed=tuple(assumed),
        ignored_columns=records.ignored_columns,
        level=level,
    )


def joined(parts: Sequence[Validation]) -> Validation:
    """Several validations as one; rows keep their order and are numbered on."""
    comparisons: list[Comparison] = []
    assumed: list[tuple[str, tuple[str, ...]]] = []
    for part in parts:
        comparisons += [replace(one, row=one.row + len(assumed)) for one in part.comparisons]
        assumed += part.assumed
    return Validation(
        comparisons=tuple(comparisons),
        skipped=tuple(skip for part in parts for skip in part.skipped),
        assumed=tuple(assumed),
        ignored_columns=tuple(dict.fromkeys(name for part in parts for name in part.ignored_columns)),
        level=next((part.level for part in parts if part.level is not None), None),
        notes=tuple(note for part in parts for note in part.notes),
    )
