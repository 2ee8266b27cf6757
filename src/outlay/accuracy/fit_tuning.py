"""Fit what tuning runs alone show: ``python -m outlay.accuracy.fit_tuning`` writes the catalog's `tuning.json`.

Few magnitudes of what a tuning script takes of its host and of what it decodes are moved from their priors until the logarithms
of predicted over measured times are small; everything else is as the fit to pre-training left it. Each family of sources is
then left out in turn, its rows predicted without it, and the ranges of tuning are those of the errors that remain.
"""

from __future__ import annotations

import functools
import json
import math
import operator
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import outlay.catalog
from outlay.accuracy import calibrate, cross
from outlay.accuracy.magnitudes import Magnitude
from outlay.accuracy.predict import predictor
from outlay.accuracy.records import Record, Records, read_records
from outlay.accuracy.resolve import Resolved, resolve
from outlay.accuracy.shapes import is_tuned
from outlay.accuracy.validate import Predictor, Validation, convert, validate
from outlay.errors import InputError
from outlay.training import Coefficients, StepCoefficients, load_coefficients

DATE = "2026-11-26"
SCALE = 0.05
"""Relative error beyond which a residual counts linearly."""
SPEED = ("step_time_s", "tokens_per_s_per_gpu", "samples_per_s")
MAGNITUDES = (
    Magnitude(name="launch_unfused", prior=2e-5, spread=0.4),
    Magnitude(name="layer_python", prior=1.5e-3, spread=0.5),
    Magnitude(name="adapter_python:other", prior=3e-4, spread=0.7),
    Magnitude(name="adapter_python:litgpt-2023", prior=7e-4, spread=0.7),
    Magnitude(name="memory_unfused", prior=1.0, spread=0.3),
    Magnitude(name="cache_faster", prior=3.0, spread=0.4),
    Magnitude(name="decode_seconds", prior=1e-11, spread=0.5),
    Magnitude(name="gathered_python", prior=2e-3, spread=0.7),
    Magnitude(name="tuning_fixed", prior=5e-3, spread=0.7),
)
"""What is fitted, each with where it stands before; priors are of a host that takes 10 to 20 µs a call of PyTorch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """A measured time of a step, and the question that its row asks."""

    record: Record
    question: Resolved
    metric: str
    measured: float


def timed(records: Sequence[Record]) -> tuple[Timed, ...]:
    """Every speed that a tuning row measured, where the magnitudes have a say; rows that contradict themselves left out."""
    rows = []
    for record in records:
        if record.flagged or not is_tuned(record):
            continue
        try:
            question = resolve(record)
        except InputError:
            continue
        unfused = question.recipe.tunes and not question.recipe.software.fused_elementwise
        if unfused or question.recipe.stored:
            rows += [
                Timed(record=record, question=question, metric=metric, measured=record.measured[metric])
                for metric in SPEED
                if metric in record.measured
            ]
    return tuple(rows)


def fit(rows: Sequence[Timed], start: Coefficients) -> StepCoefficients:
    """The coefficients that explain the rows best, not far from their priors (soft-L1 least squares, deterministic)."""
    from scipy.optimize import least_squares

    prior = np.array([magnitude.inward(magnitude.prior) for magnitude in MAGNITUDES])
    tie = SCALE * 2.0 / np.array([magnitude.spread for magnitude in MAGNITUDES])
    if not rows:
        return assembled(start.step, prior)
    counts = Counter(row.record.source for row in rows)
    weight = np.array([counts[row.record.source] ** -0.25 for row in rows])

    def residuals(point: NDArray[np.float64]) -> NDArray[np.float64]:
        error = errors(rows, Coefficients(machine=start.machine, step=assembled(start.step, point)))
        soft = np.sign(error) * SCALE * np.sqrt(2.0 * (np.sqrt(1.0 + (error / SCALE) ** 2) - 1.0))
        return np.concatenate([weight * soft, tie * (point - prior)])

    found = least_squares(residuals, prior, diff_step=1e-3, xtol=1e-4, ftol=1e-4, max_nfev=12)
    return assembled(start.step, found.x)


def errors(rows: Sequence[Timed], coefficients: Coefficients) -> NDArray[np.float64]:
    """ln of predicted over measured time, a row each."""
    answers = predictor(coefficients)([row.question for row in rows])
    logs = []
    for row, answer in zip(rows, answers, strict=True):
        if isinstance(answer, InputError):
            logs.append(0.0)
            continue
        recipe = row.question.recipe
        length = recipe.mean_length if recipe.lengths else row.record.whole("seq_len") or recipe.sequence_length
        devices = int(row.question.cluster.count)
        batch = float(recipe.global_batch)
        predicted = convert(row.metric, answer, batch=batch, length=length, devices=devices, memory_unit=1.0)
        logs.append(math.log(predicted / row.measured) * (1.0 if row.metric == "step_time_s" else -1.0))
    return np.array(logs)


def assembled(start: StepCoefficients, point: Sequence[float] | NDArray[np.float64]) -> StepCoefficients:
    """Coefficients with every magnitude at its place."""
    values = {one.name: one.outward(float(at)) for one, at in zip(MAGNITUDES, point, strict=True)}
    adapters = {name.split(":")[1]: value for name, value in values.items() if ":" in name}
    plain = {name: value for name, value in values.items() if ":" not in name}
    return start.replace(**plain, adapter_python=adapters)


def fields(step: StepCoefficients) -> dict[str, Any]:
    """The fitted ones as plain data, to four figures."""
    names = {magnitude.name.split(":")[0] for magnitude in MAGNITUDES}
    return {name: value for name, value in cross.plain(step).items() if name in names}


def refits(rows: Sequence[Timed], start: Coefficients) -> dict[tuple[str, ...], StepCoefficients]:
    """Coefficients without each family of sources, those of pre-training as their own fit without it left them."""
    found = {}
    unseen = cross.load_unseen()
    for family in cross.families(row.record.source for row in rows):
        base = Coefficients(machine=start.machine, step=unseen.get(family, start.step))
        found[family] = fit([row for row in rows if row.record.source not in family], base)
    return found


def predictors(fits: Mapping[tuple[str, ...], StepCoefficients]) -> dict[str, Predictor]:
    """For each source a predictor that has seen it in neither fit."""
    return cross.predictors({**cross.load_unseen(), **fits})


def tuning_records(folder: Path) -> Records:
    """The tuning rows that the project ships."""
    files = [*sorted((folder / "finetuning").glob("*.csv")), *sorted((folder / "training").glob("*.csv"))]
    read: Records = functools.reduce(operator.add, map(read_records, files))
    return Records(records=tuple(record for record in read.records if is_tuned(record)))


def summary(judged: Validation, without: Collection[str] = ()) -> dict[str, Any]:
    """Median and mean error by source, of times and of memory, of rows that the fit had not seen."""
    found: dict[str, Any] = {}
    for metric, name in (("time", "time"), ("memory", "memory")):
        groups: dict[str, list[float]] = {}
        for row in calibrate.scored(judged, metric):
            groups.setdefault(row.source, []).append(abs(math.expm1(-row.error)))
        found[name] = {
            source: {"rows": len(sizes), "median": _four(np.median(sizes)), "mean": _four(np.mean(sizes))}
            for source, sizes in sorted(groups.items())
            if source not in without
        }
    return found


def _four(value: float | np.floating[Any]) -> float:
    return round(float(value), 4)


def main(folder: str = "validation", date: str = DATE) -> None:
    """Read the rows that the project ships, fit, write the catalog's file, print what remains."""
    records = tuning_records(Path(folder))
    start, rows = load_coefficients(), timed(records.records)
    found = fit(rows, start)
    fits = refits(rows, start)
    judged = validate(records, predictor(Coefficients(machine=start.machine, step=found)), unseen=predictors(fits))
    content: dict[str, Any] = {
        "basis": "fitted",
        "date": date,
        "source": "python -m outlay.accuracy.fit_tuning, on validation/finetuning and the tuning rows of validation/training",
        "rows": len(rows),
        "errors": summary(judged),
        "coefficients": fields(found),
        "refits": [{"without": list(family), "coefficients": fields(step)} for family, step in fits.items()],
        **{metric: calibrate.document(calibrate.scored(judged, metric)) for metric in ("time", "memory")},
    }
    path = Path(outlay.catalog.__path__[0]) / "coefficients" / "tuning.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content["coefficients"]))
    for metric in ("time", "memory"):
        for source, entry in content["errors"][metric].items():
            print(
                f"{metric:7} {source:36} {entry['rows']:4} rows  median {entry['median']:.3f}  mean {entry['mean']:.3f}"
            )
        medians = [entry["median"] for entry in content["errors"][metric].values()]
        print(f"{metric}: mean over {len(medians)} sources of the median error {np.mean(medians):.3f}")
        held = content[metric]["held"]["0.8"]
        print(f"80 % ranges: hold {held['all']['coverage']:.1%}, high/low {held['all']['width']:.2f}")


if __name__ == "__main__":
    main()
