"""The bill of an API, and where it crosses the steps of machines, held against a search load by load."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from outlay.economics.api import Tariff, break_even, machines
from outlay.errors import InputError

PRICES = Tariff(input=1.0, output=4.0, cached=0.1, batch_input=0.5, batch_output=2.0)


def dollars(tariff: Tariff, *words: float, **shares: float) -> float:
    return math.fsum(tariff.request(*words, **shares).values())


def test_a_bill_by_hand():
    # 1,000 in and 500 out: 1,000 × $1 + 500 × $4 a million
    assert dollars(PRICES, 1000, 500) == pytest.approx(0.003)
    # 40 % cached: 600 × $1 + 400 × $0.10 + 500 × $4
    assert dollars(PRICES, 1000, 500, cached=0.4) == pytest.approx(0.00264)
    # a fifth in batches at half: 0.8 × 0.003 + 0.2 × 0.0015
    assert dollars(PRICES, 1000, 500, batch=0.2) == pytest.approx(0.0027)


def test_what_a_seller_does_not_price_apart_is_not_cheaper():
    plain = Tariff(input=1.0, output=4.0)
    assert dollars(plain, 1000, 500, cached=0.9, batch=0.9) == pytest.approx(dollars(plain, 1000, 500))


def test_batch_and_cache_together_cost_the_lower_of_the_two():
    assert dollars(PRICES, 1000, 0, cached=1.0, batch=1.0) == pytest.approx(1000 * 0.1 / 1e6)
    both = Tariff(input=1.0, output=4.0, cached=0.1, batch_input=0.5, batch_output=2.0, batch_cached=0.05)
    assert dollars(both, 1000, 0, cached=1.0, batch=1.0) == pytest.approx(1000 * 0.05 / 1e6)


@given(st.floats(0, 1e5), st.floats(0, 1e5), st.floats(0, 1), st.floats(0, 1))
def test_more_tokens_never_cost_less_and_discounts_never_more(tokens, more, cached, batch):
    less = dollars(PRICES, tokens, tokens, cached=cached, batch=batch)
    assert dollars(PRICES, tokens + more, tokens, cached=cached, batch=batch) >= less * (1 - 1e-12)
    assert dollars(PRICES, tokens, tokens + more, cached=cached, batch=batch) >= less * (1 - 1e-12)
    assert less <= dollars(PRICES, tokens, tokens) * (1 + 1e-12)


@pytest.mark.parametrize("shares", [{"cached": 1.1}, {"batch": -0.1}])
def test_a_share_that_is_none_is_refused(shares):
    with pytest.raises(InputError):
        PRICES.request(1, 1, **shares)


def own(load: float, step: float, capacity: float, fixed: float, least: int) -> float:
    return fixed + step * machines(load, capacity, least=least)


@settings(max_examples=300)
@given(
    step=st.floats(1, 1e4),
    capacity=st.floats(1, 1e4),
    each=st.floats(0.01, 10),
    fixed=st.floats(-1e3, 1e5),
    least=st.integers(1, 5),
)
def test_the_crossing_is_where_a_search_finds_it(step, capacity, each, fixed, least):
    assume(abs(each * capacity - step) > 1e-6 * step)  # else rounding decides
    found = break_even(step, capacity, each, fixed=fixed, least=least)
    first, lasting = float(found.first), float(found.lasting)
    assert first <= lasting
    near = max(abs(fixed), step, 1.0) * 1e-6
    if math.isinf(first):  # the ends of steps are where machines do best
        for count in (least, least + 1, least + 10, 1000 + least):
            assert own(count * capacity, step, capacity, fixed, least) >= each * count * capacity - near
        return
    # At the crossing, or as soon as the machine is there that makes it.
    there = min(own(load, step, capacity, fixed, least) for load in (first, first * (1 + 1e-9) + 1e-9))
    assert there <= each * first + near + 1e-6 * each * first
    for share in np.linspace(0.0, 0.999, 40) if first else ():  # nothing is below a load of nothing
        assert own(share * first, step, capacity, fixed, least) >= each * share * first - near
    if math.isfinite(lasting):
        for factor in (1.0001, 1.1, 1.37, 2, 5.3, 100):
            load = lasting * factor + 1e-6
            assert own(load, step, capacity, fixed, least) <= each * load + near + 1e-4 * each * load


def test_machines_that_cost_more_than_their_answers_never_pay():
    assert math.isinf(float(break_even(1000, 1000, 0.99).first))
    assert float(break_even(1000, 1000, 1.0).first) == 1000  # just as dear when full
    assert math.isinf(float(break_even(1000, 1000, 1.0).lasting))


def test_people_move_the_crossing_up_and_arrays_broadcast():
    found = break_even(1000.0, 1e6, np.array([0.002, 0.004]), fixed=np.array([[0.0], [5000.0]]))
    assert found.first.shape == (2, 2)
    assert (found.first[1] > found.first[0]).all() and (found.first[:, 1] < found.first[:, 0]).all()
