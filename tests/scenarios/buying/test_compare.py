"""Build or buy: bills by hand, crossings evaluated on both sides, lines that are missing, and what cannot be read."""

from __future__ import annotations

import datetime
import math
import shlex

import pytest

from outlay.errors import DoesNotFit, InputError, UnknownName
from outlay.render import render
from outlay.scenarios.buying.compare import compare
from outlay.scenarios.serving.cost import cost_serving
from outlay.statement import explain

DAY = datetime.date(2026, 11, 26)
ONE = {"on": "l4:2", "input": 1000, "output": 250, "price": 1, "today": DAY}


def priced(api: str = "mine=0.10/0.40", **asked: object):
    return compare("llama-3.1-8b", **({"api": api, "rate": "86400/day"} | ONE | asked))


def likely(statement, name: str) -> float:
    return statement.answer[name].value.likely


def test_bills_by_hand():
    found = priced()
    requests = 730 * 3600
    assert likely(found, "api") == pytest.approx(requests * (1000 * 0.10 + 250 * 0.40) / 1e6)
    assert likely(found, "own") == pytest.approx(2 * 730 * 1)


def test_cached_and_batch_prices_are_on_the_bill():
    found = compare("llama-3.1-8b", api="openai/gpt-5-mini", rate="86400/day", cached="40%", batch_share="20%", **ONE)
    now = 1000 * (0.6 * 0.25 + 0.4 * 0.025) + 250 * 2.0
    late = 1000 * (0.6 * 0.125 + 0.4 * 0.0125) + 250 * 1.0
    assert likely(found, "api") == pytest.approx(730 * 3600 * (0.8 * now + 0.2 * late) / 1e6)
    assert found.total.amount is not None


def test_the_lines_are_those_of_the_cheaper_one_and_both_bills_are_shown():
    buy, build = priced(), priced("mine=1/4")
    assert [line.key for line in buy.lines] == ["api", "beside"]
    assert [line.key for line in build.lines] == ["accelerators", "beside"]
    assert buy.title.startswith("Buy:") and build.title.startswith("Build:")
    assert buy.total.amount.likely == pytest.approx(likely(buy, "api"))
    for statement in (buy, build):
        table = statement.find("bills")
        assert [row[0] for row in table.rows][1:] == [
            *("People", "Quality difference", "Lock-in", "Data leaving the house"),
        ]
        assert statement.total.at_least  # nobody said what people cost


def test_what_is_on_no_bill_is_a_line_with_the_figure_that_was_given_or_missing():
    found = priced(people="40h/month:$90", lock_in=100, data_leaving=50)
    lines = {line.key: line for line in found.walk()}
    assert lines["beside.quality"].shown_basis == "missing"
    assert lines["beside.lock-in"].amount.likely == 100 and lines["beside.lock-in"].shown_basis == "yours"
    assert lines["beside.data"].amount.likely == 50
    build = priced("mine=9/9", people="40h/month:$90")
    people = build.find("beside.people")
    assert (people.quantity.likely, people.unit_price.likely, people.unit) == (40, 90, "h")
    assert build.find("bills").rows[1][1] == 3600


def test_the_crossing_lies_between_a_load_where_one_is_cheaper_and_one_where_the_other_is():
    first = likely(priced("mine=0.5/2"), "break_even")
    for factor, word in ((0.98, "Buy"), (1.02, "Build")):
        assert priced("mine=0.5/2", rate=f"{first * factor}/day").title.startswith(word)


def test_people_move_the_crossing_up_and_the_api_s_own_burdens_down():
    plain = likely(priced("mine=0.5/2"), "break_even")
    assert likely(priced("mine=0.5/2", people="500"), "break_even") > plain
    assert likely(priced("mine=0.5/2", lock_in="500"), "break_even") < plain


def test_headline_tables_and_bills_say_the_same_dollars():
    """People and what comes with an API are in every figure that the verdict weighs."""
    found = priced("mine=0.5/2", people=500, lock_in=100, data_leaving=50, quality_difference=25)
    own, api = likely(found, "own"), likely(found, "api")
    assert own == pytest.approx(2 * 730 + 500)
    assert api == pytest.approx(730 * 3600 * (1000 * 0.5 + 250 * 2) / 1e6 + 175)
    bills = found.find("bills").rows
    for column, whole in ((1, own), (2, api)):
        assert sum(row[column] or 0.0 for row in bills) == pytest.approx(whole)
    row = found.find("apis").rows[0]
    assert (row[2], row[3]) == (pytest.approx(api), pytest.approx(api / own))


