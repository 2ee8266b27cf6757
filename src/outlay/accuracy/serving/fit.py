"""Fit to the measured serving rows that the project ships: ``python -m outlay.accuracy.serving.fit`` writes the catalog's
`serving.json`, `serving-unseen.json` and `serving-ranges.json`: coefficients, the same with each family of sources left
out, and how sure they are.
"""

from __future__ import annotations

import functools
import json
import math
import operator
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import outlay.catalog
from outlay.accuracy.calibrate import Scored
from outlay.accuracy.calibrate import document as spread_document
from outlay.accuracy.metrics import RATES
from outlay.accuracy.records import Records
from outlay.accuracy.serving import cross
from outlay.accuracy.serving.doubts import DOUBTS
from outlay.accuracy.serving.predict import predictor
from outlay.accuracy.serving.solve import Fit, fit, fittable
from outlay.accuracy.serving.validate import read_serving, validate_serving
from outlay.accuracy.summary import once_a_kind
from outlay.accuracy.validate import Comparison, Validation
from outlay.serving import ServingCoefficients, load_serving

DATE = "2026-11-27"
"""Of the rows in validation/serving: a fit on the same rows writes the same files."""


def document(found: Fit, unseen: Validation, *, date: str) -> dict[str, Any]:
    """The fit as the catalog stores it: coefficients, rows, and errors of rows left out by kind and source."""
    return {
        "basis": "fitted",
        "date": date,
        "source": "python -m outlay.accuracy.serving.fit, on validation/serving",
        "rows": len(found.rows),
        "unseen": {
            kind: {source: _median(rows) for source, rows in _by_source(group).items()}
            for kind, group in once_a_kind(unseen.comparisons).items()
        },
        "coefficients": cross.plain(found.coefficients),
    }


def _by_source(group: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    found: dict[str, list[Comparison]] = {}
    for one in group:
        found.setdefault(one.source, []).append(one)
    return dict(sorted(found.items()))


def _median(rows: Sequence[Comparison]) -> dict[str, float]:
    return {"rows": len(rows), "median": round(median(abs(one.error) for one in rows), 4)}


def scored(rows: Sequence[Comparison], models: Mapping[tuple[str, str], str]) -> list[Scored]:
    """Comparisons of one kind as ln(measured / predicted) of a time: all of them, since a large source, which counts like any
    other in a spread, has most of the rows that the ranges are to hold.

    Where one or two sources alone measured a kind, their models stand for sources: a range is then made without a row's model.
    """
    several = len({one.source for one in rows}) > 2
    return [
        Scored(
            source=one.source if several else models[one.source, one.id],
            error=math.log(one.measured / one.predicted) * (-1 if one.metric in RATES else 1),
            doubts=one.doubts,
            stated=one.stated and "kernels" not in one.doubts,
        )
        for one in rows
    ]


def main(folder: str = "validation/serving", date: str = DATE) -> None:
    """Read the rows that the project ships, fit, write the catalog's files, print what remains."""
    records: Records = functools.reduce(operator.add, map(read_serving, sorted(Path(folder).glob("*.csv"))))
    found = fit(fittable(records.records), say=print)
    fits = cross.refits(found)
    shipped = predictor(ServingCoefficients(machine=load_serving().machine, step=found.coefficients))
    judged = validate_serving(records, shipped, unseen=cross.predictors(fits))
    kinds = once_a_kind(judged.comparisons)
    models = {(record.source, record.id): record.word("model") for record in records.records}
    ranges: dict[str, Any] = {
        "basis": "fitted",
        "date": date,
        "source": "python -m outlay.accuracy.serving.fit, on validation/serving, each source predicted by a fit without it",
        **{kind: spread_document(scored(rows, models), names=DOUBTS) for kind, rows in kinds.items()},
    }
    content = document(found, judged, date=date)
    parts = (("serving", content), ("serving-unseen", cross.document(fits, date=date)), ("serving-ranges", ranges))
    for name, part in parts:
        path = Path(outlay.catalog.__path__[0]) / "coefficients" / f"{name}.json"
        path.write_text(json.dumps(part, indent=1) + "\n", encoding="utf-8")
    for kind, sources in content["unseen"].items():
        mean = sum(entry["median"] for entry in sources.values()) / len(sources)
        print(f"{kind}: mean over sources of the median error of rows left out {mean:.3f}")
        for source, entry in sources.items():
            print(f"  {source[:60]:60} {entry['rows']:5}  {entry['median']:.3f}")
        held = ranges[kind]["held"]["0.8"]["all"]
        print(f"  80 % ranges hold {held['coverage']:.1%}, high/low {held['width']:.2f}")


if __name__ == "__main__":
    main()
