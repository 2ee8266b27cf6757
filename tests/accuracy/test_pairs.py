"""What measured pairs of runs show, predicted without being fitted to: ratios that only one cause explains."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from outlay.accuracy.predict import predictor
from outlay.accuracy.records import read_records
from outlay.accuracy.resolve import resolve
from outlay.accuracy.validate import Prediction
from outlay.training import load_coefficients

DATA = Path(__file__).parents[2] / "validation" / "training"


def both(source: str, *ids: str) -> tuple[float, float]:
    """Measured and predicted seconds of the first row over those of the second."""
    rows = {record.id[-4:]: record for record in read_records(DATA / f"{source}.csv").records}
    predict = predictor(load_coefficients())
    seconds = []
    for number in ids:
        answer = predict([resolve(rows[number])])[0]
        assert isinstance(answer, Prediction)
        seconds.append((rows[number].measured["step_time_s"], answer.step_seconds))
    (measured, predicted), (other, guessed) = seconds
    return measured / other, predicted / guessed


@pytest.mark.parametrize(
    ("unaligned", "aligned"), [("0107", "0106"), ("0104", "0103"), ("0109", "0108"), ("0073", "0072")]
)
def test_heads_of_108_leave_the_tensor_cores(unaligned: str, aligned: str) -> None:
    measured, predicted = both("bigscience_bloom", unaligned, aligned)
    assert measured > 1.3
    assert predicted == pytest.approx(measured, rel=0.12)


@pytest.mark.parametrize(("long", "short"), [("0082", "0078"), ("0081", "0077"), ("0118", "0114"), ("0117", "0113")])
def test_bert_of_512_is_faster_a_token_than_padding_allows(long: str, short: str) -> None:
    """Half as many sequences four times as long would take more than twice as long; batches of like length do not."""
    measured, predicted = both("nvidia_deeplearningexamples", long, short)
    assert measured < 1.6
    assert predicted == pytest.approx(measured, rel=0.16)


def test_micro_batches_that_the_paper_leaves_out_are_those_of_its_scripts() -> None:
    """Large without a pipeline, small with a long one (its `examples/sc21/run_table_1.sh`: 16, 16, 8, 4, 2, 2, 1)."""
    taken = []
    for record in read_records(DATA / "megatron_2021_a100.csv").records[:7]:
        answer = predictor(load_coefficients())([resolve(record)])[0]
        assert isinstance(answer, Prediction)
        taken += [int(said.split()[1]) for said in answer.assumed if said.startswith("micro_batch")]
    assert taken[:3] == [16, 16, 16] and taken[-1] == 1
    assert taken == sorted(taken, reverse=True)


def test_every_row_that_is_named_here_is_in_the_table() -> None:
    with (DATA / "bigscience_bloom.csv").open(newline="") as file:
        heads = {row["id"][-4:]: row["heads"] for row in csv.DictReader(file)}
    assert [heads[number] for number in ("0107", "0106", "0104", "0103")] == ["128", "96", "128", "96"]