def test_what_crosses_at_any_load_is_said_in_words():
    found = compare("llama-3.1-8b", api="mine=0.1/0.4", on="l4", rate="1/s", lock_in="10k", today=DAY, price=1)
    assert "break_even" not in found.answer
    assert any("from the first request on" in note for note in found.notes)


def test_never_names_the_seller_whose_price_it_is_and_one_at_whose_price_they_do():
    found = compare("llama-3.1-8b", api="groq", rate=2, on="l4", provider="runpod", today=DAY)
    rows = {(row[0], row[1]): row[-1] for row in found.find("sellers").rows}
    (first, second) = (note for note in found.notes if note.startswith("At "))
    assert first.startswith("At the price of runpod, on-demand, own machines never become cheaper than groq")
    assert f"{rows['vast-ai', 'on-demand']:,.0f}" in second and "`--provider vast-ai`" in second
    there = compare("llama-3.1-8b", api="groq", rate=2, on="l4", provider="vast-ai", today=DAY)
    assert likely(there, "break_even") == pytest.approx(rows["vast-ai", "on-demand"])


def test_each_price_of_an_api_has_its_own_receipt():
    found = compare("llama-3.1-8b", api="groq", rate="1/s", today=DAY, on="l4:2", price=9)
    for key in ("api.input", "api.output"):
        line = found.find(key)
        assert [receipt.value for receipt in line.receipts] == [line.unit_price.likely]
    assert [receipt.value for receipt in found.answer["api"].receipts] == [0.05, 0.08]


def test_what_waits_gains_nothing_where_all_hours_are_alike():
    found = priced(batch_share="20%")
    (batch,) = (entry for entry in found.assumed if entry.name == "batch")
    assert "not 1" not in batch.why and "gain nothing" in batch.why


def test_limits_that_nothing_keeps_are_named_with_those_that_the_nearest_keeps():
    asked = {"api": "mine=0.5/2", "input": 1000, "output": 250, "today": DAY, "rate": "2/s"}
    with pytest.raises(DoesNotFit) as error:
        compare("llama-3.1-8b", ttft="1ns", tpot="1s", **asked)
    assert "`--ttft 1ns`" in error.value.message and "nearest: " in error.value.message
    hinted = error.value.hint.partition("--ttft ")[2].rstrip("`")
    assert "--tpot" not in hinted
    assert likely(compare("llama-3.1-8b", ttft=hinted, tpot="1s", **asked), "own") > 0


def test_a_tier_that_nobody_lists_is_named() -> None:
    with pytest.raises(DoesNotFit, match="nobody lists accelerators for servers as reserved"):
        compare("llama-3.1-8b", rate="2/s", tier="reserved", today=DAY)
    with pytest.raises(DoesNotFit, match="rents out holds deepseek"):
        compare("deepseek-v3", api="mine=1/1", rate="2/s", provider="runpod", today=DAY)


def test_a_format_that_no_table_lists_is_bad_input_and_no_no():
    with pytest.raises(UnknownName, match="`any` is not a format"):
        compare("llama-3.1-8b", rate="2/s", quant="any", today=DAY)
    with pytest.raises(InputError, match="is a format of llama"):
        compare("llama-3.1-8b", rate="2/s", quant="q4_k_m", engine="vllm", today=DAY)


def test_never_is_said_plainly():
    found = priced("mine=0.001/0.001")
    assert "break_even" not in found.answer
    assert any(note.startswith("Own machines never become cheaper than mine") for note in found.notes)
    assert found.find("apis").rows[0][-1] == "never"


def test_another_model_is_said_and_is_not_what_machines_are_held_against():
    found = compare("llama-3.1-8b", api="openai/gpt-5-nano,groq", rate="1/s", **ONE)
    rows = {row[0]: row[1] for row in found.find("apis").rows}
    assert rows == {"groq": "the same", "openai/gpt-5-nano": "another"}
    assert "groq" in found.title
    assert compare("llama-3.1-8b", api="openai/gpt-5-nano", rate="1/s", **ONE).title.count("gpt-5-nano") == 1


