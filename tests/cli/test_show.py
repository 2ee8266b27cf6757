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


def test_a_model_of_a_seller_and_a_format_are_shown_as_other_tables_write_them(ask):
    for name in ("openai/gpt-5-mini", "gpt-5-mini"):
        answer = ask("show", "apis", name, "--format", "csv")
        assert answer.code == 0, answer.err
        heading, row = (line.split(",") for line in answer.out.splitlines())
        cells = dict(zip(heading, row, strict=True))
        assert (float(cells["Input ($/M)"]), float(cells["Batch out ($/M)"])) == (0.25, 1.0)
    assert "did you mean `gpt-5-mini`" in ask("show", "apis", "openai/gpt-5-mni").err
    for name in ("fp8", "q4_k_m", "W4A8 AWQ"):
        answer = ask("show", "quality", name, "--format", "csv")
        assert answer.code == 0 and answer.out.startswith("Model,"), answer.err
        listed = next(
            line for line in ask("show", "quality", "--format", "csv").out.splitlines() if line.startswith(name)
        )
        assert len(answer.out.splitlines()) >= 1 + int(listed.split(",")[2])


def test_names_of_a_context_are_the_same_weights(ask):
    out = ask("show", "apis", "groq", "--format", "csv").out
    for line in ("llama3-8b-8192,llama-3-8b,", "llama3-70b-8192,llama-3-70b,"):
        assert line in out
