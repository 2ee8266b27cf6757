"""Requests that a model cannot read: refused with lengths that it can, and never shrunk to nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from outlay.errors import InputError
from outlay.scenarios.named import read_model
from outlay.scenarios.serving.demand import read_demand

NOTHING: dict[str, Any] = dict.fromkeys(
    ("input", "output", "rate", "concurrency", "users", "requests_per_user", "peak", "prefix_hit", "turns")
)


def demand(model: str = "llama-3-8b", **asked: Any) -> Any:
    return read_demand(read_model(model)[0], **{**NOTHING, "rate": 1, **asked})


def typed(hint: str) -> dict[str, int]:
    """The flags that a hint says to write."""
    return {name: int(value) for name, value in re.findall(r"--(input|output|turns) (\d+)", hint)}


@pytest.mark.parametrize("model", ["llama-3-8b", "gpt2", "llama-2-7b"])
@pytest.mark.parametrize("turns", [2, 7, 20, 1000])
def test_conversations_that_do_not_fit_are_refused_with_what_does(model: str, turns: int) -> None:
    most = read_model(model)[0].max_length
    assert most is not None
    if turns * 1366 <= most:
        assert demand(model, turns=turns).output == 211
        return
    with pytest.raises(InputError, match=f"{turns:,} turns of the usual 1,155 tokens in and 211 out") as caught:
        demand(model, turns=turns)
    said = typed(caught.value.hint)
    if said:
        assert demand(model, **{"turns": turns, **said}).longest <= most
    else:
        assert turns == 1000


def test_one_request_of_a_model_that_reads_little_is_as_long_as_it_reads() -> None:
    found = demand("gpt2")
    assert found.input + found.output <= 1024 and found.output > 100


@pytest.mark.parametrize(
    "asked", [{"input": 9000}, {"input": 8192}, {"input": 8000}, {"output": 8191}, {"output": 20_000}]
)
@pytest.mark.parametrize("turns", [None, 1, 5])
def test_half_a_request_is_completed_with_what_the_model_still_reads(asked: dict[str, int], turns: int | None) -> None:
    with pytest.raises(InputError) as caught:
        demand(**asked, turns=turns)
    found = demand(**{**asked, **typed(caught.value.hint), "turns": turns})
    assert found.longest <= 8192


def test_half_a_short_request_is_completed_as_ever() -> None:
    with pytest.raises(InputError) as caught:
        demand(input=100)
    assert caught.value.hint == "add `--output 512`"
