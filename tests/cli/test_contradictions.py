"""Rows whose own figures cannot all be true are listed with the reason, and left out of the sums."""

from __future__ import annotations

import pytest
from tests.accuracy.test_resolve import LLAMA

RUN = {
    "id": "r", "source": "s", "model": "Llama 3 8B", "params_total_b": "8", "tokens_b": "100", "accelerator": "h100-sxm-80gb",
    "count": "64", "days": "3", "device_hours": "4600", "seq_len": "4096",
}  # fmt: skip


def judged(ask, tmp_path, row, **cells):
    merged = {**row, **{name: str(value) for name, value in cells.items()}}
    path = tmp_path / "rows.csv"
    path.write_text(f"{','.join(merged)}\n{','.join(merged.values())}\n")
    answer = ask("validate", path)
    assert answer.code == 0, answer.err
    return " ".join(answer.out.split())


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ({"model": "Llama 3.1 405B", "params_total_b": 405, "count": 1, "days": 100, "device_hours": 2400},
         "times the memory of its 1 device"),
        ({"device_hours": 40000, "days": 90}, "count × days × 24 is 138,240"),
        ({"global_batch_tokens": 100}, "less than one sequence of 4,096"),
    ],
)  # fmt: skip
def test_runs_that_cannot_be(ask, tmp_path, cells, why):
    out = judged(ask, tmp_path, RUN, **cells)
    assert why in out and "contradicts itself" in out and "Whole runs" not in out


def test_a_run_that_can_be_is_counted(ask, tmp_path):
    out = judged(ask, tmp_path, RUN)
    assert "Whole runs" in out and "contradicts itself" not in out


def test_speeds_that_disagree(ask, tmp_path):
    agree = {"step_time_s": 8, "samples_per_s": 16, "tokens_per_s_per_gpu": 128 * 8192 / 64 / 8}
    assert "contradicts itself" not in judged(ask, tmp_path, LLAMA, **agree)
    out = judged(ask, tmp_path, LLAMA, **{**agree, "samples_per_s": 30})
    assert "samples_per_s 30 means 4.27 s" in out and "contradicts itself" in out and "Speed, as time" not in out
