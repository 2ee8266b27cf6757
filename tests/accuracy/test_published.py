"""The plan is never slower than what was published, by the model's own word; and the committed table is what it finds."""

import csv
from pathlib import Path

import pytest

from outlay.accuracy.published import BEST, SOURCES, Beside, compare, summary
from outlay.accuracy.records import Record, read_records
from outlay.training import load_coefficients
from outlay.training.choose import TIE

ROOT = Path(__file__).resolve().parents[2]


def _table() -> list[dict[str, str]]:
    with (ROOT / "docs" / "published-layouts.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_no_published_layout_is_faster_than_the_plan() -> None:
    table = _table()
    assert {row["source"] for row in table} == set(SOURCES)
    for row in table:
        assert float(row["planned_seconds"]) <= 1.01 * TIE * float(row["seconds"]), row["id"]


@pytest.fixture(scope="module")
def again() -> list[Beside]:
    """Some rows of each source, looked at again: those of dense models, which take little time."""
    picked: list[Record] = []
    for source in SOURCES:
        records = {
            record.id: record for record in read_records(ROOT / "validation" / "training" / f"{source}.csv").records
        }
        own = [records[row["id"]] for row in _table() if row["source"] == source and "ep=" not in row["published"]]
        picked += own[:: max(1, len(own) // 6)]
    return list(compare(picked, load_coefficients()))


def test_the_committed_table_is_what_is_found(again: list[Beside]) -> None:
    table = {(row["source"], row["id"]): row for row in _table()}
    assert len(again) >= 12
    for one in again:
        row = table[one.source, one.id]
        assert (one.published, one.planned) == (row["published"], row["planned"]), one.id
        assert one.published_seconds == pytest.approx(float(row["seconds"]), rel=1e-3)
        assert one.planned_seconds == pytest.approx(float(row["planned_seconds"]), rel=1e-3)
        assert one.faster == int(row["faster"])


def test_shares_are_counted(again: list[Beside]) -> None:
    for source, figures in summary(again).items():
        own = [one for one in again if one.source == source]
        assert figures["rows"] == len(own)
        assert figures["among_best"] == pytest.approx(sum(one.faster < BEST for one in own) / len(own))
        assert figures["median"] <= figures["most"]
