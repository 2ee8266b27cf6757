"""Words of records: everything seen so far is read, and nothing new is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.accuracy import words
from outlay.accuracy.names import candidates, parameters_in, tokens
from outlay.errors import InputError
from outlay.training import OPTIMIZERS, PRECISIONS

DATA = Path(__file__).parents[2] / "validation" / "training"


def seen(column: str) -> set[str]:
    found = set()
    for path in DATA.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            found |= {row[column] for row in csv.DictReader(file)}
    return found


def test_our_names_are_those_of_the_trainer() -> None:
    assert set(words.PRECISIONS) <= set(PRECISIONS)
    assert set(words.OPTIMIZERS) <= set(OPTIMIZERS)


def test_every_precision_seen_is_read_as_itself() -> None:
    for text in seen("precision") - {""}:
        assert words.precision(text, year=2024, fastest="fp8") == (text, "")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("BF16", "bf16"),
        ("bfloat16", "bf16"),
        ("bf16-mixed", "bf16"),
        ("bf16-true", "bf16"),
        ("float16", "fp16"),
        ("16-mixed", "amp"),
        ("mixed precision", "amp"),
        ("O2 amp", "amp"),
        ("half", "fp16"),
        ("FP32", "fp32"),
        ("float", "fp32"),
        ("FP8-CS", "fp8"),
        ("fp8_hybrid", "fp8"),
        ("E4M3", "fp8"),
        ("FP8-MX", "mxfp8"),
        ("MX-FP8", "mxfp8"),
        ("NVFP4", "nvfp4"),
        ("mxfp4", "nvfp4"),
        ("TF32", "tf32"),
        ("tensorfloat-32", "tf32"),
        ("int8", "fp8"),
        ("fp64", "fp32"),
        ("fp6", "fp8"),
        ("apex O2", "amp"),
        ("fp-16", "fp16"),
        ("float 8", "fp8"),
        ("int4", "nvfp4"),
        ("bf16 + fp32 master", "bf16"),
    ],
)
def test_precisions_never_seen(text: str, name: str) -> None:
    assert words.precision(text, year=2025, fastest="nvfp4")[0] == name


def test_an_unstated_precision_is_the_era_s() -> None:
    assert words.precision("", year=2024, fastest="fp8")[0] == "bf16"
    assert words.precision("", year=2018, fastest="fp16")[0] == "fp16"
    assert words.precision("", year=2025, fastest="nvfp4", submission=True)[0] == "fp8"
    assert words.precision("", year=2023, fastest="bf16", submission=True)[0] == "bf16"


@pytest.mark.parametrize("text", ["bf99", "bf160", "fp1600", "fp88", "banana", "fp3200", "9000", "🙂", "bf"])
def test_what_is_no_number_format_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no number format"):
        words.precision(text, year=2024, fastest="fp8")


def test_a_default_is_what_is_assumed() -> None:
    for text in ("default", " Auto ", ""):
        assert words.precision(text, year=2024, fastest="fp8") == ("bf16", "precision bf16")


def test_fp32_is_tf32_where_the_software_says_so() -> None:
    assert words.precision("fp32", year=2021, fastest="bf16", tensor_float=True)[0] == "tf32"
    assert words.precision("fp32", year=2021, fastest="bf16") == ("fp32", "")


@given(st.text(max_size=30))
def test_no_word_is_refused(text: str) -> None:
    try:
        assert words.precision(text, year=2024, fastest="fp8")[0] in words.PRECISIONS
    except InputError:  # the one word that is; which ones, stands below
        pass
    assert words.optimizer(text)[0] in words.OPTIMIZERS
    assert words.zero_stage(text, usual=1)[0] in (0, 1, 2, 3)
    assert words.recompute(text)[0] in (None, "none", "selective", "full")
    assert 1900 < words.year(text, text, chip=2020)[0] < 2100
    candidates(text, ["llama-3-8b", "gpt-2"])
    parameters_in(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "adam"),
        ("adamw", "adam"),
        ("AdamW (fused)", "adam"),
        ("adam (distributed)", "adam"),
        ("paged_adamw_8bit", "adam-8bit"),
        ("adamw (bf16 moments)", "adam-bf16"),
        ("adam (BF16Optimizer, fp32 master/grad accumulate)", "adam"),
        ("decoupled_lionw/adamw", "adam"),
        ("lion", "lion"),
        ("muon", "muon"),
        ("MuonClip", "muon"),
        ("Adafactor", "adafactor"),
        ("LAMB", "lamb"),
        ("sgd", "momentum"),
        ("sophia-g", "adam"),
        ("DistributedShampoo", "muon"),
    ],
)
def test_optimizers(text: str, name: str) -> None:
    assert words.optimizer(text)[0] == name


def test_what_was_taken_for_granted_is_said() -> None:
    assert words.optimizer("sophia")[1] and words.optimizer("")[1] and not words.optimizer("adam")[1]
    assert words.zero_stage("hybrid", usual=1) == (1, "zero_stage `hybrid` taken as 1")


@pytest.mark.parametrize(
    ("date", "software", "year"),
    [
        ("2022-02-17", "", 2022),
        ("2023-2025", "", 2024),
        ("v24.11.1", "", 2024),
        ("26.06.01 NeMo Container", "", 2026),
        ("2024-10 (NeMo 24.03.01)", "", 2024),
        ("", "PyTorch NVIDIA Release 23.09", 2023),
        ("", "CUDA 12.3", 2021),
        ("Megatron-LM 2021", "", 2021),
        ("", "TensorFlow 2.13.0", 2021),
    ],
)
def test_years(date: str, software: str, year: int) -> None:
    assert int(words.year(date, software, chip=2020)[0]) == year


def test_every_zero_stage_and_recompute_seen_is_read() -> None:
    for text in seen("zero_stage") - {""}:
        assert words.zero_stage(text, usual=0) == (3 if text == "fsdp" else int(text), "")
    for text in seen("activation_recompute") - {""}:
        assert words.recompute(text) == (text, "")


KNOWN = [
    "llama-2-7b",
    "llama-2-70b",
    "llama-3-8b",
    "llama-3-70b",
    "llama-3.1-8b",
    "llama-3.1-405b",
    "deepseek-v2",
    "deepseek-v3",
    "kimi-k2",
    "gpt-oss-120b",
    "qwen3-30b-a3b",
    "qwen3-235b-a22b",
    "grok-1",
    "gpt-3-175b",
    "mixtral-8x7b",
    "mixtral-8x22b",
    "bert-base-uncased",
    "bert-large-uncased",
    "tinyllama-1.1b",
    "phi-2",
    "phi-3-mini",
    "gemma-2b",
    "gemma-2-9b",
    "mistral-7b",
    "gpt-2",
    "mpt-7b",
    "nemotron-3-nano",
]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("LLAMA3_70B", "llama-3-70b"),
        ("Llama 3.1 405B", "llama-3.1-405b"),
        ("LLAMA3.1_405B", "llama-3.1-405b"),
        ("DeepSeekV3 (w/o MTP)", "deepseek-v3"),
        ("DeepSeekV3 (tokendrop)", "deepseek-v3"),
        ("deepseek-ai/DeepSeek-V3", "deepseek-v3"),
        ("deepseek-v2-L4", "deepseek-v2"),
        ("llama3-70b-L12", "llama-3-70b"),
        ("gpt3-175b", "gpt-3-175b"),
        ("GPT3-175B", "gpt-3-175b"),
        ("Qwen3_30B_a3B (tokendrop)", "qwen3-30b-a3b"),
        ("Qwen/Qwen3-235B-A22B-Instruct", "qwen3-235b-a22b"),
        ("GPT OSS 120B", "gpt-oss-120b"),
        ("Kimi_K2", "kimi-k2"),
        ("grok1-314b", "grok-1"),
        ("bert-large", "bert-large-uncased"),
        ("bert-base (SQuAD)", "bert-base-uncased"),
        ("tiny-llama", "tinyllama-1.1b"),
        ("Phi-3-mini-4k-instruct", "phi-3-mini"),
        ("mistral-7b-v0.2", "mistral-7b"),
        ("Llama 2 7 B", "llama-2-7b"),
        ("Mixtral 8x22B", "mixtral-8x22b"),
        ("gemma-2-9b", "gemma-2-9b"),
        ("Nemotron_3_Nano", "nemotron-3-nano"),
        ("gemma-2b", "gemma-2b"),
    ],
)
def test_model_names(text: str, name: str) -> None:
    assert candidates(text, KNOWN)[:1] == [name]


@pytest.mark.parametrize(
    "text", ["gpt-3.6B", "gpt-175B", "gpt-L24-h2048", "mpt-70b", "llama-13b", "x", "", "maxtext-16B", "gpt-1.7B"]
)
def test_names_that_mean_no_known_model(text: str) -> None:
    assert candidates(text, KNOWN) == []


@given(st.text(max_size=40))
def test_tokens_never_fail_and_ignore_case(text: str) -> None:
    assert tokens(text.upper().lower()) == tokens(text.upper().lower().upper()) or not text.isascii()
