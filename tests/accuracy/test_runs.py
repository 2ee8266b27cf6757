"""Whole runs: read, asked, predicted from the configuration alone, and right within bounds that are tracked."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay import cost_training
from outlay.accuracy.columns import COLUMNS as STEP_COLUMNS
from outlay.accuracy.records import Record
from outlay.accuracy.runs import (
    is_run_file,
    joined,
    measured_hours,
    predict_run,
    read_runs,
    validate_runs,
    was_measured,
)
from outlay.accuracy.runs_columns import COLUMNS, CONFIGURATION, METRIC
from outlay.accuracy.runs_fit import RunRow, content_of, fit, rows_of
from outlay.accuracy.runs_question import NODE, planned_count, question_of, typical_experts
from outlay.errors import InputError
from outlay.training import load_coefficients
from outlay.training.production import Production, load_production, load_unseen
from outlay.workload import parameters

TABLE = Path(__file__).parents[2] / "validation" / "runs" / "language_models.csv"
STEPS = Path(__file__).parents[2] / "validation" / "training" / "korthikanti_2022.csv"
NONE = Production(node=0.0, cluster=0.0, size=0.0, tpu=0.0, unnamed=0.0, unseen=())


def record(**cells: object) -> Record:
    words = {key: value for key, value in cells.items() if isinstance(value, str)}
    numbers = {key: float(value) for key, value in cells.items() if isinstance(value, int | float)}
    return Record(id="a", source="s", line=2, words=words, numbers=numbers)


LLAMA = {"model": "Llama 2 7B", "tokens_b": 2000, "accelerator": "A100-80GB"}


@pytest.fixture(scope="module")
def found():
    return validate_runs(read_runs(TABLE), load_coefficients())


# --- reading ---------------------------------------------------------------------------------------------------------


def test_files_of_runs_are_told_from_files_of_steps():
    assert is_run_file(TABLE)
    assert not is_run_file(STEPS)


def test_no_measured_column_is_a_configuration():
    assert not {"device_hours", "days", "hours_kind", "notes"} & set(CONFIGURATION)
    assert set(CONFIGURATION) < set(COLUMNS)


def test_hours_are_stated_or_devices_times_days():
    assert measured_hours(record(device_hours=12.5, days=1, count=8)) == 12.5
    assert measured_hours(record(days=2, count=8)) == 384
    assert measured_hours(record(days=2)) is None


@pytest.mark.parametrize(
    ("kind", "measured"),
    [
        ("stated", True),
        ("devices x days", True),
        ("", True),
        ("upper bound", False),
        ("derived (FLOP / assumed 40 % MFU)", False),
        ("estimate from 6ND", False),
        ("24 h budget by definition", False),
    ],
)
def test_what_was_worked_out_from_flop_is_no_measurement(kind, measured):
    assert was_measured(record(hours_kind=kind)) is measured


def test_a_row_without_a_source_takes_its_address(tmp_path):
    file = tmp_path / "runs.csv"
    file.write_text("model,tokens_b,accelerator,device_hours,source_url\nllama-2-7b,1,a100,5,https://www.x.org/a b\n")
    assert read_runs(file).records[0].source == "x.org/a"


# --- questions -------------------------------------------------------------------------------------------------------


def test_a_prediction_sees_no_measured_column():
    bare = record(**LLAMA)
    full = record(**LLAMA, device_hours=3, days=7, hours_kind="stated", notes="x")
    assert predict_run(question_of(bare), load_coefficients()) == predict_run(question_of(full), load_coefficients())


def test_what_a_row_leaves_open_is_said():
    run = question_of(record(**LLAMA))
    assert not run.counted
    assert any(text.startswith("count ") for text in run.assumed)
    assert any(text.startswith("global batch ") for text in run.assumed)
    assert int(run.recipe.global_batch) * run.recipe.sequence_length == 2**22
    stated = question_of(record(**LLAMA, count=256, global_batch_tokens=4194304, seq_len=4096))
    assert not any(text.startswith(("count ", "global batch ")) for text in stated.assumed)
    assert int(stated.cluster.count) == 256


@pytest.mark.parametrize(
    "cells",
    [
        {**LLAMA, "task": "rl"},
        {**LLAMA, "task": "lora"},
        {**LLAMA, "task": "vision"},
        {**LLAMA, "family": "multimodal"},
        {**LLAMA, "family": "diffusion"},
        {**LLAMA, "family": "vision"},
        {**LLAMA, "model": "T5-11B"},
        {**LLAMA, "model": "Switch Transformer 1500B", "family": "moe"},
        {"model": "Llama 2 7B", "accelerator": "A100"},
        {"model": "Llama 2 7B", "tokens_b": 3},
        {"model": "something", "tokens_b": 3, "accelerator": "A100"},
        {"model": "upcycled 8B", "tokens_b": 3, "accelerator": "A100", "family": "moe"},
    ],
    ids=str,
)
def test_what_cannot_be_answered_says_why(cells):
    with pytest.raises(InputError):
        question_of(record(**cells))


def test_experts_without_layers_have_about_the_stated_parameters():
    cells = {"model": "unheard-of", "family": "moe", "experts": 8, "experts_per_token": 2, "accelerator": "H100"}
    run = question_of(record(**cells, params_total_b=46.7, params_active_b=12.9, tokens_b=100))
    count = parameters(run.recipe.architecture)
    assert 0.8 < count.total / 46.7e9 < 1.3
    assert 0.7 < count.active / 12.9e9 < 1.5
    assert typical_experts(record(**cells, params_total_b=46.7))["experts"] == 8


def test_planned_counts_are_whole_nodes_and_grow():
    counts = [planned_count(flop, 1e15) for flop in (1e15, 1e20, 1e23, 1e25)]
    assert counts == sorted(counts)
    assert all(count % NODE == 0 for count in counts)
    assert planned_count(1e30, 1e15, sequences=64) == 128


def test_more_tokens_take_more_hours():
    hours = [
        predict_run(question_of(record(**LLAMA | {"tokens_b": t, "count": 256})), load_coefficients()).hours
        for t in (1, 10, 1000)
    ]
    assert hours == sorted(hours)
    assert hours[2] / hours[1] == pytest.approx(100, rel=0.1)


def test_parts_of_a_prediction():
    answer = predict_run(question_of(record(**LLAMA)), load_coefficients(), NONE)
    assert answer.hours == pytest.approx(answer.step_hours + answer.lost_hours)
    assert answer.low == answer.hours == answer.high
    shipped = predict_run(question_of(record(**LLAMA)), load_coefficients())
    assert shipped.low < shipped.hours < shipped.high
    wide = predict_run(question_of(record(**LLAMA)), load_coefficients(), level=0.95)
    assert wide.low <= shipped.low
    assert shipped.high <= wide.high


# --- the fit ---------------------------------------------------------------------------------------------------------


def synthetic(count: int, spread: float) -> list[RunRow]:
    """Rows whose truth is known: node 0.3, cluster -0.4, size -0.1."""
    rows = []
    for index in range(count):
        traits = (1.0, float(index % 3 == 0), math.log(1 + index % 7), 0.0, float(index % 2))
        truth = 0.3 * traits[0] - 0.4 * traits[1] - 0.1 * traits[2] + 0.2 * traits[4]
        rows.append(
            RunRow(id=str(index), source=f"s{index % 9}", traits=traits, excess=truth + spread * math.sin(index))
        )
    return rows


def test_the_fit_finds_what_made_the_rows():
    production = fit(synthetic(300, 0.02)).production
    assert production.node == pytest.approx(0.3, abs=0.03)
    assert production.cluster == pytest.approx(-0.4, abs=0.03)
    assert production.size == pytest.approx(-0.1, abs=0.02)
    assert production.unnamed == pytest.approx(0.2, abs=0.03)
    assert production.tpu == 0


def test_one_wild_row_does_not_pull():
    rows = synthetic(60, 0.02)
    wild = [*rows[:-1], replace(rows[-1], excess=rows[-1].excess + 5)]
    calm, pulled = fit(rows).production, fit(wild).production
    assert pulled.node == pytest.approx(calm.node, abs=0.05)


@given(st.integers(1, 10**6), st.floats(1e7, 1e12), st.booleans(), st.booleans())
def test_a_device_more_never_lowers_the_factor_and_never_makes_it_jump(devices, active, tpu, named):
    production = load_production()

    def likely(count):
        return production.factor(devices=count, active=active, tpu=tpu, named=named)[1]

    own, next_one = likely(devices), likely(devices + 1)
    assert own <= next_one
    # Less than the device adds: the run does not get longer.
    assert next_one / own < (devices + 1) / devices


def test_a_run_of_which_nothing_is_stated_is_the_same_question_asked_and_validated():
    row = {"model": "llama-3-8b", "tokens_b": 1000, "accelerator": "h100-sxm", "count": 64, "date": "2026"}
    validated = predict_run(question_of(record(**row)), load_coefficients())
    asked = cost_training("llama-3-8b", tokens=1e12, on="h100-sxm:64").find("accelerators")
    hours = sum(line.quantity.likely for line in asked.children)
    assert validated.hours == pytest.approx(hours, rel=0.01)
    stated = predict_run(question_of(record(**row, framework="megatron-core")), load_coefficients())
    asked = cost_training("llama-3-8b", tokens=1e12, on="h100-sxm:64", framework="megatron-core").find("accelerators")
    assert stated.hours == pytest.approx(sum(line.quantity.likely for line in asked.children), rel=0.01)


def test_tails_hold_their_share():
    rows = synthetic(200, 0.3)
    production = fit(rows).production
    low, high = production.tails(0.8)
    held = sum(low <= value <= high for value in production.unseen) / len(rows)
    assert 0.78 < held < 0.85
    assert production.tails(0.95)[0] <= low < 0 < high <= production.tails(0.95)[1]


def test_nothing_to_fit_is_refused():
    with pytest.raises(InputError):
        fit([])


def test_the_shipped_factors_are_about_those_of_the_shipped_table(found):
    """Where a change of the step's coefficients moves them, `make fit` brings them up to date."""
    rows = rows_of(read_runs(TABLE).records, load_coefficients())
    content = content_of(fit(rows), "2026-11-23")
    assert set(content["without"]) == {row.source for row in rows} == set(load_unseen())
    assert abs(median(one.error for one in found.comparisons if not one.flagged)) < 0.15


