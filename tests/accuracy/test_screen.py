"""What a validation looks like: no error, however large, breaks the columns; nothing that was asked for is left out."""

from __future__ import annotations

import csv
import io
import json

import pytest

from outlay.accuracy.records import Unread
from outlay.accuracy.screen import as_csv, as_json, as_markdown, as_text
from outlay.accuracy.validate import Comparison, Validation
from outlay.cli import main

HEADER = "id,source,model,layers,hidden,heads,accelerator,gpus,precision,step_time_s\n"


@pytest.mark.parametrize("measured", [1e-12, 1e-6, 1.0, 1e6, 1e15])
@pytest.mark.parametrize("predicted", [1e-6, 1.0, 1e9])
def test_no_error_is_wider_than_the_screen(measured: float, predicted: float) -> None:
    one = Comparison(id="a", source="s", metric="step_time_s", measured=measured, predicted=predicted)
    found = Validation(comparisons=(one,), skipped=(Unread(id="b", reason="c"),), assumed=(("a", ()),))
    assert max(map(len, as_text(found).splitlines())) <= 80
    for text in (as_json(found), as_csv(found), as_markdown(found)):
        assert text
    assert json.loads(as_json(found))["rows"][0]["error"] == predicted / measured - 1


def test_nonsense_is_skipped_with_its_reason_and_the_rest_is_answered(tmp_path, capsys) -> None:
    rows = {
        "good": "secret,32,4096,32,h100-sxm,8,bf16,1",
        "chip": "secret,32,4096,32,toaster,8,bf16,1",
        "format": "secret,32,4096,32,h100-sxm,8,bf99,1",
        "heads": "secret,32,4096,33,h100-sxm,8,bf16,1",
        "instant": "secret,32,4096,32,h100-sxm,8,bf16,1e-300",
    }
    path = tmp_path / "runs.csv"
    path.write_text(HEADER + "".join(f"{name},s,{cells}\n" for name, cells in rows.items()), encoding="utf-8")
    assert main(["validate", str(path), "--format", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in answer["rows"]] == ["good"]
    skipped = {row["id"]: row["reason"] for row in answer["skipped"]}
    assert "`toaster` is not an accelerator" in skipped["chip"]
    assert "`bf99` is no number format" in skipped["format"]
    assert "multiple of `heads`" in skipped["heads"]
    assert "`step_time_s`: `1e-300` is not a positive number" in skipped["instant"]
    assert main(["validate", str(path)]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
    assert main(["validate", str(path), "--format", "csv"]) == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {line["id"] for line in lines} == set(rows)
