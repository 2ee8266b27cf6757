"""The figures that the project holds itself to may not get worse, and no prediction changes unseen.

`UPDATE_GOLDEN=1 pytest tests/accuracy/test_tracked.py` records both anew; the difference is read before it is committed.
"""

from __future__ import annotations

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

from outlay.accuracy.cross import load_unseen, predictors
from outlay.accuracy.predict import predictor
from outlay.accuracy.records import Record, Records, read_records
from outlay.accuracy.tracked import STATED, counted, tracked
from outlay.accuracy.validate import Comparison, Validation, validate
from outlay.training import load_coefficients
from outlay.training.ranges import load_ranges

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "predictions.csv"
FIGURES = ROOT / "tests" / "golden" / "tracked.json"
A_SOURCE = 25
"""Rows of the golden table from each source, evenly spaced."""
TOLERANCE = 0.005
"""By how much an error may grow, a share of covered or answered rows shrink."""
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"


@pytest.fixture(scope="module")
def read() -> Records:
    return functools.reduce(operator.add, map(read_records, sorted((ROOT / "validation" / "training").glob("*.csv"))))


@pytest.fixture(scope="module")
def judged(read: Records) -> Validation:
    unseen = predictors(load_unseen())
    return validate(read, predictor(load_coefficients()), unseen=unseen, ranges=load_ranges())


def test_no_prediction_changes_unseen(read: Records) -> None:
    sources: dict[str, list[Record]] = {}
    for record in read.records:
        if record.measured:
            sources.setdefault(record.source, []).append(record)
    picked = [record for own in sources.values() for record in own[:: max(1, len(own) // A_SOURCE)]]
    found = validate(Records(records=tuple(picked)), predictor(load_coefficients()))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["id", "metric", "predicted"])
    writer.writerows([one.id, one.metric, f"{one.predicted:.4g}"] for one in found.comparisons)
    if UPDATE:
        GOLDEN.write_text(out.getvalue(), encoding="utf-8")
    recorded = list(csv.DictReader(io.StringIO(GOLDEN.read_text(encoding="utf-8"))))
    now = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(now) >= 200
    assert [(row["id"], row["metric"]) for row in now] == [(row["id"], row["metric"]) for row in recorded]
    changed = [
        f"{row['id']} {row['metric']}: {was['predicted']} → {row['predicted']}"
        for row, was in zip(now, recorded, strict=True)
        # A last digit may differ between machines.
        if abs(float(row["predicted"]) / float(was["predicted"]) - 1) > 1.1e-3
    ]
    assert not changed, f"{len(changed)} changed:\n" + "\n".join(changed[:20])


def worsened(now: dict[str, Any], was: dict[str, Any]) -> Iterator[str]:
    """What got worse by more than the tolerance."""
    pairs = [
        (f"mean of {name}", now["by_source"][name]["mean"], entry["mean"]) for name, entry in was["by_source"].items()
    ]
    pairs += [(name, now[name], was[name]) for name in ("mean_of_sources", "median_of_rows", "memory_median")]
    pairs += [
        (f"{name} of regret", *(side["regret"]["overall"][name] for side in (now, was))) for name in ("median", "p90")
    ]
    pairs.append(("median width", now["ranges"]["width"], was["ranges"]["width"]))
    pairs += [(f"-{name}", -now[name], -was[name]) for name in ("answered", "rows")]
    for name, value, before in pairs:
        if value > before + TOLERANCE:
            yield f"{name}: {before:.4f} → {value:.4f}"


def test_no_figure_gets_worse(read: Records, judged: Validation) -> None:
    now = json.loads(json.dumps(tracked(read.records, judged)))
    if UPDATE:
        FIGURES.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    worse = list(worsened(now, json.loads(FIGURES.read_text(encoding="utf-8"))))
    assert not worse, "; ".join(worse)


def test_a_figure_that_got_worse_is_found() -> None:
    was = json.loads(FIGURES.read_text(encoding="utf-8"))
    assert not list(worsened(was, was))
    for change in ({"mean_of_sources": 1.0}, {"answered": 0.5}, {"memory_median": 9.0}):
        assert len(list(worsened(was | change, was))) == 1


def test_regret_in_measured_sweeps_is_small(read: Records, judged: Validation) -> None:
    found = tracked(read.records, judged)["regret"]["overall"]
    assert found["sweeps"] >= 100 and found["median"] <= 0.03


def test_what_is_counted() -> None:
    numbers = dict.fromkeys(STATED, 8.0)
    row = Record(id="a", source="s", line=2, words={"task": "pretrain"}, numbers=numbers)
    assert counted(row)
    assert not counted(Record(id="a", source="s", line=2, words={"task": "sft"}, numbers=numbers))
    assert not counted(Record(id="a", source="s", line=2, words={"task": "pretrain"}, numbers={"layers": 8.0}))
    assert not counted(
        Record(id="a", source="s", line=2, words={"task": "pretrain", "notes": "CHECK"}, numbers=numbers)
    )
    slow = Comparison(id="a", source="s", metric="tokens_per_s_per_gpu", measured=100.0, predicted=50.0)
    assert slow.time_error == 1.0
