"""Flags that contradict each other, chips without a price: said at once and in the first line."""

from __future__ import annotations

import pytest

BASE = ("cost", "training", "llama-3-8b", "--tokens", "1T")
ASKED = (*BASE, "--on", "h100-sxm:64")


@pytest.mark.parametrize(
    "flags",
    ["--price 2 --provider aws", "--tier owned --provider aws", "--tier spot --price 2", "--layout tp=2 --layout tp=4",
     "--grid usa --grid france"],
)  # fmt: skip
def test_flags_that_contradict_each_other(ask, flags):
    answer = ask(*ASKED, *flags.split())
    assert answer.code == 2 and not answer.out and answer.err.count("error: ") == 1
    assert all(word in answer.err for word in flags.split() if word.startswith("--"))
    assert "leave" in answer.err.partition("hint: ")[2]


def test_your_own_price_of_your_own_machines_is_no_contradiction(ask):
    assert ask(*ASKED, "--tier", "owned", "--price", "2").code == 0


@pytest.mark.parametrize("flags", ["--on trainium2:64", "--on gaudi3:64", "--on h100-sxm:64 --tier owned"])
@pytest.mark.parametrize("form", ["text", "md", "html"])
def test_the_headline_says_that_accelerators_have_no_price(ask, flags, form):
    answer = ask(*BASE, *flags.split(), "--format", form)
    assert answer.code == 0
    assert "Accelerators not priced; the rest at least $" in " ".join(answer.out.split())
    assert "At least $" not in answer.out
    assert "Accelerators not priced" not in ask(*ASKED).out


def test_a_chip_that_is_only_sold_as_spot_is_answered(ask):
    answer = ask("cost", "training", "gpt2", "--tokens", "1B", "--on", "rtx-3070-ti")
    assert answer.code == 0
    assert "tier = spot: nobody lists an on-demand price" in answer.out
