"""Regret on sweeps made by hand."""

from __future__ import annotations

import dataclasses

import pytest

from outlay.accuracy.records import Record
from outlay.accuracy.regret import summary, sweeps
from outlay.accuracy.validate import Comparison, Validation

MEASURED = (4.0, 2.0, 2.5, 3.0)
PREDICTED = (4.0, 2.6, 2.4, 3.0)


def row(index: int, *, metric: str = "step_time_s", source: str = "s", **numbers: float) -> Record:
    own = {"layers": 12.0, "tp": float(2**index), metric: MEASURED[index % 4], **numbers}
    return Record(id=f"{source}{index}", source=source, line=index, words={"model": "gpt"}, numbers=own)


def judged(records: list[Record]) -> Validation:
    comparisons = tuple(
        Comparison(
            id=record.id,
            source=record.source,
            metric=next(iter(record.measured)),
            measured=next(iter(record.measured.values())),
            predicted=PREDICTED[index % 4],
            row=index,
        )
        for index, record in enumerate(records)
    )
    return Validation(comparisons=comparisons, skipped=())


def test_the_layout_ranked_first_beside_the_best() -> None:
    records = [row(index) for index in range(4)]
    (found,) = sweeps(records, judged(records))
    assert found.regret == pytest.approx(2.5 / 2.0 - 1)
    assert summary([found])["overall"]["median"] == pytest.approx(0.25)


def test_a_throughput_is_a_time_turned_over() -> None:
    records = [row(index, metric="tokens_per_s_per_gpu") for index in range(4)]
    (found,) = sweeps(records, judged(records))
    assert found.regret == pytest.approx(0.0)


def test_three_layouts_or_another_batch_or_source_make_no_sweep() -> None:
    three = [row(index) for index in (0, 1, 2)]
    assert not sweeps(three, judged(three))
    other = [row(index, global_batch=8.0 + (index == 3)) for index in range(4)]
    assert not sweeps(other, judged(other))
    mixed = [row(index, source="ab"[index % 2]) for index in range(4)]
    assert not sweeps(mixed, judged(mixed))
    same = [row(index, tp=1.0) for index in range(4)]
    assert not sweeps(same, judged(same))


def test_flagged_rows_take_no_part() -> None:
    records = [row(index) for index in range(4)]
    records[1] = dataclasses.replace(records[1], words={"model": "gpt", "notes": "OUTLIER"})
    assert not sweeps(records, judged(records))


def test_no_sweeps_have_no_figures() -> None:
    assert summary([]) == {"overall": None, "by_source": {}}
