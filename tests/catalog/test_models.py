"""The catalog's models: names, receipts, and configs that say all that counts."""

from __future__ import annotations

import pytest

from outlay.catalog.published import ModelFacts, add_models, model_config, models, restore_models, squeeze
from outlay.errors import AmbiguousName, UnknownName
from outlay.statement import Receipt
from outlay.workload import from_config


def test_there_are_many_and_names_are_unique() -> None:
    names = [entry.name for entry in models()]
    assert len(names) >= 150
    assert len({squeeze(name) for name in names}) == len(names)
    assert all(name == name.lower() and " " not in name and "_" not in name for name in names)


def test_no_alias_means_two_models() -> None:
    owner: dict[str, str] = {}
    for entry in models():
        for alias in (entry.name, *entry.aliases):
            for form in {squeeze(alias), squeeze(alias.rpartition("/")[2])}:
                assert owner.setdefault(form, entry.name) == entry.name


@pytest.mark.parametrize("entry", models(), ids=lambda entry: entry.name)
def test_configs_state_what_counts(entry: ModelFacts) -> None:
    model = from_config(entry.config, name=entry.name)
    # What the GPT-3 and MT-NLG papers do not say.
    assert set(model.assumed) <= {"resid_pdrop"}
    assert entry.receipt.source.startswith(("https://", "PyPI package "))
    assert entry.receipt.date
    # Numbers that a source gave say when it was read; the others say what speaks for them.
    if entry.receipt.basis == "quoted":
        assert ", read 20" in entry.receipt.source
    else:
        assert entry.receipt.basis == "assumed"
        assert "parameter count" in entry.receipt.note
    assert (entry.width, entry.depth) == (
        model.hidden,
        model.blocks[0].count if model.family == "encoder-decoder" else model.depth,
    )
    # Equal, not the same: a catalog file that was read meanwhile makes all entries anew.
    assert model_config(entry.name) == entry
    assert all(model_config(alias) == entry for alias in entry.aliases)


def test_most_numbers_were_read_somewhere() -> None:
    assumed = {entry.name for entry in models() if entry.receipt.basis == "assumed"}
    assert len(assumed) <= 20
    assert "mpt-7b" in assumed
    assert {"llama-3-8b", "gpt2-124m", "mixtral-8x7b", "deepseek-v3"}.isdisjoint(assumed)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("meta-llama/Meta-Llama-3-8B", "llama-3-8b"),
        ("LLAMA3_70B", "llama-3-70b"),
        ("GPT3-175B", "gpt-3-175b"),
        ("gpt2", "gpt2-124m"),
        ("Qwen3_235B_a22B", "qwen3-235b-a22b"),
        ("Mixtral 8x7B", "mixtral-8x7b"),
        ("nemotron4-15b", "nemotron-4-15b"),
        ("llama-7b", "llama-1-7b"),
    ],
)
def test_names_are_read_as_people_write_them(written: str, name: str) -> None:
    assert model_config(written).name == name


@pytest.mark.parametrize("family", ["llama-3", "gpt-3", "llama", "bert", "mixtral", "qwen3", "LLaMA 2", "phi"])
def test_a_family_is_ambiguous_and_lists_its_models(family: str) -> None:
    with pytest.raises(AmbiguousName) as caught:
        model_config(family)
    assert len(caught.value.details) >= 2
    choice = caught.value.details[0].split()[0]
    assert model_config(choice).name == choice


@pytest.mark.parametrize("name", ["", "lama-3-8b", "grok", "gpt-5", "x" * 10_000, "\0"])
def test_unknown_names(name: str) -> None:
    with pytest.raises(UnknownName) as caught:
        model_config(name)
    assert "outlay show models" in caught.value.hint


def test_misspelt_names_are_guessed() -> None:
    with pytest.raises(UnknownName, match="lama-3-8b") as caught:
        model_config("lama-3-8b")
    assert "llama-3-8b" in caught.value.hint


def test_users_models_join_and_override() -> None:
    receipt = Receipt("mine-1b", unit="", source="mine.toml", date="2026-11-23", basis="yours")
    numbers = {"model_type": "transformer", "hidden": 64, "layers": 2, "heads": 4, "vocab": 100}
    shipped = len(models())
    try:
        add_models([ModelFacts("mine-1b", ("mine",), numbers, receipt), ModelFacts("llama-3-8b", (), numbers, receipt)])
        assert len(models()) == shipped + 1
        assert model_config("mine").receipt.basis == "yours"
        assert model_config("llama-3-8b").width == 64
    finally:
        restore_models()
    assert model_config("llama-3-8b").width == 4096
