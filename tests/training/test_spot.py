"""Spot machines: their traces, and what they make of a run."""

import itertools
import math

import pytest

from outlay.scenarios.training.cost import cost_training
from outlay.statement import Statement
from outlay.training.goodput import hours_between_failures, losses, practices
from outlay.training.spot import held

TYPES = ("p4d.24xlarge", "p5.48xlarge", "g6.24xlarge", "p3.16xlarge")
"""From those taken back the least often to those the most."""


def test_types_that_are_taken_back_more_often_are_held_shorter_and_missing_longer() -> None:
    for seldom, often in itertools.pairwise(TYPES):
        assert all(a > b for a, b in zip(held(seldom).hours, held(often).hours, strict=True))
        assert all(a < b for a, b in zip(held(seldom).away, held(often).away, strict=True))
    for instance in (*TYPES, "", "nobody's"):
        long, usual, short = held(instance).hours
        assert long > usual > short > 0
        assert sorted(held(instance).away) == list(held(instance).away)


def test_a_type_without_statistics_is_no_better_than_the_best_nor_worse_than_the_worst() -> None:
    assert held(TYPES[-1]).hours[1] <= held("nobody's").hours[1] <= held(TYPES[0]).hours[1]


def test_rates_of_failures_and_of_spot_add_up() -> None:
    practice = practices()["likely"]
    own = float(hours_between_failures(64, practice))
    alone = losses(1e6, devices=64, state_bytes=1e11, practice=practice, interval=1e4)
    spot = losses(1e6, devices=64, state_bytes=1e11, practice=practice, interval=1e4, held=own)
    # Twice the rate, and stretches far shorter than the time between failures.
    assert float(spot.failures) == pytest.approx(2 * float(alone.failures), rel=0.05)
    never = losses(1e6, devices=64, state_bytes=1e11, practice=practice, interval=1e4, held=math.inf)
    assert float(never.seconds) == float(alone.seconds)


@pytest.fixture(scope="module")
def tiers() -> dict[str, Statement]:
    return {
        tier: cost_training("llama-3-8b", tokens="50B", on="h100-sxm:64", provider="aws", tier=tier)
        for tier in ("on-demand", "spot")
    }


def test_waiting_takes_time_and_neither_money_nor_energy(tiers: dict[str, Statement]) -> None:
    spot = tiers["spot"]
    waiting = next(part for part in spot.answer["seconds"].parts if part.label == "Waiting for spot machines")
    accelerators = spot.lines[0]
    hours = sum(line.quantity.likely for line in accelerators.children if line.quantity is not None)
    seconds = spot.answer["seconds"].value.likely
    assert waiting.value.likely > 0
    assert hours * 3600 / 64 == pytest.approx(seconds - waiting.value.likely)
    joules = [tiers[tier].answer["joules"].value.likely for tier in ("on-demand", "spot")]
    held_longer = hours / sum(line.quantity.likely for line in tiers["on-demand"].lines[0].children if line.quantity)
    assert joules[1] / joules[0] == pytest.approx(held_longer, rel=1e-6)


def test_spot_is_never_shorter_and_says_how_often_it_is_taken_away(tiers: dict[str, Statement]) -> None:
    seconds = {tier: statement.answer["seconds"].value for tier, statement in tiers.items()}
    assert seconds["spot"].likely > seconds["on-demand"].likely
    assert seconds["spot"].high > seconds["on-demand"].high
    assert any(entry.name == "spot" and "5-10%" in entry.why for entry in tiers["spot"].assumed)
    assert not any(entry.name == "spot" for entry in tiers["on-demand"].assumed)
