"""One step of relief, and the price of what cannot be had."""

import re

import pytest

from outlay.scenarios.training.cost import cost_training
from outlay.scenarios.training_plan.plan import plan_training
from outlay.statement import Statement, Table

ASKED = {"tokens": "200B", "on": "a100-sxm-80gb", "provider": "lambda"}


def _relief(plan: Statement) -> Table:
    return next(table for table in plan.sections if table.key == "relief")


@pytest.fixture(scope="module")
def plan() -> Statement:
    return plan_training("llama-3-70b", count=256, **ASKED)


def test_every_relief_is_faster_and_the_changes_are_those_of_the_times(plan: Statement) -> None:
    before = plan.answer["seconds"].value.likely
    rows = _relief(plan).rows
    assert {row[0] for row in rows} <= {"8 more", "twice the memory", "links twice as fast", "network twice as fast"}
    for _, time, change, dollars in rows:
        assert time.value.likely < before
        assert change.value.likely == pytest.approx(time.value.likely / before - 1.0, abs=1e-6)
        assert dollars > 0


def test_more_memory_is_what_a_model_that_hardly_fits_lacks(plan: Statement) -> None:
    assert any(row[0] == "twice the memory" for row in _relief(plan).rows)
    small = plan_training("gpt2", tokens="10B", on="h100-sxm", count=1, provider="lambda")
    assert not any(table.key == "relief" and any("memory" in row[0] for row in table.rows) for table in small.sections)


def test_a_machine_more_is_what_pricing_it_alone_says(plan: Statement) -> None:
    row = next((row for row in _relief(plan).rows if row[0] == "8 more"), None)
    alone = cost_training("llama-3-70b", tokens="200B", on="a100-sxm-80gb:264", provider="lambda")
    if row is None:
        assert alone.answer["seconds"].value.likely > 0.998 * plan.answer["seconds"].value.likely
    else:
        assert row[1].value.likely == pytest.approx(alone.answer["seconds"].value.likely, rel=1e-6)


def test_supply_binds_where_all_that_there_is_is_used_and_more_would_help() -> None:
    asked = {"tokens": "100B", "goal": "fastest", "tier": "on-demand"}
    all_of_them = plan_training("llama-3-8b", have="h100-sxm:64", **asked)
    said = [note for note in all_of_them.notes if note.startswith("What binds is supply")]
    assert len(said) == 1
    share = float(re.search(r"([0-9.]+)%|([0-9.]+) %", said[0]).group(0).rstrip("% "))
    more = plan_training("llama-3-8b", on="h100-sxm", count=72, **asked)
    before, after = (plan.answer["seconds"].value.likely for plan in (all_of_them, more))
    assert 100 * (1 - after / before) == pytest.approx(share, rel=0.1)
    free = plan_training("llama-3-8b", on="h100-sxm", count=64, **asked)
    assert not any(note.startswith("What binds is supply") for note in free.notes)


def test_the_step_says_what_it_waits_for(plan: Statement) -> None:
    step = next(table for table in plan.sections if table.key == "step")
    assert step.notes[0].startswith("It waits for ")
    shares = {row[0]: row[2] for row in step.rows}
    assert ("recompute" in shares and shares["recompute"] >= 0.01) == any("lacks memory" in note for note in step.notes)


def test_a_substitute_is_named_with_its_price_in_money_and_time() -> None:
    asked = {"tokens": "1T", "count": "64..512", "within": "30d"}
    plan = plan_training("llama-3-8b", have="h100-sxm:512,a100-sxm-80gb:512", tier="on-demand", **asked)
    best = re.search(r"[0-9]+ × (\S+)", plan.title)
    assert best is not None
    without = plan_training(
        "llama-3-8b", have="h100-sxm:512,a100-sxm-80gb:512", tier="on-demand", without=best.group(1), **asked
    )
    said = next(note for note in without.notes if note.startswith("The best substitute"))
    assert best.group(1) in said
    dollars = without.total.amount.likely - plan.total.amount.likely
    assert f"costs ${dollars:,.0f} less" in said


def test_nothing_is_said_of_a_substitute_where_what_is_missing_would_not_have_been_better() -> None:
    plan = plan_training("llama-3-8b", tokens="1T", on=None, without="gtx-1080-ti", count="64,128", within="60d")
    assert not any("substitute" in note for note in plan.notes)
