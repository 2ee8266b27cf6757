"""Fit what whole runs lose against their steps: ``python -m outlay.accuracy.runs_fit`` writes the catalog's `runs.json`.

Five factors (:class:`~outlay.training.production.Production`) in the logarithm of published device-hours over those of steps
and goodput. The fit takes least absolute deviations, so that a run that also taught its model from another one does not
pull; a slight tie to zero holds factors of which few rows tell. It is judged on rows, and on publishers, that it has not seen.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
from numpy.typing import NDArray

import outlay.catalog
from outlay.accuracy.records import Record
from outlay.accuracy.runs import measured_hours, predict_run, read_runs, was_measured
from outlay.accuracy.runs_question import Run, question_of
from outlay.errors import InputError
from outlay.training import Coefficients, load_coefficients
from outlay.training.production import USUAL, Production, spread

FACTORS = ("node", "cluster", "size", "tpu", "unnamed")
TIE = 1.0
"""How much a row's worth of evidence holds each factor but the first at zero."""
NEAR = 0.05
"""Relative error within which a residual counts squared."""
_NONE = Production(node=0.0, cluster=0.0, size=0.0, tpu=0.0, unnamed=0.0, unseen=())


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A measured run: what its factors are multiplied with, and by how much it took longer than predicted."""

    id: str
    source: str
    traits: tuple[float, ...]
    excess: float
    """Logarithm of measured hours over hours of steps and goodput."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsFit:
    """Fitted factors, and predicted over measured − 1 of each row: fitted, without the row, without its publisher."""

    production: Production
    rows: tuple[RunRow, ...]
    fitted: tuple[float, ...]
    without_row: tuple[float, ...]
    without_source: tuple[float, ...]


def rows_of(records: Sequence[Record], coefficients: Coefficients) -> tuple[RunRow, ...]:
    """The records whose hours were measured and that can be predicted."""
    found = []
    for record in records:
        hours = measured_hours(record)
        if hours is None or not was_measured(record):
            continue
        try:
            run = question_of(record)
            bare = predict_run(run, coefficients, _NONE).hours
        except InputError:
            continue
        found.append(RunRow(id=record.id, source=record.source, traits=traits_of(run), excess=math.log(hours / bare)))
    return tuple(found)


def traits_of(run: Run) -> tuple[float, ...]:
    """What stands beside each of :data:`FACTORS` in the logarithm of a run's hours."""
    far = spread(int(run.cluster.count), counted=run.counted)
    return (1.0, far, far * math.log(run.active / USUAL), float(run.tpu), float(not run.named))


def fit(rows: Sequence[RunRow]) -> RunsFit:
    """Factors of at least two rows, and the errors on rows and publishers left out.

    Raises `InputError` if there is nothing to fit.
    """
    if len(rows) < 2:
        raise InputError("there are no measured runs to fit", hint="give a file of `validation/runs/`")
    traits = np.array([row.traits for row in rows])
    excess = np.array([row.excess for row in rows])
    sources = np.array([row.source for row in rows])
    found = _solved(traits, excess)
    by_row = _unseen(traits, excess, lambda index: np.arange(len(rows)) != index)
    by_source = _unseen(traits, excess, lambda index: sources != sources[index])
    return RunsFit(
        production=Production(**_factors(found), unseen=tuple(round(float(value), 4) for value in np.sort(-by_source))),
        rows=tuple(rows),
        fitted=tuple(float(value) for value in np.expm1(traits @ found - excess)),
        without_row=tuple(float(value) for value in np.expm1(by_row)),
        without_source=tuple(float(value) for value in np.expm1(by_source)),
    )


def _unseen(
    traits: NDArray[np.float64], excess: NDArray[np.float64], kept: Callable[[int], NDArray[np.bool_]]
) -> NDArray[np.float64]:
    """Logarithms of predicted over measured, each by a fit to the rows that `kept` leaves."""
    errors = np.zeros(len(excess))
    for index in range(len(excess)):
        keep = kept(index)
        errors[index] = traits[index] @ _solved(traits[keep], excess[keep]) - excess[index]
    return errors


def _solved(traits: NDArray[np.float64], excess: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least absolute deviations by reweighted least squares."""
    tie = np.diag([1e-9] + [TIE] * (traits.shape[1] - 1))
    weight = np.ones(len(excess))
    found: NDArray[np.float64] = np.zeros(traits.shape[1])
    for _ in range(200):
        found = np.asarray(np.linalg.solve(traits.T @ (weight[:, None] * traits) + tie, traits.T @ (weight * excess)))
        weight = 1.0 / np.maximum(np.abs(excess - traits @ found), NEAR)
    return found


def content_of(found: RunsFit, when: str) -> dict[str, Any]:
    """What `runs.json` holds."""
    return {
        "basis": "fitted",
        "date": when,
        "source": "python -m outlay.accuracy.runs_fit, on validation/runs",
        "rows": len(found.rows),
        "errors": {
            name: {
                "median": round(median(map(abs, values)), 4),
                "mean": round(fmean(map(abs, values)), 4),
                "bias": round(median(values), 4),
            }
            for name, values in (
                ("fitted", found.fitted),
                ("without_row", found.without_row),
                ("without_source", found.without_source),
            )
        },
        "coefficients": asdict(found.production),
        "without": {
            source: _factors(_without(found.rows, source)) for source in sorted({r.source for r in found.rows})
        },
    }


def _without(rows: Sequence[RunRow], source: str) -> NDArray[np.float64]:
    kept = [row for row in rows if row.source != source]
    return _solved(np.array([row.traits for row in kept]), np.array([row.excess for row in kept]))


def _factors(found: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(FACTORS, (round(float(value), 4) for value in found), strict=True))


def main(paths: Sequence[str]) -> None:
    """Fit to the files given, or to `validation/runs`, and write the catalog's `runs.json`."""
    files = [Path(path) for path in paths] or sorted(Path("validation/runs").glob("*.csv"))
    records = [record for file in files for record in read_runs(file).records]
    content = content_of(fit(rows_of(records, load_coefficients())), date.today().isoformat())
    target = Path(outlay.catalog.__file__).parent / "coefficients" / "runs.json"
    target.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for name, errors in content["errors"].items():
        print(f"{name:<16} median {errors['median']:.1%}  mean {errors['mean']:.1%}  bias {errors['bias']:+.1%}")
    print(", ".join(f"{name} {content['coefficients'][name]:+.3f}" for name in FACTORS))


if __name__ == "__main__":
    main(sys.argv[1:])
