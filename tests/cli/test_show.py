"""Listings: whole names, dates as dates, nothing ignored, no empty table."""

from __future__ import annotations

import re

import pytest

from outlay import catalog


def test_names_of_models_are_never_broken(ask):
    out = ask("show", "models").out
    assert all(len(line) <= 80 for line in out.splitlines())
    words = out.split()
    assert not [entry.name for entry in catalog.models() if entry.name not in words]
    assert not re.search(r"[0-9]+ d\b", out)


def test_a_search_is_of_words(ask):
    out = ask("show", "models", "llama-3").out
    assert "llama-3-8b" in out and "codellama" not in out


@pytest.mark.parametrize("question", [["models", "--seq", "abc"], ["models", "--seq", "4096"], ["models", "gpt2", "--seq", "abc"],
                                      ["prices", "gaudi3"], ["prices", "gaudi3", "--tier", "spot"]])  # fmt: skip
def test_what_cannot_be_shown_is_said(ask, question):
    answer = ask("show", *question)
    assert answer.code == 2 and not answer.out and "hint: " in answer.err


def test_one_model_takes_a_sequence(ask):
    assert ask("show", "models", "gpt2", "--seq", "512").code == 0
