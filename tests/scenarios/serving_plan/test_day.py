"""A day's rows are equal parts of it: a row that was forgotten is noticed, and parts that are no hours are said."""

from __future__ import annotations

from pathlib import Path

import pytest

from outlay.errors import InputError
from outlay.scenarios.serving_plan.day import Day, read_day


def day(folder: Path, rows: int) -> Day:
    path = folder / "day.csv"
    path.write_text("requests\n" + "".join(f"{1 + place}\n" for place in range(rows)), encoding="utf-8")
    return read_day(str(path), 300.0, None)


@pytest.mark.parametrize("rows", [7, 11, 13, 22, 23, 25, 47, 49, 95, 97, 1439])
def test_rows_that_do_not_divide_a_day_into_minutes_are_refused(rows: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"has {rows:,} rows") as caught:
        day(tmp_path, rows)
    assert "add the rows that are missing" in caught.value.hint


@pytest.mark.parametrize("rows", [2, 12, 20, 48, 96, 1440])
def test_parts_that_are_no_hours_are_said(rows: int, tmp_path: Path) -> None:
    found = day(tmp_path, rows)
    (said,) = found.assumed
    assert said.value == f"{rows:,} parts of {1440 // rows:,} minutes"
    assert found.seconds * rows == 86_400


def test_hours_are_as_documented(tmp_path: Path) -> None:
    assert day(tmp_path, 24).assumed == ()
