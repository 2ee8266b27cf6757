"""`outlay plan serving` as a user meets it: answers, noes, errors, files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

LOAD = ("llama-3-8b", "--rate", "5/s", "--input", "1024", "--output", "256", "--on", "l40s")


def test_an_answer_in_every_format(ask: Any) -> None:
    text = ask("plan", "serving", *LOAD, "--ttft", "500ms")
    assert text.code == 0
    assert text.out.startswith("The cheapest way to serve llama-3-8b for 5 requests/s")
    assert max(map(len, text.out.splitlines())) <= 80
    document = json.loads(ask("plan", "serving", *LOAD, "--ttft", "500ms", "--format", "json").out)
    assert document["inputs"]["ttft"] == "500ms"
    assert {section["key"] for section in document["sections"]} >= {"plan", "front"}
    rows = list(csv.DictReader(io.StringIO(ask("plan", "serving", *LOAD, "--all", "--format", "csv").out)))
    assert len(rows) > 10
    assert float(rows[0]["Month ($)"]) == min(float(row["Month ($)"]) for row in rows)
    assert ask("explain", "ttft").code == 0  # the answer is kept


def test_no_is_exit_1(ask: Any) -> None:
    answer = ask("plan", "serving", *LOAD, "--tpot", "1ms")
    assert answer.code == 1
    assert answer.err.startswith("no: no plan serves llama-3-8b")
    assert "hint: it is there with `--tpot" in answer.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--rate", "fast"), "--rate"),
        (("--ttft", "soon"), "--ttft"),
        (("--mode", "split"), "mode of serving"),
        (("--quant", "fp9"), "fp9"),
        (("--day", "week.csv"), "week.csv"),
        (("--users", "100"), "2 loads"),
        (("--export", "vllm", "--engine", "sglang"), "plans with another"),
        (("--export", "vllm", "--format", "json"), "--format"),
        (("--tensor", "8"), "no option"),
    ],
)
def test_errors_are_exit_2_and_end_in_a_hint(ask: Any, words: tuple[str, ...], says: str) -> None:
    answer = ask("plan", "serving", *LOAD, *words)
    assert answer.code == 2, answer.out
    assert says in answer.err
    assert "\nhint: " in answer.err
    assert "Traceback" not in answer.err


def test_files_are_written_once(ask: Any, tmp_path: Path) -> None:
    words = ("plan", "serving", *LOAD, "--export", "vllm", "--export", "k8s", "-o", "launch/")
    answer = ask(*words)
    assert answer.code == 0
    assert (tmp_path / "launch" / "vllm.sh").stat().st_mode & 0o111
    kinds = [part["kind"] for part in yaml.safe_load_all((tmp_path / "launch" / "k8s.yaml").read_text("utf-8"))]
    assert kinds == ["Deployment", "Service"]
    assert ask(*words).code == 2
    assert ask(*words, "--overwrite").code == 0


def test_a_day_gives_an_autoscaler(ask: Any) -> None:
    words = (*LOAD[:2], "40/s", *LOAD[3:], "--ttft", "500ms", "--tpot", "50ms")
    documents = list(yaml.safe_load_all(ask("plan", "serving", *words, "--day", "diurnal", "--export", "k8s").out))
    assert [part["kind"] for part in documents] == ["Deployment", "Service", "HorizontalPodAutoscaler"]
    replicas = documents[0]["spec"]["replicas"]
    assert documents[2]["spec"]["maxReplicas"] == replicas > documents[2]["spec"]["minReplicas"] == 1
