"""`outlay validate` on whole runs: told by their columns, kept apart from steps, in the same schema."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = str(ROOT / "validation" / "runs" / "language_models.csv")
STEPS = str(ROOT / "validation" / "training" / "korthikanti_2022.csv")


def test_json_follows_the_schema(ask):
    jsonschema = pytest.importorskip("jsonschema")
    answer = json.loads(ask("validate", RUNS, "--format", "json").out)
    schema = json.loads((ROOT / "src" / "outlay" / "schemas" / "validation-1.json").read_text(encoding="utf-8"))
    jsonschema.validate(answer, schema)
    assert {row["metric"] for row in answer["rows"]} == {"device_hours"}
    assert all(row["low"] <= row["predicted"] <= row["high"] for row in answer["rows"])
    summary = answer["summary"]
    assert summary["overall"] is None
    assert summary["whole_runs"]["overall"]["rows"] == 44
    assert summary["flagged"] == ["arctic"]
    assert summary["ranges"]["whole_runs"]["overall"]["rows"] == 44


def test_steps_and_runs_are_kept_apart(ask):
    alone = json.loads(ask("validate", STEPS, "--format", "json").out)
    both = json.loads(ask("validate", RUNS, STEPS, "--format", "json").out)
    assert both["summary"]["overall"] == alone["summary"]["overall"]
    assert both["summary"]["whole_runs"]["overall"]["rows"] == 44
    assert len(both["rows"]) == len(alone["rows"]) + 45


def test_the_summary_names_whole_runs(ask):
    out = ask("validate", RUNS, "--summary").out
    assert "Whole runs" in out
    assert "Predicted 45 of 46 rows; 1 skipped." in out
    assert max(map(len, out.splitlines())) <= 80
    assert "ranges of device-hours hold" in out


def test_a_publisher_left_out_changes_its_predictions(ask):
    seen, unseen = (
        {
            row["id"]: row["predicted"]
            for row in csv.DictReader(io.StringIO(ask("validate", RUNS, "--format", "csv", *more).out))
        }
        for more in ((), ("--cross", "source"))
    )
    assert seen.keys() == unseen.keys()
    assert seen["llama2-7b"] != unseen["llama2-7b"]


def test_a_wider_range_for_more_runs(ask):
    usual, wide = (
        json.loads(ask("validate", RUNS, "--format", "json", *more).out)["rows"] for more in ((), ("--interval", "95"))
    )
    assert all(one["low"] <= other["low"] for one, other in zip(wide, usual, strict=True))
    assert sum(row["high"] / row["low"] for row in wide) > sum(row["high"] / row["low"] for row in usual)


def test_runs_without_tokens_are_skipped_with_the_reason(ask, tmp_path):
    file = tmp_path / "runs.csv"
    file.write_text("id,model,accelerator,device_hours,tokens_b\na,llama-2-7b,a100,5,\nb,llama-2-7b,a100,90000,1000\n")
    answer = json.loads(ask("validate", str(file), "--format", "json").out)
    assert [skip["id"] for skip in answer["skipped"]] == ["a"]
    assert "tokens_b" in answer["skipped"][0]["reason"]
    assert [row["id"] for row in answer["rows"]] == ["b"]
