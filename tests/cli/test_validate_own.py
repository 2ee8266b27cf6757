"""Runs of one's own: what a row leaves out is not guessed to its harm, and what weighs most is said aloud."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

HEADER = "model,engine,accelerator,gpus,weight_precision,input_len,output_len,batch_or_concurrency,tpot_ms,date"


def written(folder: Path, *rows: str) -> Path:
    path = folder / "own.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def predicted(answer: Any) -> list[float]:
    rows = csv.DictReader(io.StringIO(answer.out))
    return [float(row["predicted"]) for row in rows if row["predicted"]]


def spoken(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm"])
def test_a_run_without_a_date_has_just_been_measured(ask: Any, tmp_path: Path, engine: str) -> None:
    row = f"llama-3-8b,{engine},h100-sxm,1,bf16,1024,256,8,7.9,"
    path = written(tmp_path, row, row + "2026-07")
    undated, dated = predicted(ask("validate", path, "--format", "csv"))
    assert undated == pytest.approx(dated, rel=0.01)
    said = spoken(ask("validate", path).out)
    assert "A row names neither a `date` nor a known `engine_version`: predicted with today's engine" in said


def test_dated_runs_are_not_remarked_on(ask: Any, tmp_path: Path) -> None:
    assert (
        "today's engine"
        not in ask("validate", written(tmp_path, "llama-3-8b,vllm,h100-sxm,1,,1024,256,8,7,2025-09")).out
    )


def test_an_engine_that_nobody_knows_has_no_prediction(ask: Any, tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "llama-3-8b,foo,h100-sxm,1,bf16,1024,256,8,7.9,",
        "llama-3-8b,hugging face,h100-sxm,1,bf16,1024,256,8,7.9,",
        "llama-3-8b,vLLM 0.11 (docker),h100-sxm,1,bf16,1024,256,8,7.9,",
    )
    answer = ask("validate", path)
    assert "Predicted 2 of 3 rows; 1 skipped." in answer.out
    assert "`engine` is `foo`: no engine that outlay knows" in spoken(answer.out)


def test_a_model_that_nobody_lists_is_said_aloud(ask: Any, tmp_path: Path) -> None:
    answer = ask("validate", written(tmp_path, "foo-9b,vllm,h100-sxm,1,bf16,1024,256,8,7.9,2026-07"))
    assert "A row names no model that outlay knows: predicted as a known one about as large" in spoken(answer.out)


def test_a_row_whose_only_figure_is_nan_says_which_columns_are_empty(ask: Any, tmp_path: Path) -> None:
    path = written(tmp_path, "llama-3-8b,vllm,h100-sxm,1,bf16,1024,256,8,nan,")
    answer = ask("validate", path)
    assert answer.code == 2
    assert "`tpot_ms`" in answer.out and "`nan`" in spoken(answer.out)
