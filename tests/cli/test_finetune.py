"""Bad input of `outlay cost finetune`: one error that names the thing, and a hint."""

from __future__ import annotations

import re

import pytest

from outlay.cli import main

DATA = ["--dataset", "alpaca", "--on", "rtx-4090"]
GRPO = ["--objective", "grpo", "--answer-length", "512"]


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
        (["llama-3-8b", *DATA, "--optimizer", "paged-"], "`--optimizer paged-adamw-8bit`"),
        (["llama-3-8b", *DATA, "--rank", "0"], "`--rank 16`"),
        (["llama-3-8b", *DATA, "--optimizer", ""], "`--optimizer` is empty"),
        (["llama-3-8b", *DATA, "--targets", " "], "`--targets` is empty"),
        (["llama-3-8b", *DATA, "--packing", ""], "`--packing` is empty"),
        (["llama-3-8b", *DATA, "--objective", "distill", "--teacher", "bert-base"], "it is an encoder"),
        (["llama-3-8b", *DATA, "--epochs", "0"], "`--epochs 3`"),
        (["llama-3-8b", *DATA, "--layers", "0", "--method", "freeze"], "`--layers 4`"),
        (["llama-3-8b", "--dataset", "none", "--on", "rtx-4090"], "one of alpaca-2k, alpaca, metamathqa"),
        (["llama-3-8b", *DATA, "--quantize", "int3"], "not a type of a frozen base"),
        (["llama-3-8b", *DATA[2:], "--examples", "1k", "--length", "9000"], "llama-3-8b reads 8,192"),
        (["llama-3-8b", *DATA[2:], "--examples", "1k", "--length", "1e9"], "at most 100,000,000"),
        (
            ["llama-3-8b", *DATA, *GRPO[:3], "99999", "--generation-rate", "9"],
            "a prompt and its answer are 100,127 tokens",
        ),
        (["llama-3-8b", *DATA, *GRPO[:4], "--generation-rate", "fast"], "tokens a second, a positive number"),
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


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["--on", "rtx-4090", "--micro-batch", "3"], ["--micro-batch 2", "--batch 129"]),
        (["--on", "h100-sxm:8", "--micro-batch", "5"], ["--micro-batch 4", "--batch 160"]),
        (["--on", "h100-sxm:8", "--layout", "mbs=3"], ["--layout mbs=2", "--batch 144"]),
        (["--on", "h100-sxm:8", "--batch", "13"], ["--batch 16", "--on h100-sxm:1"]),
        (["--on", "h100-sxm:6", "--batch", "5", "--objective", "dpo"], ["--batch 6", "--on h100-sxm:5"]),
        (["--on", "h100-sxm:8", "--batch", "4", "--packing", "on"], ["--on h100-sxm:1"]),
    ],
)
def test_a_step_that_cannot_be_shared_says_which_can(words, offered, capsys):
    asked = ["llama-3-8b", "--dataset", "alpaca", *words]
    code, _, err = run(capsys, *asked)
    assert code == 2
    assert "cannot be shared" in err
    for way in offered:
        assert f"`{way}`" in err
        flag, value = way.split()
        changed = [*asked, flag, value] if flag not in asked else list(asked)
        if flag in asked:
            changed[changed.index(flag) + 1] = value
        assert run(capsys, *changed)[0] == 0, way


def test_a_step_has_a_sequence_for_each_device_unless_said(capsys):
    packed = ["llama-3.2-1b", "--examples", "10k", "--length", "200", "--longest", "8192", "--packing", "on"]
    code, out, _ = run(capsys, *packed, "--on", "h100-sxm:8")
    assert code == 0
    assert "sequences = 8 sequences of 8,192 tokens" in out
    code, out, _ = run(capsys, "llama-3.2-1b", "--examples", "10k", "--length", "200", "--on", "h100-sxm:200")
    assert code == 0
    assert "batch = 256 sequences a step: one for each device, in numbers that 128 can" in out


def test_answers_are_longer_than_the_examples_of_the_data(capsys):
    rate = ["--generation-rate", "2,500 tokens/s"]
    code, out, _ = run(capsys, "llama-3-8b", "--dataset", "alpaca", "--on", "h100-sxm:8", *GRPO[:3], "3000", *rate)
    assert code == 0
    assert "at most 4,304 tokens" in out


def test_names_of_optimizers_are_those_of_transformers_too(capsys):
    totals = []
    for name in ("adamw", "adamw_torch_fused", "paged_adamw_32bit"):
        code, out, _ = run(capsys, "llama-3.2-1b", *DATA, "--optimizer", name, "--format", "csv")
        assert code == 0
        totals.append(out.splitlines()[-1])
    assert totals[0] == totals[1]


def test_one_is_one(capsys):
    code, out, _ = run(capsys, "gpt2", "--examples", "1", "--length", "90", "--method", "full", "--on", "rtx-4090")
    assert code == 0
    assert "on 1 example with" in out
    assert "All 124 M parameters are trained." in out


@pytest.mark.parametrize(
    "words",
    [
        ["llama-3-8b", *DATA, "--method", "full", "--micro-batch", "128"],
        ["llama-3-8b", *DATA, "--method", "full", "--micro-batch", "64", "--recompute", "none"],
        ["llama-3-8b", *DATA, "--layout", "tp=1,zero=0,mbs=64"],
        ["llama-3-8b", *DATA, "--layout", "recompute=none,mbs=32"],
        ["llama-3-8b", *DATA, "--rank", "2048"],
        ["llama-3-405b", *DATA],
        ["llama-3-405b", "--dataset", "alpaca", "--on", "t4"],
    ],
)
def test_each_hint_of_a_no_works(words, capsys):
    code, _, err = run(capsys, *words)
    assert code == 1
    ways = [way.split() for way in re.findall("`(--[^`]*)`", err[err.index("hint:") :])]
    assert ways
    for way in ways:
        changed = list(words)
        for flag, value in zip(way[::2], way[1::2], strict=True):
            if flag in changed:
                changed[changed.index(flag) + 1] = value
            else:
                changed += [flag, value]
        assert run(capsys, *changed)[0] == 0, way
