"""What answers and errors say in words: caveats, remarks on units, hints that can be followed."""

from __future__ import annotations

import pytest

ASKED = ["cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm:64"]


def flat(text: str) -> str:
    return " ".join(text.split())


def test_the_range_says_what_it_leaves_out(ask):
    listed, own = (flat(ask(*ASKED, *more).out) for more in ([], ["--price", "2"]))
    assert "What other sellers ask is left out." in listed
    assert "What other sellers ask" not in own


def test_a_chip_that_is_hardly_used_draws_a_caveat(ask):
    poor = flat(ask("cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "cerebras-wse-3:4").out)
    assert "of the peak of a cerebras-wse-3" in poor and "Do not rely on this answer." in poor
    assert "Do not rely" not in ask(*ASKED).out


@pytest.mark.parametrize(("data", "said"), [("4Tb", True), ("4TB", False), ("4TiB", False)])
def test_bits_that_are_read_as_bytes_are_said(ask, data, said):
    assert ("is read as bytes, not as bits" in flat(ask(*ASKED, "--data", data).out)) is said


@pytest.mark.parametrize(("length", "said"), [("8k", True), ("8192", False)])
def test_thousands_of_tokens_are_said(ask, length, said):
    assert (
        "8,000 tokens: `8k` is thousands; the power of two is 8192" in flat(ask(*ASKED, "--seq", length).out)
    ) is said


def test_one_token(ask):
    words = flat(ask("cost", "training", "llama-3-8b", "--tokens", "1", "--on", "h100-sxm:64").out)
    assert "1 token was asked for" in words and "1 tokens" not in words


@pytest.mark.parametrize("name", ["nemoo", "jaxx", "megatron-lmm"])
def test_a_framework_with_a_letter_too_many(ask, name):
    answer = ask(*ASKED, "--framework", name)
    assert answer.code == 2 and f"`{name}` is not a framework" in answer.err


@pytest.mark.parametrize("name", ["nemo 25.02", "megatron-core", "Megatron-LM", "pytorch 2.9", "torchtitan", "fsdp2"])
def test_frameworks_with_versions(ask, name):
    assert ask(*ASKED, "--framework", name).code == 0


def test_all_of_the_work_is_never_lost(ask):
    for share in ("100", "100%"):
        answer = ask(*ASKED, "--lost-work", share)
        assert answer.code == 2 and "expected a share below 100%" in answer.err


def test_what_can_be_explained_is_listed(ask):
    ask(*ASKED)
    hint = ask("explain", "nosuch").err.partition("hint: ")[2]
    for word in ("`outlay report`", "step, memory, carbon", "time", "energy", "co2e"):
        assert word in hint
    for key in ("step", "memory", "carbon", "total", "time", "energy", "co2e"):
        assert ask("explain", key).code == 0


def test_models_are_a_table_on_a_narrow_screen(ask):
    lines = ask("show", "models").out.splitlines()
    assert len(lines) < 250 and max(map(len, lines)) <= 80
    assert any(line.split()[:2] == ["nemotron-3-super-120b-a12b", "88"] for line in lines)


def test_the_hint_lists_the_figures_that_there_are(ask):
    """Of whatever was asked, everything that the hint of `explain` names is explained."""
    for asked in (
        ("compare", "llama-3.1-8b", "--rate", "1/s", "--on", "l4", "--api", "groq"),
        ("cost", "serving", "llama-3-8b", "--on", "l4", "--rate", "1/min"),
    ):
        assert ask(*asked).code == 0
        answer = ask("explain", "time")
        assert answer.code == 2 and "`time` is not a line" in answer.err
        figures = answer.err.rpartition("; ")[2].partition(" are explained")[0].replace("\n", " ")
        names = figures.replace(" and ", ", ").split(", ")
        assert "total" in names and len(names) > 1
        for name in names:
            assert ask("explain", name.strip()).code == 0, name
