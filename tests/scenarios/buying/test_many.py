"""Break-even is where the bills are equal, whatever load was asked about, at the cheapest seller of whatever crosses first."""

from __future__ import annotations

import pytest

from outlay.scenarios.buying.bills import DAYS
from outlay.scenarios.buying.compare import compare

LOAD = {"input": 1024, "output": 256}
ASKED = [
    {"model": "llama-3-70b", "on": "h100-sxm"},
    {"model": "llama-3-70b", "tier": "spot"},
    {"model": "llama-3-70b", "ttft": "500ms", "tpot": "50ms"},
    {"model": "llama-3.1-8b", "api": "mine=0.30/0.60", "on": "l4"},
    {"model": "llama-3.1-8b", "api": "mine=0.30/0.60", "on": "l40s", "people": "3k"},
]


def likely(found, key):
    return found.answer[key].value.likely


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_crossing_hangs_on_no_load(asked):
    found = [compare(**LOAD, **asked, rate=f"{rate}/day") for rate in (200, 50_000, 2_000_000)]
    assert "break_even" in found[0].answer
    crossings = [likely(each, "break_even") for each in found]
    assert crossings == pytest.approx([crossings[0]] * 3, rel=1e-9)


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_it_is_where_the_bills_are_equal(asked):
    """With a little more machines are cheaper, with a little less the API is: of any load below, too."""
    day = likely(compare(**LOAD, **asked, rate="1/s"), "break_even")
    bills = {}
    for share in (0.1, 0.5, 0.998, 1.002):
        found = compare(**LOAD, **asked, rate=f"{share * day:.0f}/day")
        bills[share] = likely(found, "own") / likely(found, "api")
    assert bills[1.002] <= 1.0 < bills[0.998]
    assert min(bills[0.1], bills[0.5]) > 1.0


def test_machines_are_those_of_the_cheapest_seller_that_links_them():
    found = compare("llama-3-70b", **LOAD, rate=2, on="h100-sxm", api="groq")
    sold = {row[0]: row[2] for row in found.find("sellers").rows if row[1] == "on-demand"}
    seller = next(line for line in found.notes if line.startswith("Own machines are those of"))
    assert min(sold, key=sold.get) in seller
    assert likely(found, "own") < likely(
        compare("llama-3-70b", **LOAD, rate=2, on="h100-sxm", api="groq", provider="lambda"), "own"
    )


def test_machines_that_are_counted_stay():
    """Two are kept however little there is to do: they cross later than one that is taken when it is needed."""
    asked = {"model": "llama-3.1-8b", "api": "mine=0.30/0.60", "price": 1}
    two, one = (likely(compare(**LOAD, **asked, rate="1/s", on=on), "break_even") for on in ("l4:2", "l4"))
    assert two == pytest.approx(2 * 730 / (1024 * 0.3e-6 + 256 * 0.6e-6) / DAYS)
    assert one == pytest.approx(two / 2)
