"""Bad input of `outlay cost finetune`: one error that names the thing, and a hint."""

from __future__ import annotations

import pytest

from outlay.cli import main

DATA = ["--dataset", "alpaca", "--on", "rtx-4090"]


def run(capsys, *words):
    code = main(["cost", "finetune", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["llama-3-8b", *DATA, "--rank", "0"], "`--rank` is 0"),
        (["llama-3-8b", *DATA, "--rank", "-4"], "`--rank` is -4"),
        (["llama-3-8b", *DATA, "--rank", "8192"], "at most 4,096"),
        (["llama-3-8b", *DATA, "--rank", "many"], "`--rank` is many"),
        (["llama-3-8b", *DATA, "--method", "lorra"], "did you mean `lora`"),
        (["llama-3-8b", *DATA, "--method", "magic"], "not a method that outlay knows"),
        (["llama-3-8b", *DATA, "--method", "full", "--rank", "8"], "contradict each other"),
        (["llama-3-8b", *DATA, "--method", "full", "--targets", "query"], "contradict each other"),
        (["llama-3-8b", *DATA, "--method", "full", "--quantize", "nf4"], "contradict each other"),
        (["llama-3-8b", *DATA, "--method", "qlora", "--quantize", "none"], "contradict each other"),
        (["llama-3-8b", *DATA, "--method", "lora", "--layers", "4"], "contradict each other"),
        (["llama-3-8b", *DATA, "--method", "freeze", "--layers", "64"], "at most 32"),
        (["llama-3-8b", *DATA, "--targets", "q_proj,nose"], "`nose` is none of them"),
        (["llama-3-8b", *DATA, "--quantize", "nf5"], "nf4"),
        (["llama-3-8b", "--dataset", "alpaca", "--on", "a100-sxm-80gb", "--quantize", "fp8"], "has no fp8"),
        (["llama-3-8b", "--dataset", "alpaca", "--on", "tpu-v5p:8", "--method", "qlora"], "nothing decodes it there"),
        (["llama-3-8b", "--on", "rtx-4090"], "`--examples` and `--length` are missing"),
        (["llama-3-8b", "--on", "rtx-4090", "--examples", "100"], "`--length` is missing"),
        (["llama-3-8b", "--dataset", "alpacka", "--on", "rtx-4090"], "did you mean `alpaca`"),
        (["llama-3-8b", *DATA, "--packing", "maybe"], "expected on or off"),
        (["llama-3-8b", *DATA, "--epochs", "0"], "`--epochs` is 0"),
        (["llama-3-8b", *DATA, "--batch", "100000"], "at most the 52,002 examples"),
        (["llama-3-8b", *DATA, "--micro-batch", "1000"], "at most the 128 sequences"),
        (["llama-3-8b", *DATA, "--micro-batch", "2", "--layout", "mbs=2"], "given twice"),
        (["llama-3-8b", *DATA, "--longest", "64"], "less than the 128 tokens"),
        (["gpt2", *DATA, "--longest", "4096"], "longer than gpt2-124m can read"),
        (["llama-3-8b", *DATA, "--objective", "grpo"], "`--generation-rate` and `--answer-length` are missing"),
        (["llama-3-8b", *DATA, "--generation-rate", "100"], "contradict each other"),
        (["llama-3-8b", *DATA, "--objective", "distill"], "`--teacher` is missing"),
        (["llama-3-8b", *DATA, "--teacher", "gpt2"], "contradict each other"),
        (["llama-3-8b", *DATA, "--objective", "dpoo"], "did you mean `dpo`"),
        (["llama-3-8b", *DATA, "--optimizer", "paged-adamm"], "not an optimizer"),
        (["llama-9-8b", *DATA], "llama-9-8b"),
        (["llama-3-8b", "--dataset", "alpaca", "--on", "h100:8"], "`h100` is"),
        (["llama-3-8b", "--dataset", "alpaca"], "--on"),
        ([*DATA], "MODEL"),
    ],
)
def test_a_mistake_is_named(words, said, capsys):
    code, out, err = run(capsys, *words)
    assert code == 2
    assert not out
    assert said in " ".join(err.split())
    assert err.count("hint:") == 1
    assert "Traceback" not in err


def test_no_is_an_answer(capsys):
    code, out, err = run(capsys, "llama-3-8b", "--method", "full", *DATA)
    assert code == 1
    assert not out
    assert err.startswith("no: llama-3-8b does not fit")
    assert "`--method lora`" in err


def test_settings_and_formats(capsys, monkeypatch):
    monkeypatch.setenv("OUTLAY_RANK", "8")
    code, out, _ = run(capsys, "llama-3.2-1b", *DATA, "--format", "json")
    assert code == 0
    assert '"rank": "8"' in out
    assert "environment" in out


@pytest.mark.parametrize("flag", ["--optimizer", "--recompute", "--precision"])
def test_flags_of_training_mean_the_same(flag, capsys):
    value = {"--optimizer": "paged-adamw-8bit", "--recompute": "full", "--precision": "fp16"}[flag]
    code, out, _ = run(capsys, "llama-3.2-1b", *DATA, flag, value)
    assert code == 0
    assert "Tuning llama-3.2-1b" in out
