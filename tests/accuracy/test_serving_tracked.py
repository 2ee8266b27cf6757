"""The figures of serving may not get worse, and no prediction of a serving row changes unseen.

`UPDATE_GOLDEN=1 pytest tests/accuracy/test_serving_tracked.py` records both anew; the difference is read before it is
committed.
"""

from __future__ import annotations

import copy
import csv
import functools
import io
import json
import operator
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outlay.accuracy.records import Record, Records
from outlay.accuracy.serving.columns import measured
from outlay.accuracy.serving.cross import load_serving_unseen
from outlay.accuracy.serving.judged import judged as judge
from outlay.accuracy.serving.tracked import tracked
from outlay.accuracy.serving.validate import read_serving
from outlay.accuracy.validate import Validation

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "serving-predictions.csv"
FIGURES = ROOT / "tests" / "golden" / "serving-tracked.json"
A_SOURCE = 15
"""Rows of the golden table from each source, evenly spaced."""
TOLERANCE = 0.005
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"


@pytest.fixture(scope="module")
def read() -> Records:
    return functools.reduce(operator.add, map(read_serving, sorted((ROOT / "validation" / "serving").glob("*.csv"))))


@pytest.fixture(scope="module")
def figures(read: Records) -> dict[str, Any]:
    found: Validation = judge(read, cross=True)
    return json.loads(json.dumps(tracked(read.records, found)))  # type: ignore[no-any-return]


def test_no_prediction_changes_unseen(read: Records) -> None:
    sources: dict[str, list[Record]] = {}
    for record in read.records:
        if measured(record):
            sources.setdefault(record.source, []).append(record)
    picked = [record for own in sources.values() for record in own[:: max(1, len(own) // A_SOURCE)]]
    found = judge(Records(records=tuple(picked)))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "metric", "predicted"])
    writer.writerows([one.id, one.metric, f"{one.predicted:.4g}"] for one in found.comparisons)
    if UPDATE:
        GOLDEN.write_text(out.getvalue(), encoding="utf-8")
    recorded = list(csv.DictReader(io.StringIO(GOLDEN.read_text(encoding="utf-8"))))
    now = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(now) >= 150
    assert [(row["id"], row["metric"]) for row in now] == [(row["id"], row["metric"]) for row in recorded]
    changed = [
        f"{row['id']} {row['metric']}: {was['predicted']} → {row['predicted']}"
        for row, was in zip(now, recorded, strict=True)
        if abs(float(row["predicted"]) / float(was["predicted"]) - 1) > 1.1e-3
    ]
    assert not changed, f"{len(changed)} changed:\n" + "\n".join(changed[:20])


def worsened(now: dict[str, Any], was: dict[str, Any]) -> Iterator[str]:
    """What got worse by more than the tolerance."""
    for name, entry in was.items():
        for key, sign in (("mean_of_medians", 1), ("rows", -1)):
            if sign * (now[name][key] - entry[key]) > TOLERANCE:
                yield f"{key} of {name}: {entry[key]:.4g} → {now[name][key]:.4g}"


def test_no_figure_gets_worse(figures: dict[str, Any]) -> None:
    if UPDATE:
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    worse = list(worsened(figures, json.loads(FIGURES.read_text(encoding="utf-8"))))
    assert not worse, "; ".join(worse)


def test_a_figure_that_got_worse_is_found() -> None:
    was = json.loads(FIGURES.read_text(encoding="utf-8"))
    assert not list(worsened(was, was))
    for key, value in (("mean_of_medians", 9.0), ("rows", 1)):
        now = copy.deepcopy(was)
        now["decode"][key] = value
        assert len(list(worsened(now, was))) == 1


def test_most_rows_of_language_models_are_answered(read: Records) -> None:
    found = judge(read)
    refused = sum("not yet" in one.reason or "ablation" in one.reason for one in found.skipped)
    assert found.answered / (found.answered + len(found.skipped) - refused) > 0.95


def test_every_source_was_left_out_once(read: Records) -> None:
    without = {source for family in load_serving_unseen() for source in family}
    assert {record.source for record in read.records} <= without