def test_any_is_every_host_of_the_same_weights():
    found = compare("llama-3.3-70b", rate="1/s", on="h100-sxm:4", input=1000, output=250, today=DAY)
    models = [row[1] for row in found.find("apis").rows]
    assert len(models) >= 5 and all(model.startswith("the same") for model in models)


def test_machines_as_many_as_the_load_takes_and_more_for_more():
    asked = {"api": "mine=0.1/0.4", "input": 1000, "output": 250, "today": DAY, "on": "l4"}
    costs = [likely(compare("llama-3.1-8b", rate=f"{rate}/s", **asked), "own") for rate in (0.1, 2, 20, 100)]
    assert costs == sorted(costs) and costs[-1] > 4 * costs[0]


def test_batches_wait_for_quiet_hours():
    asked = {"api": "mine=0.1/0.4", "input": 1000, "output": 250, "today": DAY, "on": "l4", "rate": "40/s", "peak": 3}
    assert likely(compare("llama-3.1-8b", batch_share="60%", **asked), "own") < likely(
        compare("llama-3.1-8b", **asked), "own"
    )


def test_any_machines_come_cheapest_first():
    found = compare("llama-3.1-8b", api="groq", users=10_000, today=DAY)
    costs = [row[3] for row in found.find("machines").rows]
    assert len(costs) >= 3 and costs[0] == min(costs)


def test_quality_of_a_cheaper_format_is_a_line_and_a_table():
    found = priced("mine=9/9", quant="w4a16")
    line = found.find("beside.quality")
    assert line.shown_basis == "missing" and "scores 3.4 % to 5.7 % lower" in line.note and line.receipts
    assert found.find("quality").rows[0][0] == "w4a16"


def test_energy_of_apis_is_unknown_not_zero():
    assert any("unknown, not zero" in note for note in priced().notes)
    assert "joules" not in priced().answer


def test_owned_machines_stay_in_the_house():
    found = priced("mine=9/9", price=None, tier="owned", hardware="8000")
    assert found.find("beside.data").amount.likely == 0
    assert found.find("beside.lock-in").shown_basis == "missing"
    assert {"accelerators", "power"} <= {line.key for line in found.lines}
    assert math.isfinite(likely(found, "break_even"))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"rate": None}, "the load is missing"),
        ({"api": "grok"}, "`grok` is not a hosted API"),
        ({"api": " "}, "`--api` is empty"),
        ({"api": "openai"}, "openai lists no price"),
        ({"api": "mine=1"}, "NAME=INPUT/OUTPUT"),
        ({"cached": "140%"}, "`--cached` is 140%"),
        ({"cached": "100%"}, "below 100%"),
        ({"batch_share": "x"}, "`--batch-share` is x"),
        ({"people": "40h"}, "hours of a month"),
        ({"people": "-3"}, "`--people` is -3"),
        ({"lock_in": "much"}, "`--lock-in` is much"),
        ({"users": 5}, "2 loads"),
        ({"on": "any"}, "none is named"),
    ],
)
def test_bad_input_is_named(asked, said):
    with pytest.raises(InputError) as error:
        priced(**asked)
    assert said in error.value.message and error.value.hint


def test_all_problems_are_said_at_once():
    with pytest.raises(InputError) as error:
        priced(cached="2", batch_share="x", people="h")
    assert len(error.value.details) == 3


def test_unknown_apis_are_named_together():
    with pytest.raises(InputError) as error:
        priced(api="grok,openai/gpt-5-mni")
    assert len(error.value.details) == 2
    with pytest.raises(UnknownName):
        priced(api="openai/gpt-5-mni")


def test_a_load_that_they_cannot_carry_is_no():
    with pytest.raises(DoesNotFit) as error:
        priced(rate="500/s")
    assert "l4:" in error.value.hint


def test_an_objective_takes_more_machines_and_moves_the_crossing_up():
    asked = {"api": "mine=0.5/2", "input": 1000, "output": 250, "today": DAY, "on": "l4", "rate": "10/s"}
    free, bound = (compare("llama-3.1-8b", tpot=limit, **asked) for limit in (None, "60ms"))
    assert likely(bound, "own") > likely(free, "own")
    assert likely(bound, "break_even") > likely(free, "break_even")


