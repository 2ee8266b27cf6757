"""What tuning costs: statements that add up, hints that hold, one path with pre-training."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from outlay import cost_finetune, cost_training
from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.training.fitting import fit
from outlay.scenarios.training.question import ask
from outlay.scenarios.tuning.data import BATCH
from outlay.scenarios.tuning.question import METHODS, ask_tuning
from outlay.training import load_coefficients

COEFFICIENTS = load_coefficients()
NOTHING = dict.fromkeys(
    (
        *("method", "rank", "targets", "quantize", "layers", "examples", "length", "longest", "dataset", "packing"),
        *("epochs", "global_batch", "micro_batch", "objective", "teacher", "reward", "answers", "answer_length"),
        *("generation_rate", "layout", "precision", "optimizer", "recompute", "framework", "gpus_per_node"),
        "interconnect",
    )
)


def asked(model, on, **words):
    return ask_tuning(model, on=on, **(NOTHING | words))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_a_statement_that_adds_up(method):
    found = cost_finetune("llama-3.2-1b", dataset="alpaca", method=method, on="a100-sxm-80gb:2", price=2.0)
    assert found.total.amount is not None
    steps = found.lines[0].children[0]
    assert steps.amount.likely == pytest.approx(2.0 * steps.quantity.likely)
    assert found.coverage == 0.8
    assert found.answer["seconds"].value.low < found.answer["seconds"].value.likely < found.answer["seconds"].value.high


def test_tuning_in_full_is_training():
    """With the same software, sequences and batch a step of tuning in full is that of pre-training, to the last digit."""
    common = {"framework": "megatron-core", "on": "a100-sxm-80gb:8", "layout": "zero=1,tp=1,pp=1,mbs=1"}
    tuning = asked(
        "llama-3.2-1b", method="full", examples=4096, length=2048, longest=2048, packing="on", global_batch=64, **common
    )
    scratch = ask(
        "llama-3.2-1b",
        tokens=4096 * 2048,
        sequence_length=2048,
        global_batch=int(tuning.question.recipe.global_batch),
        precision=None,
        optimizer=None,
        recompute=None,
        gpus_per_node=None,
        interconnect=None,
        **common,
    )
    recipe = tuning.question.recipe
    assert replace(recipe, document=None) == scratch.recipe
    whole = replace(tuning.question, recipe=replace(recipe, document=None))
    one, other = (fit(question, COEFFICIENTS).chosen.estimate for question in (whole, scratch))
    assert float(one.step_seconds) == float(other.step_seconds)
    assert {part: float(size) for part, size in one.memory.items()} == {
        part: float(size) for part, size in other.memory.items()
    }


def test_methods_take_less_the_less_they_train():
    def bytes_of(method):
        tuning = asked("llama-3-8b", "h200-sxm", method=method, dataset="alpaca", micro_batch=1, recompute="none")
        return float(fit(tuning.question, COEFFICIENTS).chosen.estimate.memory_bytes)

    sizes = [bytes_of(method) for method in ("full", "lora", "qlora")]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("model", "on", "words"),
    [
        ("llama-3-8b", "rtx-4090", {"method": "full", "dataset": "alpaca"}),
        ("llama-3-70b", "h100-sxm", {"method": "lora", "dataset": "alpaca"}),
        ("llama-3-8b", "rtx-3090", {"method": "lora", "examples": "10k", "length": "600", "longest": "8192"}),
        ("llama-3-8b", "h100-sxm", {"examples": "10k", "length": "600", "longest": "8192", "recompute": "none"}),
        ("llama-3-8b", "h100-sxm", {"examples": "10k", "length": "600", "longest": "16384", "micro_batch": "8"}),
    ],
)
def test_what_does_not_fit_is_answered_with_what_would(model, on, words):
    with pytest.raises(DoesNotFit) as no:
        cost_finetune(model, on=on, **words)
    assert "the fullest device needs" in no.value.message
    written = re.findall(r"`(--[a-z-]+) ([^`]+)`", no.value.hint)
    assert written
    for flag, value in written:
        name = flag.removeprefix("--").replace("-", "_")
        again = {**words, "on": on} | {{"batch": "global_batch"}.get(name, name): value}
        assert cost_finetune(model, **again, price=1.0).total.amount is not None


def test_packing_takes_less_time():
    common = {"dataset": "metamathqa", "on": "a100-sxm-80gb", "price": 1.0}
    packed, padded = (cost_finetune("llama-3-8b", packing=way, **common) for way in ("on", "off"))
    assert packed.total.amount.likely < padded.total.amount.likely


def test_a_stated_rate_of_generation_is_what_it_says():
    common = {"objective": "grpo", "examples": 6400, "length": 200, "answer_length": 500, "global_batch": 64}
    found = asked("llama-3.2-1b", "h100-sxm:8", answers=4, generation_rate=1000, **common)
    estimate = fit(found.question, COEFFICIENTS).chosen.estimate
    assert float(estimate.breakdown["generation"]) == pytest.approx(64 * 4 * 500 / (1000 * 8))
    assert found.question.tokens == pytest.approx(6400 * 4 * 700, rel=0.1)


def test_preferring_sees_two_answers_and_a_reference():
    plain = asked("llama-3.2-1b", "h100-sxm", examples=1280, length=300, global_batch=32)
    pairs = asked("llama-3.2-1b", "h100-sxm", examples=1280, length=300, global_batch=32, objective="dpo")
    assert int(pairs.question.recipe.global_batch) == 2 * int(plain.question.recipe.global_batch)
    seconds = [float(fit(one.question, COEFFICIENTS).chosen.estimate.step_seconds) for one in (plain, pairs)]
    assert 2.0 < seconds[1] / seconds[0] < 3.5


def test_a_teacher_fills_memory_and_takes_time():
    common = {"examples": "10k", "length": 500, "packing": "on", "method": "full"}
    alone = asked("llama-3.2-1b", "a100-sxm-80gb", **common)
    taught = asked("llama-3.2-1b", "a100-sxm-80gb", objective="distill", teacher="llama-3-8b", **common)
    one, two = (fit(tuning.question, COEFFICIENTS).chosen.estimate for tuning in (alone, taught))
    assert float(two.breakdown["scoring"]) > 0
    assert float(two.memory["weights"]) - float(one.memory["weights"]) == pytest.approx(16.06e9, rel=0.01)


def test_a_batch_that_nobody_stated_is_one_that_devices_can_share():
    for devices in (1, 3, 7, 8):
        tuning = asked("llama-3.2-1b", f"a100-sxm-80gb:{devices}", dataset="alpaca")
        batch = int(tuning.question.recipe.global_batch)
        assert batch % devices == 0
        assert abs(batch - float(BATCH.value)) <= 0.1 * float(BATCH.value)


def test_adapters_are_what_is_stored():
    whole = cost_finetune("llama-3-8b", dataset="alpaca", method="full", on="a100-sxm-80gb:8", price=1.0)
    small = cost_finetune("llama-3-8b", dataset="alpaca", method="lora", on="a100-sxm-80gb:8", price=1.0)

    def stored(statement):
        return next(line for line in statement.lines if line.key == "storage").children[0].quantity.likely

    assert stored(small) < stored(whole) / 50


def test_a_python_answer_is_the_same_as_the_command_lines_words():
    words = {"examples": "52k", "length": "128", "on": "rtx-4090", "method": "qlora", "price": "0.4"}
    numbers = words | {"examples": 52_000, "length": 128.0, "price": 0.4}
    one, other = (cost_finetune("llama-3-8b", **form) for form in (words, numbers))
    assert one.total.amount.likely == other.total.amount.likely


def test_pretraining_is_not_touched():
    statement = cost_training("gpt2", tokens=10e9, on="rtx-4090", price=0.40)
    step = next(table for table in statement.sections if table.key == "step")
    assert not {"scoring", "generation"} & {row[0] for row in step.rows}


def test_errors_name_what_is_missing():
    with pytest.raises(InputError, match="`--examples` and `--length` are missing"):
        cost_finetune("gpt2", on="rtx-4090")
