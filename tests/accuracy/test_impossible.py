"""Training and tuning rows that cannot be: each is refused with its column, and what people do is not."""

from __future__ import annotations

import pytest

from outlay.accuracy.records import Record, Records
from outlay.accuracy.resolve import resolve
from outlay.accuracy.runs import validate_runs
from outlay.accuracy.runs_question import question_of
from outlay.errors import InputError
from outlay.training import load_coefficients


def row(numbers: dict[str, float] | None = None, **words: str) -> Record:
    return Record(
        id="a",
        source="s",
        line=2,
        words={"task": "lora", "model": "llama-2-7b", "accelerator": "a100-sxm-80gb", "framework": "litgpt", **words},
        numbers={"gpus": 1, "seq_len": 512, "micro_batch": 4, **(numbers or {})},
    )


@pytest.mark.parametrize(
    ("numbers", "words", "reason"),
    [
        ({"rank": 99_999}, {}, r"`rank` is 99,999, and llama-2-7b is 4,096 wide"),
        ({}, {"method": "frobnicate"}, r"`method` `frobnicate` is no way of tuning"),
        ({}, {"task": "frobnicate"}, r"`task` `frobnicate` is none that outlay knows"),
        ({}, {"zero_stage": "7"}, r"`zero_stage` is 7"),
        ({"seq_len": 9_000_000}, {}, r"`seq_len` is 9,000,000, and llama-2-7b takes 4,096 tokens"),
        ({"pp": 64, "gpus": 64}, {"task": "pretrain"}, r"`pp` is 64, and llama-2-7b has 32 layers"),
        ({"gpus": 10**9}, {"task": "pretrain"}, r"`gpus` is 1,000,000,000, more than"),
        ({"ep": 8, "gpus": 8}, {"task": "pretrain"}, r"`ep` is 8, and llama-2-7b has no experts"),
        ({"micro_batch": 512, "global_batch": 256}, {"task": "pretrain"}, r"`micro_batch` is 512, more than"),
    ],
)
def test_what_cannot_be_is_refused_with_its_column(
    numbers: dict[str, float], words: dict[str, str], reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        resolve(row(numbers, **words))


@pytest.mark.parametrize(
    "method", ["lora", "QLoRA/QOFT", "adalora AdaLoRA/rank32", "ia3", "prefix_tuning", "full (pure_bf16)", "boft", ""]
)
def test_ways_of_tuning_that_people_use_are_answered(method: str) -> None:
    assert resolve(row(method=method)).recipe is not None


def test_a_rank_as_wide_as_the_model_is_answered() -> None:
    assert resolve(row({"rank": 4096})).recipe.tuning is not None


def test_a_new_method_whose_count_is_stated_is_answered() -> None:
    assert resolve(row({"trainable_params": 4e6}, method="brand-new")).recipe.tuning is not None


RUN = {"task": "pretrain", "model": "llama-2-7b", "accelerator": "a100-sxm-80gb", "framework": "megatron"}


def run(numbers: dict[str, float], **words: str) -> Record:
    usual = {"tokens_b": 2000, "seq_len": 4096, "global_batch_tokens": 4e6, "count": 1024, "device_hours": 184_320}
    return Record(id="a", source="s", line=2, words={**RUN, **words}, numbers={**usual, **numbers})


@pytest.mark.parametrize(
    ("numbers", "words", "reason"),
    [
        ({}, {"task": "frobnicate"}, r"`task` `frobnicate` is none that outlay knows"),
        ({"count": 10**9}, {}, r"`count` is 1,000,000,000, more than"),
        ({"seq_len": 9_000_000}, {}, r"`seq_len` is 9,000,000"),
    ],
)
def test_whole_runs_that_cannot_be_are_refused(numbers: dict[str, float], words: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        question_of(run(numbers, **words))


@pytest.mark.parametrize("numbers", [{"device_hours": 1.0}, {"tokens_b": 1e9}])
def test_a_run_beyond_the_peak_of_its_devices_is_listed_and_left_out_of_sums(numbers: dict[str, float]) -> None:
    records = Records(records=(run({}), run(numbers)))
    plain, odd = validate_runs(records, load_coefficients()).comparisons
    assert not plain.flagged
    assert odd.flagged
    assert "times the peak of its accelerator" in odd.contradiction
