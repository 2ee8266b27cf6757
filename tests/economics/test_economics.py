"""Closed forms of money, energy and carbon; arrays give what one call at a time gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay import economics as eco
from outlay.errors import InputError

_size = st.floats(min_value=0, max_value=1e15)
_share = st.floats(min_value=0.01, max_value=1.0)
YEAR = 8760 * 3600.0


@given(_size, st.floats(min_value=0, max_value=1000), st.floats(min_value=0, max_value=1))
def test_cost_is_linear_and_a_discount_is_a_share(seconds: float, price: float, discount: float) -> None:
    full = eco.cost(seconds, price)
    assert eco.cost(2 * seconds, price) == pytest.approx(2 * full)
    assert full - eco.cost(seconds, price, discount) == pytest.approx(full * discount, abs=1e-12 * max(1.0, full))


@given(_size, _share)
def test_losses_give_back_the_useful_time(seconds: float, goodput: float) -> None:
    rented = eco.with_losses(seconds, goodput)
    assert rented >= seconds
    assert rented * goodput == pytest.approx(seconds)


@given(_size, st.floats(min_value=1, max_value=3), st.floats(min_value=0, max_value=2))
def test_energy_and_carbon_follow_the_facility(joules: float, pue: float, intensity: float) -> None:
    kwh = eco.energy(joules, pue)
    assert kwh == pytest.approx(joules / 3.6e6 * pue)
    assert eco.carbon(kwh, intensity) == pytest.approx(kwh * intensity)
    assert eco.electricity_cost(kwh, 0.1) == pytest.approx(kwh / 10)


def test_published_totals() -> None:
    """GPT-3 (Patterson 2021, table 4): 1,287 MWh and 552 t; its inputs are rounded there to three digits."""
    kwh = eco.energy(10_000 * 330 * 14.8 * 86_400, pue=1.1)
    assert kwh == pytest.approx(1_287_000, rel=0.005)
    assert eco.carbon(kwh, 0.429) == pytest.approx(552_100, rel=0.005)


@given(_share, st.floats(min_value=1, max_value=1e5))
def test_a_whole_life_wears_out_a_whole_device(use: float, kilograms: float) -> None:
    assert eco.embodied_carbon(4 * YEAR * use, kilograms, 4 * YEAR, use) == pytest.approx(kilograms)


@given(st.floats(min_value=0, max_value=1e6), _share)
def test_an_owned_device_is_paid_once_by_its_hours(purchase: float, use: float) -> None:
    hourly = eco.owned_price(purchase, lifetime_seconds=5 * YEAR, use=use)
    assert eco.cost(5 * YEAR * use, hourly) == pytest.approx(purchase)


def test_owned_devices_pay_their_electricity() -> None:
    idle = eco.owned_price(1000, lifetime_seconds=YEAR)
    assert eco.owned_price(
        1000, lifetime_seconds=YEAR, watts=2000, dollars_per_kwh=0.1, pue=1.5
    ) - idle == pytest.approx(0.3)
    assert eco.owned_price(1000, lifetime_seconds=YEAR, upkeep=0.5) == pytest.approx(1.5 * idle)


def test_storage_and_transfer() -> None:
    assert eco.storage_cost(1e12, eco.HOURS_PER_MONTH * 3600, 23.0) == pytest.approx(23.0)
    assert eco.terabyte_months(0, YEAR) == 0
    assert eco.transfer_cost(1e9, 0.09) == pytest.approx(0.09)


def test_arrays_equal_single_calls() -> None:
    seconds, price = np.array([0.0, 3600.0, 1e9])[:, None], np.array([0.5, 2.1, 98.0])
    table = eco.cost(seconds, price, 0.1)
    assert isinstance(table, np.ndarray)
    assert table.shape == (3, 3)
    for row, one in enumerate(seconds[:, 0]):
        for column, other in enumerate(price):
            assert table[row, column] == eco.cost(float(one), float(other), 0.1)
    low, likely, high = eco.embodied_carbon(1e9, np.array([164.0, 300.0, 575.0]), 4 * YEAR)  # type: ignore[misc]
    assert low < likely < high


@pytest.mark.parametrize(
    "call",
    [
        lambda: eco.cost(-1.0, 2.0),
        lambda: eco.cost(1.0, float("nan")),
        lambda: eco.cost(1.0, 1.0, 30),
        lambda: eco.cost(np.array([1.0, np.inf]), 1.0),
        lambda: eco.with_losses(1.0, 0.0),
        lambda: eco.with_losses(1.0, 1.1),
        lambda: eco.energy(1.0, pue=0.9),
        lambda: eco.carbon(-1.0, 0.4),
        lambda: eco.embodied_carbon(1.0, 100.0, 0.0),
        lambda: eco.embodied_carbon(1.0, 100.0, YEAR, use=0),
        lambda: eco.owned_price(1.0, lifetime_seconds=0.0),
        lambda: eco.owned_price(1.0, lifetime_seconds=YEAR, pue=np.array([1.2, 0.5])),
        lambda: eco.storage_cost(-1.0, 1.0, 23.0),
        lambda: eco.transfer_cost(1.0, -0.1),
        lambda: eco.electricity_cost(1.0, -0.1),
    ],
)
def test_figures_outside_the_formula_are_refused(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError) as caught:
        call()
    assert "expected a finite number" in caught.value.message
    assert caught.value.hint