# --- how right -------------------------------------------------------------------------------------------------------


def test_every_language_model_of_the_table_is_answered(found):
    assert {skip.id for skip in found.skipped} == {"openba-15b"}
    assert all(one.metric == METRIC for one in found.comparisons)
    assert [one.id for one in found.comparisons if one.flagged] == ["arctic"]


def test_device_hours_are_within_a_fifth_in_the_median_on_publishers_left_out():
    unseen = validate_runs(read_runs(TABLE), load_coefficients(), cross=True)
    errors = [abs(one.error) for one in unseen.comparisons if not one.flagged]
    assert len(errors) >= 44
    assert median(errors) < 0.20


def test_ranges_hold_about_what_they_say(found):
    held = [one.low <= one.measured <= one.high for one in found.comparisons if one.low and one.high]
    assert len(held) == len(found.comparisons)
    assert 0.75 < sum(held) / len(held) < 0.95


def test_validations_join(found):
    both = joined([found, found])
    assert both.answered == 2 * found.answered
    assert {one.row for one in both.comparisons} == set(range(both.answered))


def test_the_page_lists_the_columns():
    page = (TABLE.parents[2] / "docs" / "reference" / "records.md").read_text(encoding="utf-8")
    own = set(COLUMNS) - set(STEP_COLUMNS)
    assert own
    for column in own:
        assert f"`{column}`" in page, column
