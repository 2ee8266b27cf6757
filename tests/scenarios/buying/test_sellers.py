"""Own machines are those of a plan with the same limits, and each seller's crossing is where its own bill meets the API's."""

from __future__ import annotations

import datetime

import pytest

from outlay.errors import DoesNotFit
from outlay.scenarios.buying.bills import DAYS
from outlay.scenarios.buying.compare import compare
from outlay.scenarios.serving_plan.plan import plan_serving

DAY = datetime.date(2026, 11, 26)
ASKED = [
    {"model": "llama-3-8b", "on": "l4", "users": 10_000},
    {"model": "llama-3-8b", "on": "l4", "rate": "2/s"},
    {"model": "llama-3-8b", "on": "l4", "rate": "20/s"},
    {"model": "llama-3-8b", "on": "l4", "rate": "20/s", "provider": "gcp"},
    {"model": "llama-3-8b", "on": "a10g-24gb", "rate": "5/s"},
    {"model": "llama-3-8b", "on": "l40s", "rate": "30/s", "tier": "spot", "discount": "20%"},
    {"model": "llama-3-8b", "on": "h100-sxm", "rate": "200/s", "tpot": "30ms"},
    {"model": "llama-3-70b", "on": "h100-sxm", "rate": "5/s"},
    {"model": "llama-3-70b", "on": "a100-sxm-80gb", "rate": "3/s", "ttft": "2s", "quant": "w4a16"},
    {"model": "qwen3-32b", "on": "l4", "rate": "1/s"},
    {"model": "llama-3-70b", "rate": "5/s", "ttft": "1s", "tpot": "50ms"},
    {"model": "deepseek-v3", "rate": "5/s"},
]
SOLD = [
    {"model": "llama-3.1-8b", "on": "l4", "rate": "2/s", "api": "groq"},
    {"model": "llama-3-8b", "on": "l4", "users": 10_000, "api": "mine=0.20/0.30"},
    {"model": "llama-3-8b", "on": "l4", "users": 10_000, "api": "mine=0.9/0.9", "discount": "30%", "people": "200"},
    {"model": "llama-3-70b", "on": "h100-sxm", "rate": "2/s", "api": "mine=0.6/0.9"},
    {"model": "llama-3-8b", "on": "l4:4", "rate": "1/s", "api": "mine=0.9/0.9"},
]


def likely(found, key):
    return found.answer[key].value.likely


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_own_machines_are_those_of_a_plan(asked):
    found = compare(**asked, api="mine=0.2/0.2", today=DAY)
    plan = plan_serving(**asked, today=DAY)
    assert likely(found, "own") == pytest.approx(plan.total.amount.likely, rel=1e-6)
    provider = next(line for line in plan.title.rpartition("(")[2].split(","))
    hint = found.hints[-1]
    assert f"--provider {provider}" in hint


def test_four_groups_of_one_are_taken_where_they_cost_less_than_what_links_more():
    """Linked L4s are eight times as dear as single ones."""
    found = compare("llama-3-8b", on="l4", rate="2/s", today=DAY)
    linked = compare("llama-3-8b", on="l4", rate="2/s", provider="gcp", today=DAY)
    assert likely(linked, "own") > 5 * likely(found, "own")
    with pytest.raises(DoesNotFit, match="that are linked, and vast-ai links 1"):
        compare("llama-3-70b", on="l4", rate="2/s", provider="vast-ai", api="groq", today=DAY)


@pytest.mark.parametrize("asked", SOLD, ids=str)
def test_a_seller_that_is_typed_prints_the_crossing_and_the_month_of_its_row(asked):
    rows = compare(**asked, today=DAY).find("sellers").rows
    assert len(rows) >= 3
    for provider, tier, price, devices, month, crossing in rows:
        there = compare(**asked, provider=provider, tier=tier, today=DAY)
        assert likely(there, "own") == pytest.approx(month)
        assert month == pytest.approx(devices * price * 730 + (200 if "people" in asked else 0))
        if crossing == "never":
            assert "break_even" not in there.answer
        else:
            assert likely(there, "break_even") == pytest.approx(crossing)


@pytest.mark.parametrize("asked", SOLD, ids=str)
def test_at_a_seller_s_crossing_its_bill_is_the_api_s(asked):
    """By the bills of loads beside it: with a little less the API is cheaper, with a little more machines are."""
    plain = {name: value for name, value in asked.items() if name not in ("rate", "users")}
    if "users" in asked:
        plain |= {"input": 1155, "output": 211, "peak": 2.4}
    crossed = [row for row in compare(**plain, rate="1/s", today=DAY).find("sellers").rows if row[-1] != "never"]
    assert crossed
    for provider, tier, *_, crossing in crossed:
        titles, ratios = [], []
        for share in (0.998, 1.002):
            there = compare(**plain, provider=provider, tier=tier, rate=f"{share * crossing:.2f}/day", today=DAY)
            titles.append(there.title.partition(":")[0])
            ratios.append(likely(there, "own") / likely(there, "api"))
        assert titles == ["Buy", "Build"]
        assert ratios[1] <= 1.0 < ratios[0] and ratios[0] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("asked", SOLD, ids=str)
def test_the_verdict_is_on_the_side_of_the_crossings_that_it_names(asked):
    """Below the first crossing buying is cheaper, past the lasting one building is, at loads from a tenth to a hundredfold."""
    plain = {name: value for name, value in asked.items() if name not in ("rate", "users")}
    if str(asked["on"]).partition(":")[2]:
        return  # those that are counted carry no more than they carry
    first = compare(**plain, rate="1/s", today=DAY)
    start = likely(first, "break_even") if "break_even" in first.answer else None
    for factor in (0.1, 0.7, 0.99, 1.5, 3.3, 20.0, 100.0):
        found = compare(**plain, rate=f"{factor * (start or 50_000):.2f}/day", today=DAY)
        load = factor * (start or 50_000)
        building = found.title.startswith("Build")
        if start is None or load < start:
            assert not building
        elif load >= (likely(found, "lasting") if "lasting" in found.answer else start):
            assert building


def test_one_single_card_against_its_tokens_by_hand():
    """$0.13 an hour is $94.90 a month; groq asks that for so many requests of 1,155 and 211 tokens."""
    found = compare("llama-3.1-8b", on="l4", rate="2/s", api="groq", today=DAY)
    sold = {(row[0], row[1]): row for row in found.find("sellers").rows}
    price, crossing = sold["vast-ai", "on-demand"][2], sold["vast-ai", "on-demand"][-1]
    each = (1155 * 0.05 + 211 * 0.08) / 1e6
    assert crossing == pytest.approx(price * 730 / each / DAYS, rel=1e-3)
    there = [row[-1] for (_, tier), row in sold.items() if tier == "on-demand" and row[-1] != "never"]
    assert likely(found, "break_even") == pytest.approx(min(there))
