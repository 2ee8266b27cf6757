"""Several models, prices, precisions, optimizers, counts and sellers in one call: each as it is alone."""

import itertools
import json

import pytest

from outlay import catalog
from outlay.errors import DoesNotFit, InputError
from outlay.render import render
from outlay.scenarios.training_plan.comparing import compare_plans
from outlay.scenarios.training_plan.plan import plan_training
from outlay.statement import Statement, from_json, to_json

ASKED = {"tokens": "20B", "on": "h100-sxm,rtx-4090", "count": "4..8"}


def _table(plan: Statement, key: str):
    return next((table for table in plan.sections if table.key == key), None)


def _dollars(plan: Statement) -> float:
    return plan.total.amount.likely


def test_each_model_has_the_plan_that_it_has_alone() -> None:
    found = compare_plans(["gpt2", "gpt2-xl"], every=True, **ASKED)
    rows = _table(found.statement, "plans").rows
    for row, model in zip(rows, ("gpt2", "gpt2-xl"), strict=True):
        alone = plan_training(model, **ASKED)
        assert row[4] == pytest.approx(_dollars(alone))
        assert row[3].value.likely == pytest.approx(alone.answer["seconds"].value.likely)
        figures = {
            name: cells for model_name, name, *cells in _table(found.statement, "figures").rows if model_name == row[0]
        }
        assert figures["cost"][0].value.likely == pytest.approx(_dollars(alone))
        assert figures["cost"][2].value.likely == pytest.approx(alone.total.amount.high)
        assert figures["energy"][0].value.likely == pytest.approx(alone.answer["joules"].value.likely)
    assert (found.planned, found.asked) == (2, 2)
    assert from_json(to_json(found.statement)) == found.statement
    document = json.loads(render(found.statement, "json"))
    assert document["sections"][1]["rows"]
    assert "gpt2-1.5b" in render(found.statement, "csv")
    assert max(map(len, render(found.statement).splitlines())) <= 80


def test_each_price_is_the_plan_at_that_price() -> None:
    asked = {**ASKED, "on": "h100-sxm"}
    found = compare_plans(["gpt2"], prices=("1.5", "3"), **asked)
    for row, price in zip(_table(found.statement, "plans").rows, (1.5, 3.0), strict=True):
        assert row[1] == price
        assert row[4] == pytest.approx(_dollars(plan_training("gpt2", price=price, **asked)))


def test_a_model_without_a_plan_says_why_and_the_others_are_answered() -> None:
    found = compare_plans(["gpt2", "llama-3.1-405b"], **ASKED)
    assert (found.planned, found.asked) == (1, 2)
    assert _table(found.statement, "plans").rows[1][2] == "no"
    assert any(note.startswith("llama-3.1-405b: no: ") for note in found.statement.notes)
    with pytest.raises(DoesNotFit):
        compare_plans(["deepseek-v3", "llama-3.1-405b"], **ASKED)


@pytest.mark.parametrize(
    ("models", "asked", "named"),
    [
        (["gpt2", "gpt2"], {}, "twice"),
        (["gpt2", "gpt9"], {}, "gpt9"),
        (["gpt2"], {"prices": ("2", "two")}, "two"),
        (["gpt2"], {"prices": ("2", "2")}, "twice"),
        (["gpt2"], {"prices": tuple(map(str, range(1, 200)))}, "at most 100"),
    ],
)
def test_what_cannot_be_compared_is_refused(models, asked, named) -> None:
    with pytest.raises(InputError) as refused:
        compare_plans(models, **{**ASKED, "on": "h100-sxm", **asked})
    assert named in refused.value.screen()


def test_a_choice_of_recipes_is_the_best_of_each_alone() -> None:
    asked = {"tokens": "20B", "on": "h100-sxm", "count": "4,8"}
    both = plan_training("gpt2-xl", precision="bf16,fp8", optimizer="adamw,adam8bit", **asked)
    rows = _table(both, "recipes").rows
    alone = {
        f"{precision}, {optimizer}": _dollars(
            plan_training("gpt2-xl", precision=precision, optimizer=optimizer, **asked)
        )
        for precision, optimizer in itertools.product(("bf16", "fp8"), ("adam", "adam-8bit"))
    }
    assert {row[0]: row[3] for row in rows} == pytest.approx(alone)
    assert _dollars(both) == pytest.approx(min(alone.values()))
    assert any("loss is not predicted" in note for note in both.notes)


def test_a_precision_that_a_chip_lacks_leaves_the_others() -> None:
    plan = plan_training("gpt2", tokens="10B", on="a100-sxm-80gb", count="8", precision="bf16,fp8")
    assert _table(plan, "recipes") is None
    assert any("1 do not have the precision" in note for note in plan.notes)
    with pytest.raises(InputError, match="does not multiply in fp8"):
        plan_training("gpt2", tokens="10B", on="a100-sxm-80gb", count="8", precision="fp8")


@pytest.mark.parametrize(
    "asked",
    [
        {"precision": "bf16,bf17"},
        {"precision": "bf16,bfloat16"},
        {"precision": "bf16,,fp8"},
        {"optimizer": "adam,adamw"},
        {"optimizer": "sgd,adamm"},
    ],
)
def test_recipes_that_nobody_knows_are_refused_before_any_search(asked) -> None:
    with pytest.raises(InputError):
        plan_training("gpt2", tokens="10B", **asked)


def test_each_seller_of_the_same_machines_is_priced() -> None:
    plan = plan_training("gpt2", tokens="20B", on="h100-sxm", count=8)
    rows = _table(plan, "sellers").rows
    assert [row[3] for row in rows] == sorted(row[3] for row in rows)
    for name, price, *_ in rows[:2]:
        listed = catalog.price_for(catalog.accelerator("h100-sxm"), name, "on-demand")
        assert price == pytest.approx(listed.likely)
    assert rows[0][3] == pytest.approx(_dollars(plan))


def test_the_best_of_each_number_is_what_that_number_costs_alone() -> None:
    plan = plan_training("gpt2", tokens="20B", on="h100-sxm,rtx-4090", count="2,4,8")
    rows = _table(plan, "counts").rows
    assert len(rows) == 3
    for row, count in zip(rows, (2, 4, 8), strict=True):
        assert row[3] == pytest.approx(
            _dollars(plan_training("gpt2", tokens="20B", on="h100-sxm,rtx-4090", count=count)), rel=0.01
        )
