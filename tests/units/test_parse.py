"""What users write becomes a base unit, or an error that names the flag, says what was expected and hints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.errors import InputError
from outlay.units import UNITS, format_quantity, parse


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("15T tokens", "tokens", 15 * 10**12),
        ("1T", "tokens", 10**12),
        ("15e12", "tokens", 15 * 10**12),
        ("300B", "tokens", 300 * 10**9),
        ("1.1B", "parameters", 1_100_000_000),
        ("1,000,000", "tokens", 10**6),
        ("1_000", "count", 1000),
        ("7d", "s", 604_800.0),
        ("36 h", "s", 129_600.0),
        ("30m", "s", 1800.0),
        ("250 ms", "s", 0.25),
        ("$50k", "$", 50_000.0),
        ("50k", "$", 50_000.0),
        ("1M", "$", 1e6),
        ("$1,000.50", "$", 1000.5),
        ("2.10", "$/device-h", 2.1),
        ("30%", "%", 0.3),
        ("0.3", "%", 0.3),
        ("80GiB", "B", 80 * 2.0**30),
        ("80GB", "B", 80e9),
        ("80 gb", "B", 80e9),
        ("24G", "B", 24e9),
        ("400 Gb/s", "B/s", 50e9),
        ("400Gbps", "B/s", 50e9),
        ("900 GB/s", "B/s", 900e9),
        ("989 TFLOPS", "FLOP/s", 989e12),
        ("6.3e24", "FLOP", 6.3e24),
        ("55 MWh", "J", 198e9 * 1.0),
        ("1 MJ", "J", 1e6),
        ("700", "W", 700.0),
        ("21 t", "kg CO2e", 21_000.0),
        ("367 g/kWh", "kg CO2e/kWh", 0.367),
        ("2.79M GPU-hours", "device-s", 2.79e6 * 3600),
    ],
)
def test_what_people_write(text: str, unit: str, value: float) -> None:
    assert parse(text, unit, name="--x") == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize("unit", ["tokens", "parameters", "count"])
def test_counts_are_whole(unit: str) -> None:
    assert isinstance(parse("1.5k", unit, name="--x"), int)
    with pytest.raises(InputError, match="whole"):
        parse("1.5", unit, name="--x")


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "-5k",
        "nan",
        "inf",
        "-Infinity",
        "∞",
        "",
        " ",
        "many",
        "k",
        "1e999",
        "1e99999",
        "1e-999",
        "12 apples",
        "15,5",
        "1.2.3",
        "--3",
        "٣",
        "1e",
        "\x1b[31m5",
        "x" * 10_000,
        "1e18000",
    ],
)
@pytest.mark.parametrize("unit", sorted(UNITS))
def test_nothing_else_is_a_number(text: str, unit: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text, unit, name="--flag")
    error = caught.value
    assert "`--flag`" in error.message
    assert "expected" in error.message
    assert error.hint.startswith("write `--flag ")
    assert len(error.screen()) < 400
    assert "\x1b" not in error.screen()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, None, [], -3.0])
def test_numbers_are_held_to_the_same_rule(value: float) -> None:
    with pytest.raises(InputError):
        parse(value, "$", name="--price")


def test_the_hint_can_be_followed() -> None:
    for unit, rule in UNITS.items():
        assert parse(rule.example, unit, name="--x") > 0
    with pytest.raises(InputError, match="unit") as caught:
        parse("7", "s", name="--within")
    assert caught.value.hint == "write `--within 7d`"


def test_a_missing_unit_is_offered_with_the_number() -> None:
    for text, unit, hint in (
        ("7", "s", "7d"),
        ("4", "B stored", "4TB"),
        ("1,500", "J", "1,500MWh"),
        ("3", "kg CO2e", "3kg"),
    ):
        with pytest.raises(InputError) as caught:
            parse(text, unit, name="--x")
        assert caught.value.hint == f"write `--x {hint}`"
        assert parse(hint, unit, name="--x") > 0
    assert parse("0", "B stored", name="--x", zero=True) == 0
    assert parse(4, "B stored", name="--x") == 4  # a number is in the base unit


def test_zero_only_where_it_means_something() -> None:
    assert parse("0%", "%", name="--discount", zero=True) == 0
    with pytest.raises(InputError):
        parse("0%", "%", name="--discount")


def test_a_share_above_one_needs_its_sign() -> None:
    with pytest.raises(InputError) as caught:
        parse("30", "%", name="--discount")
    assert caught.value.hint == "write `--discount 30%`"
    with pytest.raises(InputError):
        parse("130%", "%", name="--discount")


def test_a_milliwatt_is_not_a_megawatt() -> None:
    assert parse("700mW", "W", name="--power") == 0.7
    assert parse("7 kw", "W", name="--power") == 7000


@given(
    st.floats(min_value=1e-3, max_value=1e15), st.sampled_from(["s", "B", "B/s", "J", "W", "kg CO2e", "FLOP", "FLOP/s"])
)
def test_what_is_printed_can_be_read(value: float, unit: str) -> None:
    assert parse(format_quantity(value, unit, digits=6), unit, name="--x") == pytest.approx(value, rel=1e-5)


@given(st.text(max_size=30), st.sampled_from(sorted(UNITS)))
def test_any_text_is_a_number_or_an_input_error(text: str, unit: str) -> None:
    try:
        value = parse(text, unit, name="--x")
    except InputError:
        return
    assert 0 < value < 1e300
