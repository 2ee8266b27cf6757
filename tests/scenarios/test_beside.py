"""Costs beside the run, and machines that were bought."""

import pytest

from outlay.errors import InputError
from outlay.scenarios.training.cost import cost_training
from outlay.scenarios.training_plan.plan import plan_training
from outlay.statement import Line, Statement

ASKED = {"tokens": "20B", "on": "h100-sxm:8"}


def _line(statement: Statement, key: str) -> Line:
    return next(line for group in statement.lines for line in (group, *group.children) if line.key == key)


def _dollars(statement: Statement) -> float:
    assert statement.total.amount is not None
    return statement.total.amount.likely


def test_runs_before_this_one_take_their_share_of_its_hours_and_money() -> None:
    plain = cost_training("gpt2", provider="lambda", **ASKED)
    more = cost_training("gpt2", provider="lambda", exploration="50%", **ASKED)
    hours = sum(line.quantity.likely for line in plain.lines[0].children if line.quantity is not None)
    extra = _line(more, "beside.exploration")
    assert extra.quantity is not None
    assert extra.quantity.likely == pytest.approx(0.5 * hours)
    accelerators = _line(plain, "accelerators").amount
    assert accelerators is not None
    assert _dollars(more) - _dollars(plain) == pytest.approx(0.5 * accelerators.likely)
    assert more.answer["seconds"].value == plain.answer["seconds"].value


def test_people_and_data_that_leave_are_added_as_said() -> None:
    plain = cost_training("gpt2", provider="aws", **ASKED)
    more = cost_training("gpt2", provider="aws", people="120k", egress="2TB", **ASKED)
    assert _dollars(more) - _dollars(plain) == pytest.approx(120_000 + 2 * 90.0)
    assert any(entry.name == "egress" for entry in more.assumed)


def test_training_data_are_kept_for_the_time_of_the_run() -> None:
    kept = _line(cost_training("gpt2", provider="aws", data="4TB", **ASKED), "storage.data")
    seconds = cost_training("gpt2", provider="aws", **ASKED).answer["seconds"].value.likely
    assert kept.quantity is not None
    assert kept.quantity.likely == pytest.approx(4 * seconds / (365.25 * 86_400 / 12), rel=0.01)
    owned = cost_training("gpt2", tier="owned", data="4TB", **ASKED)
    assert not any(line.key == "storage.data" for group in owned.lines for line in group.children)


def test_bought_machines_wear_off_over_the_hours_that_they_work() -> None:
    bought = cost_training("gpt2", tier="owned", hardware="30k", life="4", use="50%", **ASKED)
    priced = cost_training("gpt2", tier="owned", price=30_000 / (4 * 8_766 * 0.5), **ASKED)
    assert _dollars(bought) == pytest.approx(_dollars(priced))
    names = {entry.name for entry in bought.assumed}
    assert not {"life of devices", "use of devices"} & names
    assert {"life of devices", "use of devices"} <= {
        entry.name for entry in cost_training("gpt2", tier="owned", hardware="30k", **ASKED).assumed
    }


def test_a_plan_counts_them_too_and_wears_off_what_is_had() -> None:
    asked = {"tokens": "20B", "have": "h100-sxm:8", "hardware": "30k"}
    plan = plan_training("gpt2", **asked)
    assert _dollars(plan_training("gpt2", people=1000, **asked)) - _dollars(plan) == pytest.approx(1000)
    with pytest.raises(InputError, match="one accelerator"):
        plan_training("gpt2", tokens="20B", have="h100-sxm:8,a100-sxm-80gb:8", hardware="30k")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"hardware": "30k"}, "rented"),
        ({"hardware": "30k", "tier": "owned", "price": 2}, "two prices"),
        ({"hardware": "30k", "tier": "owned", "life": "0"}, "--life"),
        ({"hardware": "30k", "tier": "owned", "life": "soon"}, "--life"),
        ({"hardware": "30k", "tier": "owned", "use": "120%"}, "--use"),
        ({"hardware": "-3", "tier": "owned"}, "--hardware"),
        ({"life": "4"}, "--hardware"),
        ({"exploration": "much"}, "--exploration"),
        ({"people": "two"}, "--people"),
        ({"egress": "-1GB"}, "--egress"),
    ],
)
def test_what_cannot_be_read_or_contradicts_is_named(asked: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        cost_training("gpt2", **{**ASKED, **asked})
    assert refused.value.hint
