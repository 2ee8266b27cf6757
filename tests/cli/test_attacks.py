"""What a sceptic typed: each ends in one error with a hint, and nothing hangs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

ASK = ["cost", "training", "gpt2", "--tokens", "1B", "--on", "rtx-4090"]


def refused(answer, *words: str) -> None:
    assert answer.code == 2, answer.err
    assert answer.err.startswith("error:") and answer.err.count("hint:") == 1
    for word in words:
        assert word in answer.err


@pytest.mark.parametrize("count", ["0", "-1", "", "1.5", "nan", "1e400"])
def test_a_count_is_corrected_by_a_command_that_can_be_typed(ask, count):
    refused(ask(*ASK[:-1], f"rtx-4090:{count}"), f"`--on rtx-4090:{count}`", "write `--on rtx-4090:64`")


def test_a_count_with_thousands_separated(ask):
    assert "1,024 × rtx-4090" in ask(*ASK[:-1], "rtx-4090:1,024").out
    refused(ask(*ASK[:-1], "rtx-4090:64,h100-sxm:8"), "several accelerators")


@pytest.mark.parametrize("flag", ["--layout", "--framework", "--interconnect", "--provider", "--grid", "--precision"])
def test_an_empty_option_is_no_default(ask, flag):
    refused(ask(*ASK, flag, ""), "is empty")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[cost.trainig]\nprovider = "lambda"', "did you mean `training`"),
        ("[cost]\ntraining = 7", "`training` in the table `[cost]`"),
        ('[cost]\nprovider = "lambda"', "write it under `[cost.training]`"),
        ("[cost.training]\nstrict = 2", "expected true or false"),
        ('[cost.training]\ncatalog = "none.toml"', "none.toml"),
    ],
)
def test_a_table_that_nobody_reads_is_an_error(ask, tmp_path, text, words):
    (tmp_path / "outlay.toml").write_text(text)
    refused(ask(*ASK), words)


def test_a_variable_is_suggested_as_it_is_written(ask, monkeypatch):
    monkeypatch.setenv("OUTLAY_SEK", "1")
    refused(ask(*ASK), "`OUTLAY_SEQ`")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize(
    "verb",
    [["report"], ["cite"], ["explain", "total"], ["validate"], ["show", "models"], [*ASK, "--catalog"]],
)
def test_a_pipe_is_not_waited_for(ask, tmp_path, verb):
    os.mkfifo(tmp_path / "pipe.json")
    refused(ask(*verb, str(tmp_path / "pipe.json")), "plain")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_settings_in_a_pipe(ask, tmp_path):
    os.mkfifo(tmp_path / "outlay.toml")
    refused(ask(*ASK), "not a plain file")


def test_a_file_name_that_is_too_long(ask):
    refused(ask(*ASK, "-o", "x" * 300 + ".json"), "File name too long")


def test_stdout_that_is_closed():
    command = f"{sys.executable} -m outlay.cli {' '.join(ASK)} >&-"
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_line_is_found_by_how_its_name_begins(ask, tmp_path):
    file = str(tmp_path / "a.json")
    ask(*ASK, "-o", file)
    assert ask("explain", "restarts", file).out.startswith("Restarts after failures")
    refused(ask("explain", "", file), "is empty")


def test_sourced_figures_are_written_to_be_read(ask, tmp_path):
    file = str(tmp_path / "a.json")
    ask(*ASK, "-o", file)
    shown = ask("explain", "training steps", file).out
    assert "TFLOP/s:" in shown and ",000,000,000" not in shown


def test_no_tier_has_the_wrong_article(ask):
    refused(ask(*ASK[:-1], "h100-sxm:8", "--tier", "reserved"), "no provider lists a reserved price")


def test_a_name_twice_in_one_catalog(ask, tmp_path):
    entry = '[[accelerator]]\nname = "mine"\nlike = "h100-sxm"\n'
    (tmp_path / "c.toml").write_text(entry + entry.replace("mine", "Mine"))
    refused(ask(*ASK, "--catalog", str(tmp_path / "c.toml")), "stands in this file twice")


def test_a_pattern_is_said_in_words(ask, tmp_path):
    (tmp_path / "c.toml").write_text(
        '[[price]]\nprovider = "us"\naccelerator = "h100-sxm"\ndollars_per_device_hour = 2\ndate = "yesterday"\n'
    )
    answer = ask(*ASK, "--catalog", str(tmp_path / "c.toml"))
    refused(answer, "must be like 2026-05-24")
    assert "^" not in answer.err
