"""The statements that the project shows, as a newcomer sees them: 80 columns, with and without colour.

A screen that changes is a prediction, a price or a word that changed: `UPDATE_GOLDEN=1 pytest tests/golden` writes
them anew, and the difference is read before it is committed.
"""

from __future__ import annotations

import difflib
import re
import shutil
from pathlib import Path

import pytest

from outlay.cli import main

SCREENS = Path(__file__).parent / "screens"
POINTS = Path(__file__).resolve().parents[2] / "validation" / "losses" / "chinchilla.csv"
STAGES = """stage,tokens,seq,batch
Pre-training,950B,8192,4M tokens
Long context,40B,65536,4M tokens
Annealing,10B,8192,2M tokens
"""
QUESTIONS = {
    "llama-3-8b": ["llama-3-8b", "--tokens", "15T", "--on", "h100-sxm:64"],
    "gpt-3-175b": [
        *("gpt-3-175b", "--tokens", "300B", "--on", "a100-sxm-80gb:1024", "--seq", "2048", "--batch", "1536"),
        *("--layout", "tp=8,pp=8,recompute=full"),
    ],
    "llama-3.1-405b": ["llama-3.1-405b", "--tokens", "15.6T", "--on", "h100-sxm:16384", "--batch", "16M tokens"],
    "deepseek-v3": [
        *("deepseek-v3", "--tokens", "14.8T", "--on", "h800-sxm:2048", "--seq", "4096", "--batch", "15360"),
        *("--precision", "fp8", "--layout", "tp=1,pp=16,ep=64", "--price", "2", "--framework", "DualPipe"),
    ],
    "mixtral-8x7b": ["mixtral-8x7b", "--tokens", "100B", "--on", "h100-sxm:8", "--seq", "4096"],
    "gpt2-rtx-4090": ["gpt2", "--tokens", "10B", "--on", "rtx-4090"],
    "gpt2-macbook": ["gpt2", "--tokens", "10B", "--on", "m3-max"],
    "bert-large-tpu-v3": ["bert-large", "--tokens", "137B", "--on", "tpu-v3:64", "--seq", "512", "--batch", "256"],
    "does-not-fit": ["llama-3.1-405b", "--tokens", "1T", "--on", "h100-sxm:8"],
}
TUNINGS = {
    "tune-qlora-rtx-4090": [
        "llama-3-8b",
        "--method",
        "qlora",
        "--dataset",
        "alpaca",
        "--epochs",
        "3",
        "--on",
        "rtx-4090",
    ],
    "tune-lora-70b": [
        *(
            "llama-3-70b",
            "--method",
            "lora",
            "--rank",
            "32",
            "--examples",
            "100k",
            "--length",
            "600",
            "--packing",
            "on",
        ),
        *("--framework", "nemo", "--on", "h100-sxm:8"),
    ],
    "tune-full-8b": [
        "llama-3-8b",
        "--method",
        "full",
        "--dataset",
        "alpaca",
        "--epochs",
        "3",
        "--on",
        "a100-sxm-80gb:8",
    ],
    "tune-dpo": [
        *("llama-3-8b", "--objective", "dpo", "--examples", "60k", "--length", "400", "--batch", "64"),
        *("--on", "h100-sxm:8"),
    ],
    "tune-grpo": [
        *(
            "qwen2.5-7b",
            "--objective",
            "grpo",
            "--method",
            "full",
            "--examples",
            "10k",
            "--length",
            "200",
            "--batch",
            "64",
        ),
        *("--answers", "8", "--answer-length", "1024", "--generation-rate", "2500", "--on", "h100-sxm:16"),
    ],
    "tune-distill": [
        *("llama-3.2-1b", "--objective", "distill", "--teacher", "llama-3-8b", "--method", "full", "--packing", "on"),
        *("--examples", "1M", "--length", "500", "--on", "a100-sxm-80gb:8"),
    ],
    "tune-no": ["llama-3-8b", "--method", "full", "--dataset", "alpaca", "--on", "rtx-4090"],
}
SIZES = {
    "size-flop": ["--flop", "1e22"],
    "size-million": ["--under", "1M", "--tokens-served", "2T"],
    "size-few-data": ["--flop", "1e22", "--unique-tokens", "20B"],
    "size-experts": ["--under", "100k", "--on", "a100-sxm-80gb:64", "--law", "krajewski"],
    "size-fit": ["--fit", "losses.csv"],
    "size-no": ["--under", "100", "--tokens-served", "1e17"],
}
PLANS = {
    "plan-limits": ["llama-3-8b", "--tokens", "1T", "--under", "250k", "--within", "14d", "--count", "32..512"],
    "plan-have": ["gpt2", "--tokens", "10B", "--have", "a100-sxm-80gb:6,rtx-4090:2", "--goal", "fastest", "--all"],
    "plan-stages": [
        "llama-3-8b",
        "--stages",
        "run.csv",
        "--on",
        "h100-sxm,h200-sxm",
        "--count",
        "64",
        "--done",
        "950B",
    ],
    "plan-models": ["llama-3-8b", "llama-3-70b", "--tokens", "1T", "--within", "60d", "--on", "h100-sxm", "--all"],
    "plan-recipes": [
        *("mixtral-8x7b", "--tokens", "100B", "--on", "h100-sxm,h200-sxm", "--count", "32,64"),
        *("--precision", "bf16,fp8", "--optimizer", "adamw,adam8bit"),
    ],
    "plan-no": ["llama-3-8b", "--tokens", "1T", "--on", "h100-sxm", "--under", "10k", "--count", "64..128"],
}
COMPARISONS = {
    "compare-chatbot": [
        *("llama-3.1-8b", "--users", "10000", "--on", "l4"),
        *("--api", "groq,together,fireworks,openai/gpt-5-mini"),
    ],
    "compare-build": [
        *("llama-3.3-70b", "--rate", "34/s", "--input", "2000", "--output", "400", "--quant", "fp8", "--api", "any"),
        *("--cached", "40%", "--batch-share", "20%", "--people", "40h/month:$90", "--on", "h100-sxm:16"),
    ],
}
SERVING = {
    "serving-llama-3-70b": [
        *("llama-3-70b", "--on", "h100-sxm:8", "--quant", "fp8"),
        *("--input", "1024", "--output", "256", "--rate", "5/s"),
    ],
    "serving-m3-max": [
        *("llama-3-8b", "--on", "m3-max", "--quant", "q4_k_m", "--input", "512", "--output", "256"),
        *("--concurrency", "1", "--battery", "100Wh"),
    ],
    "serving-rtx-4090": [
        *("llama-3-8b", "--on", "rtx-4090", "--quant", "q4_k_m", "--input", "512", "--output", "256"),
        *("--concurrency", "1"),
    ],
    "serving-raspberry-pi-5": [
        *("llama-3-8b", "--on", "raspberry-pi-5", "--quant", "q4_k_m", "--input", "512", "--output", "256"),
        *("--concurrency", "1", "--hardware", "120", "--tier", "owned"),
    ],
    "serving-chatbot": [
        *("llama-3-8b", "--on", "l4:1", "--quant", "fp8", "--users", "10000", "--requests-per-user", "5"),
        *("--turns", "6", "--input", "120", "--output", "250"),
    ],
    "serving-deepseek-v3": [
        *("deepseek-v3", "--prefill-on", "h200:8", "--decode-on", "h200:8"),
        *("--input", "2048", "--output", "512", "--rate", "4/s"),
    ],
    "serving-trace": ["llama-3-8b", "--on", "h100-sxm:2", "--trace", "trace.csv", "--ttft", "300ms", "--tpot", "20ms"],
    "serving-no": ["llama-3-70b", "--on", "h100-sxm:2", "--quant", "fp8", "--rate", "40/s"],
}
ROWS = ((row * 0.05 + (row % 7) * 0.004, 200 + row * 37 % 1500, 20 + row * 91 % 400) for row in range(900))
TRACE = "\n".join(["arrival,input,output", *(f"{at:.3f},{tokens},{answer}" for at, tokens, answer in ROWS)])
"""Requests that come every 50 ms, with tokens that look scattered."""
DEPLOYMENTS = {
    "plan-serving-70b": [
        *("llama-3-70b", "--rate", "5/s", "--input", "1024", "--output", "256", "--ttft", "500ms", "--tpot", "50ms"),
    ],
    "plan-serving-small-firm": ["llama-3-8b", "--users", "10000", "--day", "diurnal", "--ttft", "1s", "--tpot", "50ms"],
    "plan-serving-apart": [
        *("deepseek-v3", "--rate", "10/s", "--input", "2048", "--output", "512", "--ttft", "2s", "--tpot", "50ms"),
        *("--on", "h200,b200", "--mode", "disaggregated"),
    ],
    "plan-serving-no": [
        "llama-3-70b",
        "--rate",
        "5/s",
        "--input",
        "1024",
        "--output",
        "256",
        "--tpot",
        "2ms",
        "--on",
        "h100-sxm",
    ],
}
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(autouse=True)
def desk(tmp_path, monkeypatch):
    """A folder, a cache and a day of their own."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(POINTS, tmp_path / "losses.csv")
    (tmp_path / "trace.csv").write_text(TRACE + "\n", encoding="utf-8")
    (tmp_path / "run.csv").write_text(STAGES, encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796083200")  # 2026-12-01


@pytest.mark.parametrize("name", [*QUESTIONS, *TUNINGS, *SIZES, *PLANS, *SERVING, *DEPLOYMENTS, *COMPARISONS])
def test_screen(name, capsys, update):
    asked = {
        **{key: ["cost", "training", *words] for key, words in QUESTIONS.items()},
        **{key: ["cost", "finetune", *words] for key, words in TUNINGS.items()},
        **{key: ["size", *words] for key, words in SIZES.items()},
        **{key: ["plan", "training", *words] for key, words in PLANS.items()},
        **{key: ["compare", *words] for key, words in COMPARISONS.items()},
        **{key: ["cost", "serving", *words] for key, words in SERVING.items()},
        **{key: ["plan", "serving", *words] for key, words in DEPLOYMENTS.items()},
    }
    code = main(asked[name])
    captured = capsys.readouterr()
    noes = ("does-not-fit", "size-no", "plan-no", "tune-no", "serving-no", "plan-serving-no")
    assert code == (1 if name in noes else 0), captured.err
    screen = captured.out or captured.err
    if captured.out:
        assert max(map(len, screen.splitlines())) <= 80
    assert not COLOURS.search(screen)
    path = SCREENS / f"{name}.txt"
    if update:
        path.parent.mkdir(exist_ok=True)
        path.write_text(screen, encoding="utf-8")
    shown = path.read_text(encoding="utf-8")
    assert screen == shown, "\n".join(difflib.unified_diff(shown.splitlines(), screen.splitlines(), lineterm=""))


@pytest.mark.parametrize("name", [name for name in QUESTIONS if name != "does-not-fit"])
def test_colours_add_nothing(name, capsys):
    from outlay.render import render
    from outlay.statement import load

    assert main(["cost", "training", *QUESTIONS[name], "-o", "answer.json"]) == 0
    capsys.readouterr()
    statement = load("answer.json")
    plain, painted = render(statement, "text"), render(statement, "text", color=True)
    assert COLOURS.search(painted)
    assert COLOURS.sub("", painted) == plain
