"""Figures in words: three significant digits, on the step that people use, and never zero for what is not."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.units import UNITS, format_money, format_number, format_quantity


@pytest.mark.parametrize(
    ("value", "unit", "digits", "words"),
    [
        (5.82 * 86_400, "s", 2, "5.8 days"),
        (37.1 * 2**30, "B", 3, "37.1 GiB"),
        (81_559 * 2**20, "B", 3, "79.6 GiB"),
        (80e9, "B stored", 3, "80 GB"),
        (95_554, "$", 3, "$95,554"),
        (2.69, "$/GPU-h", 3, "$2.69/GPU-h"),
        (55e6 * 3600, "J", 2, "55 MWh"),
        (21_000, "kg CO2e", 2, "21 t CO₂e"),
        (1e12, "tokens", 3, "1 T tokens"),
        (2048, "tokens", 3, "2,048 tokens"),
        (3.71, "s", 3, "3.71 s"),
        (0.012, "s", 3, "12 ms"),
        (90, "s", 3, "90 s"),
        (36 * 3600, "s", 3, "36 h"),
        (0.99996, "s", 3, "1 s"),
        (999_999.9, "tokens", 3, "1 M tokens"),
        (-180_000, "s", 3, "-2.08 days"),
        (989e12, "FLOP/s", 3, "989 TFLOP/s"),
        (0.3, "%", 3, "30 %"),
        (33_830.2, "GPU-h", 3, "33,830 GPU-h"),
        (0, "s", 3, "0 s"),
        (math.inf, "s", 3, "∞ s"),
        (-math.inf, "$", 3, "$-∞"),
        (math.nan, "B", 3, "? B"),
    ],
)
def test_by_example(value: float, unit: str, digits: int, words: str) -> None:
    assert format_quantity(value, unit, digits=digits) == words


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([*sorted(UNITS), "$/kWh", "TB·month"]))
def test_nothing_rounds_to_zero(value: float, unit: str) -> None:
    words = format_quantity(value, unit)
    assert bool(re.search("[1-9]", words.split("e")[0] if unit in ("", "count") else words)) or value == 0
    assert ("-" in words.split("e")[0].split(" ")[0]) == (value < 0)


@given(st.floats(min_value=1e-9, max_value=1e17))
def test_three_digits_are_right(value: float) -> None:
    assert float(format_number(value).replace(",", "")) == pytest.approx(value, rel=5.01e-3)


@given(st.floats(min_value=0.005, max_value=1e12))
def test_money_is_right_to_the_cent_or_the_dollar(value: float) -> None:
    assert abs(float(format_money(value).strip("$").replace(",", "")) - value) <= (0.5 if value > 99 else 0.00501)


def test_larger_is_never_shown_smaller() -> None:
    steps = [10.0 ** (power / 3) for power in range(-30, 60)]
    for unit in ("s", "B", "J"):
        shown = [format_quantity(step, unit) for step in steps]
        assert len(set(shown)) == len(shown)


def test_a_share_of_the_largest_number_stays_one():
    assert format_quantity(1.8e306, "%") == "1.8e308 %"
