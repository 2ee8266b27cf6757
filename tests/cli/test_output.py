"""Where an answer goes: nothing good is overwritten by another format, nothing is promised that is not kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BASE = ("cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm:64")
ROW = "id,model,accelerator,gpus,precision,global_batch,seq_len,step_time_s\na,gpt2,a100-sxm-80gb,8,bf16,64,1024,0.5\n"


def test_a_file_of_another_format_is_not_overwritten(ask, tmp_path):
    assert ask(*BASE, "-o", "a.json").code == 0
    before = (tmp_path / "a.json").read_text()
    answer = ask(*BASE, "-o", "a.json", "--format", "csv")
    assert answer.code == 2 and "--format csv" in answer.err and "a.csv" in answer.err
    assert (tmp_path / "a.json").read_text() == before
    assert ask(*BASE, "-o", "answer", "--format", "csv").code == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_only_what_is_kept_is_promised(ask, tmp_path):
    (tmp_path / "ok.csv").write_text(ROW)
    answer = ask("validate", "ok.csv", "-o", "/dev/full")
    assert (
        answer.code == 2
        and "No space left" in answer.err
        and "report" not in answer.err
        and "nothing is lost" not in answer.err
    )
    assert "outlay report" in ask(*BASE, "-o", "/dev/full").err


def test_an_empty_name_is_called_so(ask):
    answer = ask(*BASE, "-o", "")
    assert answer.code == 2 and "`-o` is empty" in answer.err


def test_a_place_that_takes_no_file_is_not_called_full(ask):
    answer = ask(*BASE, "-o", "/proc/x.json")
    assert answer.code == 2 and "free some space" not in answer.err


@pytest.mark.parametrize("form", ["json", "csv", "md", "html"])
def test_what_programs_read_is_utf_8_in_any_locale(form, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "outlay.cli", *BASE, "--format", form],
        capture_output=True, check=True, cwd=tmp_path,
        env=os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "XDG_CACHE_HOME": str(tmp_path),
                          "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )  # fmt: skip
    text = done.stdout.decode("utf-8")
    assert "64 × h100" in text or form == "csv"
    if form == "json":
        assert "×" in json.loads(text)["title"]


def test_what_is_read_is_not_written_over(ask, tmp_path):
    (tmp_path / "rows.csv").write_text(ROW)
    for spelled in ("rows.csv", "./rows.csv", str(tmp_path / "rows.csv")):
        answer = ask("validate", "rows.csv", "-o", spelled)
        assert answer.code == 2 and "is the file that is read" in answer.err and "rows-answer.csv" in answer.err
    assert (tmp_path / "rows.csv").read_text() == ROW
    assert ask("validate", "rows.csv", "-o", "rows-answer.csv").code == 0
    trace = "arrival,input,output\n0,100,10\n9,100,10\n"
    (tmp_path / "trace.csv").write_text(trace)
    answer = ask("cost", "serving", "llama-3-8b", "--on", "l4", "--trace", "trace.csv", "-o", "trace.csv")
    assert answer.code == 2 and "is the file that is read" in answer.err
    assert (tmp_path / "trace.csv").read_text() == trace


def test_a_file_in_which_nothing_was_measured_names_what_could_be(ask, tmp_path):
    (tmp_path / "rows.csv").write_text("id,model,accelerator,gpus,engine\na,llama-3-8b,l4,1,vLLM\n")
    answer = ask("validate", "rows.csv")
    assert answer.code == 2
    assert all(name in answer.err for name in ("no measured column", "step_time_s", "ttft_ms", "device_hours"))
