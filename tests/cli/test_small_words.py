"""Words that a reader without the field's habits takes as they are meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CARD = ("cost", "serving", "llama-3-8b", "--on", "rtx-4090:1", "--quant", "fp8", "--concurrency", 1)


def spoken(answer: Any) -> str:
    return " ".join((answer.out + answer.err).split())


def test_a_word_is_no_code_of_a_country(ask: Any) -> None:
    said = ask(*CARD, "--grid", "mars").err
    assert not {"`mar`", "`rs`", "`ms`"} & set(said.replace("?", "").split())
    assert "`fr`" in ask(*CARD, "--grid", "frr").err


@pytest.mark.parametrize("more", [(), ("--layout", "tp=1")])
def test_a_card_that_people_have_at_home_may_be_ones_own(ask: Any, more: tuple[str, ...]) -> None:
    answer = ask(*CARD, *more)
    assert "`--tier owned --hardware 2000`" in answer.out
    own = ask(*CARD, *more, "--tier", "owned", "--hardware", 2000)
    assert own.code == 0 and "--hardware 2000`" not in own.out


@pytest.mark.parametrize("said", [("--provider", "vast-ai"), ("--tier", "spot"), ("--price", 1)])
def test_who_says_how_a_card_is_paid_for_is_asked_no_more(ask: Any, said: tuple[Any, ...]) -> None:
    assert "--tier owned" not in ask(*CARD, *said).out


def test_the_highest_range_says_what_was_measured_of_its_kind(ask: Any, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("model,engine,accelerator,gpus,tpot_ms\nllama-3-8b,vllm,h100-sxm,1,8\n", encoding="utf-8")
    for question in (CARD, ("plan", "serving", "llama-3-8b", "--rate", "1/s"), ("validate", rows)):
        refused = ask(*question, "--interval", 99)
        assert refused.code == 2 and "sources that the fit left out" in refused.err and "whole runs" not in refused.err
    training = ask("cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm:64", "--interval", 99)
    assert "whole runs" in training.err


def test_power_of_a_plan_is_that_of_a_device_and_of_its_server(ask: Any) -> None:
    plan = ask("plan", "serving", "llama-3-8b", "--rate", "1/s", "--on", "rtx-5090")
    assert plan.code == 0
    assert "Power of a device with its share of the server" in spoken(ask("explain", "energy"))