def test_ranges_move_the_crossing_and_the_machines_that_a_load_takes():
    asked = {
        "api": "mine=0.5/2",
        "input": 1000,
        "output": 250,
        "today": DAY,
        "on": "l4",
        "rate": "10/s",
        "people": "3k",
    }
    narrow, wide = (compare("llama-3.1-8b", interval=level, **asked) for level in ("50%", "90%"))
    for found in (narrow, wide):
        value = found.answer["break_even"].value
        assert value.low is None or value.low <= value.likely <= value.high
    assert (narrow.coverage, wide.coverage) == (0.5, 0.9)
    assert any("times as many requests as predicted" in note for note in wide.notes)


def test_tables_are_headed_by_the_seller_and_the_first_sentence_names_the_model_there():
    found = compare("llama-3-8b", on="l4", users=10_000, today=DAY)
    assert found.find("api").name == found.find("bills").columns[2].name == found.answer["api"].label == "novita"
    assert "novita/meta-llama/llama-3-8b-instruct" in found.title
    other = compare("llama-3-8b", on="l4", users=10_000, api="openai/gpt-5-mini", today=DAY)
    assert other.find("bills").columns[2].name == "openai/gpt-5-mini"  # another model: its name says which


def test_prices_have_cents():
    found = compare("llama-3-8b", on="l4", users=10_000, api="mine=0.1/3", today=DAY)
    assert [getattr(column, "name", column) for column in found.find("api-prices").columns[2:4]] == ["Input", "Output"]
    assert found.find("api-prices").rows[0][2:4] == (0.1, 3.0)  # what has no price is no column
    assert "$0.10/M" in render(found, "text") and "$3.00/M" in render(found, "text")


@pytest.mark.parametrize(
    "machines", [{"on": "raspberry-pi-5"}, {"on": "m3-max"}, {"on": "rtx-4090", "tier": "owned"}], ids=str
)
def test_machines_without_a_price_are_at_least_their_electricity(machines: dict[str, str]) -> None:
    asked = {"model": "llama-3.1-8b", "users": 10_000, "today": DAY} | machines
    bought = {"price": None} if "tier" not in machines else {}
    found = compare(api="groq", **asked, **bought)
    alone = compare(api="groq", **asked, hardware=1e-9)
    least = likely(found, "own_at_least")
    assert least == pytest.approx(likely(alone, "own")) and least > 1
    rows = {row[0]: row[1:] for row in found.find("bills").rows}
    assert rows["Machines, or tokens"][0] is None
    assert rows["Electricity"] == (pytest.approx(least), 0.0)
    assert "own" not in found.answer and "break_even" not in found.answer
    assert any(hint.startswith("`--hardware") for hint in found.hints)
    dearer = least > likely(found, "api")
    assert found.title.startswith("Buy:") == dearer
    assert any("whatever they cost" in note for note in found.notes) == dearer


def test_people_count_where_machines_have_no_price() -> None:
    asked = {"model": "llama-3.1-8b", "users": 10_000, "on": "m3-max", "api": "groq", "today": DAY}
    assert not compare(**asked).title.startswith("Buy:")
    assert compare(**asked, people="40h/month:$90").title.startswith("Buy:")
    assert not compare(**asked, people="40h/month:$90", lock_in=5000).title.startswith("Buy:")


@pytest.mark.parametrize("on", ["raspberry-pi-5", "l4", "h100-sxm:2"])
def test_a_comparison_says_how_long_own_machines_take_as_their_cost_does(on: str) -> None:
    found = compare("llama-3.1-8b", users=10_000, api="groq", on=on, today=DAY)
    hint = next(hint for hint in found.hints if "`outlay cost serving" in hint)
    flags = shlex.split(hint.split("`")[1])[3:]
    asked = {
        name.removeprefix("--").replace("-", "_"): value for name, value in zip(flags[1::2], flags[2::2], strict=True)
    }
    cost = cost_serving(flags[0], **asked)
    for name in ("ttft", "tpot", "e2e"):
        assert likely(found, name) == pytest.approx(likely(cost, name), rel=1e-3)
    assert "first token of own machines" in render(found, "text").replace("\n", " ")
    assert explain(found, "ttft").text.startswith("first token of own machines")
