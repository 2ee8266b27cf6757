"""The judge itself: units, summaries and screens, with predictors whose answers are known."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from statistics import median

import jsonschema
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from outlay.accuracy.columns import MEASURED
from outlay.accuracy.predict import predictor
from outlay.accuracy.records import read_records
from outlay.accuracy.resolve import Resolved
from outlay.accuracy.screen import as_csv, as_json, as_markdown, as_text
from outlay.accuracy.summary import Errors, once_a_row, summarise
from outlay.accuracy.validate import Comparison, Prediction, Validation, convert, validate
from outlay.cli.validate import command
from outlay.errors import InputError
from outlay.training import load_coefficients

DATA = Path(__file__).parents[2] / "validation" / "training"
HEADER = (
    "id,source,model,seq_len,global_batch,micro_batch,accelerator,gpus,tp,pp,dp,precision,framework,date,"
    "step_time_s,tokens_per_s_per_gpu,samples_per_s,peak_mem_gb,mine,notes"
)
LLAMA = "llama-3-8b,8192,128,1,h100-sxm,64,1,1,64,bf16,FSDP,2024"
RUNS = f"""{HEADER}
a,one,{LLAMA},2,8192,64,40,x,
b,one,{LLAMA},4,,,,x,OUTLIER
c,two,{LLAMA},,4096,,,x,
d,two,llama-3-8b,many,128,1,h100-sxm,64,1,1,64,bf16,FSDP,2024,1,,,,x,
e,two,{LLAMA},,,,,x,
f,two,resnet50,8192,128,1,,64,1,1,64,bf16,FSDP,2024,1,,,,x,
"""


def always(questions: Sequence[Resolved]) -> list[Prediction | InputError]:
    return [Prediction(step_seconds=4.0, memory_bytes=30 * 2.0**30, assumed=("luck",)) for _ in questions]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    path = tmp_path / "runs.csv"
    path.write_text(RUNS)
    return path


@pytest.fixture
def judged(runs: Path) -> Validation:
    return validate(read_records(runs), always)


def test_every_measured_metric_has_an_entry_and_every_row_an_answer_or_a_reason(judged: Validation) -> None:
    assert [(one.id, one.metric) for one in judged.comparisons] == [
        *(("a", metric) for metric in MEASURED), ("b", "step_time_s"), ("c", "tokens_per_s_per_gpu"),
    ]  # fmt: skip
    assert {one.id: one.reason.split(":")[0] for one in judged.skipped} == {
        "d": "row 4 (line 5), column `seq_len`", "e": "no metric that is compared was measured", "f": "`accelerator` is empty",
    }  # fmt: skip
    assert judged.answered == 3 and judged.ignored_columns == ("mine",)


def test_one_step_in_four_units_is_one_error(judged: Validation) -> None:
    errors = {one.metric: one.error for one in judged.comparisons if one.id == "a"}
    assert errors == {"step_time_s": 1.0, "tokens_per_s_per_gpu": -0.5, "samples_per_s": -0.5, "peak_mem_gb": -0.25}


@given(
    batch=st.integers(1, 10**6), length=st.integers(1, 10**6), devices=st.integers(1, 10**5), step=st.floats(1e-6, 1e6)
)
def test_tokens_and_samples_are_conserved(batch: int, length: int, devices: int, step: float) -> None:
    answer = Prediction(step_seconds=step, memory_bytes=1.0)
    tokens = convert("tokens_per_s_per_gpu", answer, batch=batch, length=length, devices=devices, memory_unit=1.0)
    samples = convert("samples_per_s", answer, batch=batch, length=length, devices=devices, memory_unit=1.0)
    assert tokens * devices == pytest.approx(samples * length)
    assert samples * step == pytest.approx(batch)


def test_summary_counts_each_run_once_and_leaves_flagged_rows_out(judged: Validation) -> None:
    assert [(one.id, one.metric) for one in once_a_row(judged.comparisons)] == [
        ("a", "step_time_s"),
        ("c", "tokens_per_s_per_gpu"),
    ]
    found = summarise(judged)
    assert found["flagged"] == ["b"] and found["answered"] == 3 and found["skipped"] == 3
    assert found["overall"]["rows"] == 2 and found["by_metric"]["tokens_per_s_per_gpu"]["rows"] == 2
    assert found["memory"]["overall"]["median"] == 0.25 and set(found["memory"]["by_source"]) == {"one"}
    assert found["every_comparison"]["rows"] == 6
    assert found["assumed"][0]["values"][-1] == "luck"


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=50))
def test_statistics_agree_with_their_definitions(predictions: list[float]) -> None:
    rows = [
        Comparison(id=str(index), source="s", metric="step_time_s", measured=1.0, predicted=value, row=index)
        for index, value in enumerate(predictions)
    ]
    found = Errors.of(rows)
    sizes = sorted(abs(value - 1) for value in predictions)
    assert found.median == pytest.approx(median(sizes)) and found.bias == pytest.approx(median(predictions) - 1)
    assert abs(found.worst.error) == pytest.approx(sizes[-1])
    assert found.median <= found.p90 + 1e-12 and found.p90 <= sizes[-1] + 1e-12
    assert sum(size <= found.p90 + 1e-12 for size in sizes) >= 0.9 * (len(sizes) - 1)


@given(st.floats(0.05, 20), st.sampled_from(["tokens_per_s_per_gpu", "samples_per_s"]))
def test_one_run_has_one_error_in_the_summary_whatever_was_measured(factor: float, metric: str) -> None:
    time = Comparison(id="a", source="s", metric="step_time_s", measured=1.0, predicted=factor)
    rate = Comparison(id="b", source="s", metric=metric, measured=1.0, predicted=1.0 / factor)
    assert rate.error == pytest.approx(1 / factor - 1)
    first, second = Errors.of([time]), Errors.of([rate])
    assert (first.median, first.bias, first.p90) == pytest.approx((second.median, second.bias, second.p90))
    assert second.as_dict()["worst"]["error"] == pytest.approx(factor - 1)
    assert Errors.of([time, rate]).bias == pytest.approx(factor - 1)


def test_the_summary_names_its_sense(judged: Validation) -> None:
    assert summarise(judged)["sense"] == "time"
    assert "as errors of time" in " ".join(as_text(judged).split())


def test_json_is_of_its_schema(judged: Validation) -> None:
    schema = json.loads(resources.files("outlay").joinpath("schemas/validation-1.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    data = json.loads(as_json(judged))
    jsonschema.validate(data, schema)
    assert list(data) == ["schema", "rows", "skipped", "summary"]
    assert list(data["rows"][0]) == ["id", "source", "metric", "measured", "predicted", "low", "high", "error"]
    for one in data["rows"]:
        assert one["error"] == pytest.approx(one["predicted"] / one["measured"] - 1)
    empty = Validation(comparisons=(), skipped=judged.skipped)
    jsonschema.validate(json.loads(as_json(empty)), schema)


def test_screens_hold_every_row_and_keep_to_80_columns(judged: Validation) -> None:
    text = as_text(judged)
    assert max(map(len, text.splitlines())) <= 80
    for word in ("luck", "seq_len", "Skipped", "+100.0%", "Predicted 3 of 6 rows", "mine", "*"):
        assert word in text
    assert "overall" in as_text(judged, rows=False)
    assert as_markdown(judged).count("\n| a | ") == 4
    lines = list(csv.DictReader(io.StringIO(as_csv(judged))))
    assert len(lines) == len(judged.comparisons) + len(judged.skipped)
    assert "luck" in lines[0]["assumed"] and lines[-1]["reason"]


def test_a_predictor_s_refusal_is_a_reason(runs: Path) -> None:
    refused = validate(read_records(runs), lambda questions: [InputError("no way", hint="none")] * len(questions))
    assert not refused.comparisons and [one.reason for one in refused.skipped][-1] == "no way"
    assert "no way" in as_text(refused)


def test_the_command_answers_and_exits_0_with_any_row(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = CliRunner().invoke(command, [str(runs), "-o", str(out)], standalone_mode=False)
    assert done.exception is None and done.return_value == 0
    assert len(json.loads(out.read_text())["rows"]) == 6


def test_the_command_refuses_what_cannot_be_read_and_what_answers_nothing(runs: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.csv"
    nothing.write_text("id,accelerator,step_time_s\na,,1\n")
    for arguments in ([str(tmp_path)], [str(tmp_path / "no.csv")], [str(nothing)], [str(runs), "-o", str(tmp_path)]):
        done = CliRunner().invoke(command, arguments, standalone_mode=False)
        assert isinstance(done.exception, InputError) and done.exception.exit_code == 2


def test_predictions_are_the_same_in_company_and_alone() -> None:
    records = read_records(DATA / "korthikanti_2022.csv") + read_records(DATA / "megatron_2021_a100.csv")
    predict = predictor(load_coefficients())
    together = validate(records, predict)
    for record in records.records:
        alone = validate(type(records)(records=(record,)), predict)
        twin = [one.predicted for one in together.comparisons if one.id == record.id]
        assert [one.predicted for one in alone.comparisons] == pytest.approx(twin)


def test_most_of_a_source_of_ours_is_answered() -> None:
    found = validate(read_records(DATA / "nvidia_megatron_bridge.csv"), predictor(load_coefficients()))
    assert found.answered >= 185
    assert once_a_row(found.comparisons) and Errors.of(once_a_row(found.comparisons)).median < 0.5


def test_an_unstated_micro_batch_is_halved_until_it_fits_before_anything_is_recomputed(tmp_path: Path) -> None:
    path = tmp_path / "bert.csv"
    text = "id,model,seq_len,global_batch,accelerator,gpus,precision,framework,date,step_time_s"
    path.write_text(f"{text}\nsmall,bert-large,512,2048,v100-sxm-16gb,1,fp32,PyTorch,2021,1\n")
    found = validate(read_records(path), predictor(load_coefficients()))
    (said,) = (dict.fromkeys(values) for _, values in found.assumed)
    (micro,) = (int(value.split()[1]) for value in said if value.startswith("micro_batch"))
    assert 1 <= micro < 64 and "activation_recompute none" in said


def test_a_row_that_breaks_a_formula_does_not_break_its_neighbours(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    head, *lines = RUNS.splitlines()
    path.write_text(
        "\n".join([head, lines[0], lines[0].replace("a,one", "z,one").replace(",8192,128,1,", ",1,1,1,"), lines[2]])
    )
    found = validate(read_records(path), predictor(load_coefficients()))
    assert {one.id for one in found.comparisons} >= {"a", "c"}
    assert len({one.id for one in found.comparisons}) + len(found.skipped) == 3
