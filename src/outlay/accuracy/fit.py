"""Fit to the measured runs that the project ships: ``python -m outlay.accuracy.fit`` writes the catalog's `step.json`,
`unseen.json` and `ranges.json`: coefficients, the same with each family of sources left out, and how sure they are.
"""

from __future__ import annotations

import functools
import json
import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import outlay.catalog
from outlay.accuracy import calibrate, cross
from outlay.accuracy.magnitudes import MAGNITUDES
from outlay.accuracy.predict import predictor
from outlay.accuracy.records import Records, read_records
from outlay.accuracy.solve import Fit, fit, fittable
from outlay.accuracy.solve_memory import PRIORS
from outlay.accuracy.validate import Validation, validate
from outlay.training import Coefficients, load_coefficients

DATE = "2026-11-23"
"""Of the rows in validation/training: a fit on the same rows writes the same files."""


def document(found: Fit, unseen: Mapping[str, NDArray[np.float64]], *, date: str) -> dict[str, Any]:
    """The fit as the catalog stores it: coefficients to four figures, rows, and errors by source.

    `unseen` holds, by source, the errors of its rows of the fit as predicted without it and its kin.
    """
    by_source = {}
    for source in sorted({row.record.source for row in found.rows}):
        errors = found.errors[[row.record.source == source for row in found.rows]]
        errors = errors[np.isfinite(errors)]
        by_source[source] = {"rows": len(errors), **_spread(errors), "unseen": _spread(unseen[source])}
    fields = cross.pretrained(found.coefficients)
    return {
        "basis": "fitted",
        "date": date,
        "source": "python -m outlay.accuracy.fit, on validation/training",
        "rows": len(found.rows),
        "errors": by_source,
        "assumed": sorted(set(fields) - {magnitude.name for magnitude in MAGNITUDES} - {"slowdown", "family", *PRIORS}),
        "coefficients": fields,
    }


def unseen_errors(found: Fit, judged: Validation) -> dict[str, NDArray[np.float64]]:
    """Errors of step time of the rows of a fit, by source, as a validation predicted them."""
    error = {(one.source, one.id): one.error for one in judged.comparisons if one.metric == "step_time_s"}
    keys = [(row.record.source, row.record.id) for row in found.rows]
    return {
        source: np.array([error[key] for key in keys if key[0] == source and key in error])
        for source in {source for source, _ in keys}
    }


def _spread(errors: NDArray[np.float64]) -> dict[str, float]:
    """Median and mean of the size of errors, and their bias, to four figures."""
    errors = errors[np.isfinite(errors)]
    figures = {"median": np.median(np.abs(errors)), "mean": np.mean(np.abs(errors)), "bias": np.median(errors)}
    return {name: round(float(figure), 4) for name, figure in figures.items()}


def main(folder: str = "validation/training", date: str = DATE) -> None:
    """Read the rows that the project ships, fit, write the catalog's files, print what remains."""
    records: Records = functools.reduce(operator.add, map(read_records, sorted(Path(folder).glob("*.csv"))))
    found = fit(fittable(records.records), say=print)
    fits = cross.refits(found)
    shipped = predictor(Coefficients(machine=load_coefficients().machine, step=found.coefficients))
    judged = validate(records, shipped, unseen=cross.predictors(fits))
    ranges: dict[str, Any] = {
        "basis": "fitted",
        "date": date,
        "source": "python -m outlay.accuracy.fit, on validation/training, each source predicted by a fit without it",
        **{metric: calibrate.document(calibrate.scored(judged, metric)) for metric in ("time", "memory")},
    }
    content = document(found, unseen_errors(found, judged), date=date)
    for name, part in (("step", content), ("unseen", cross.document(fits, date=date)), ("ranges", ranges)):
        path = Path(outlay.catalog.__path__[0]) / "coefficients" / f"{name}.json"
        path.write_text(json.dumps(part, indent=1) + "\n", encoding="utf-8")
    for source, errors in content["errors"].items():
        print(f"{source:28} {errors['rows']:4} rows  {_words(errors)}  unseen {_words(errors['unseen'])}")
    for metric in ("time", "memory"):
        held = ranges[metric]["held"]["0.8"]["all"]
        print(f"80 % ranges of {metric}: hold {held['coverage']:.1%} of rows left out, high/low {held['width']:.2f}")


def _words(errors: Mapping[str, float]) -> str:
    return "  ".join(f"{name} {errors[name]:+.3f}" for name in ("median", "mean", "bias"))


if __name__ == "__main__":
    main()
