"""Hints of plans that are typed as they stand, and words that are the user's own."""

from __future__ import annotations

import re
from typing import Any

import pytest

SMALL = ("plan", "serving", "llama-3-8b")


def spoken(answer: Any) -> str:
    return " ".join((answer.out + answer.err).split())


def test_a_tool_names_no_engine_that_the_machines_do_not_run(ask: Any) -> None:
    asked = ("plan", "serving", "llama-3.2-1b", "--rate", "0.01/s", "--have", "raspberry-pi-5:64")
    refused = ask(*asked, "--export", "dynamo")
    assert refused.code == 2 and "`--export llamacpp`" in refused.err and "--engine" not in refused.err
    assert ask(*asked, "--export", "llamacpp").code == 0


def test_a_tool_names_engines_that_the_machines_run(ask: Any) -> None:
    asked = (*SMALL, "--rate", "1/s", "--on", "h100-sxm", "--engine")
    refused = ask(*asked, "trtllm", "--export", "dynamo")
    assert "`--engine vllm` or `--engine sglang`" in refused.err
    assert ask(*asked, "sglang", "--export", "dynamo").code == 0


def test_machines_that_one_has_are_rented_from_nobody(ask: Any) -> None:
    asked = (*SMALL, "--rate", "0.02/s", "--have", "m3-max:15")
    refused = ask(*asked, "--tier", "spot")
    assert refused.code == 1 and "leave `--tier spot` out" in refused.err + refused.out
    assert "m3-max:15" not in spoken(refused).partition("hint:")[2]
    assert ask(*asked).code == 0


def test_nobody_trains_who_serves(ask: Any) -> None:
    assert "train" not in spoken(ask(*SMALL, "--rate", "1/s", "--tier", "owned"))


@pytest.mark.parametrize("limit", [("--carbon", "1g"), ("--tpot", "0.1ms"), ("--ttft", "1e-4s"), ("--under", "1")])
def test_limits_are_said_as_they_were_typed(ask: Any, limit: tuple[str, str]) -> None:
    said = spoken(ask(*SMALL, "--rate", "5/s", "--on", "l4", *limit))
    assert f"`{' '.join(limit)}`" in said


@pytest.mark.parametrize("goal", ["cheapest", "fastest"])
def test_the_nearest_of_a_no_is_the_plan_at_its_price(ask: Any, goal: str) -> None:
    asked = (*SMALL, "--rate", "5/s", "--on", "rtx-5090,l4", "--goal", goal)
    refused = spoken(ask(*asked, "--under", "1"))
    hinted = re.search(r"it is there with `--under (\d+)`", refused)
    first = re.search(r"first token comes after ([\d.]+ m?s), further ones each ([\d.]+ m?s)", refused)
    assert hinted and first
    plan = spoken(ask(*asked, "--under", hinted[1]))
    assert f"first token after {first[1]} " in plan and f"then one each {first[2]} " in plan
