"""A figure in words, once, at the edge: three significant digits, and never zero for what is not zero."""

from __future__ import annotations

import math
import sys
from itertools import pairwise

from outlay.units.scales import UNITS

_STEP_UP = {"s": 120.0, "min": 120.0, "h": 48.0, "days": 731.0}
"""Time is shown on a scale until this many of its unit: 90 s and 36 h say more than 1.5 min and 1.5 days."""
_SCIENTIFIC = 1e18
_ONE = {"tokens": "token", "parameters": "parameter", "devices": "device"}
"""What is counted, when there is one of it."""


def format_quantity(value: float, unit: str, *, digits: int = 3) -> str:
    """`value`, in base `unit`, as people write it; a unit that is not in `UNITS` is put behind the number as it is.

    `digits` are significant ones; whole digits are never dropped (1,234 stays 1,234).

    >>> format_quantity(3.71, "s"), format_quantity(0.012, "s"), format_quantity(5.82 * 86400, "s", digits=2)
    ('3.71 s', '12 ms', '5.8 days')
    >>> format_quantity(39_836_000_000, "B"), format_quantity(95_554.3, "$"), format_quantity(1e12, "tokens")
    ('37.1 GiB', '$95,554', '1 T tokens')
    >>> format_quantity(1.98e11, "J", digits=2), format_quantity(21_200, "kg CO2e", digits=2)
    ('55 MWh', '21 t CO₂e')
    >>> format_quantity(1, "tokens"), format_quantity(1, "devices")
    ('1 token', '1 device')
    """
    if unit.startswith("$"):
        per = unit[1:]
        return format_money(value, cents=bool(per)) + per
    shown = UNITS[unit].shown if unit in UNITS else ((1.0, unit),)
    if not math.isfinite(value) or value == 0:
        label = shown[0][1] if unit not in UNITS else _base_label(unit)
        return _joined(_not_finite(value) if not math.isfinite(value) else "0", label)
    number, label = _scaled(abs(value), shown, digits)
    return _joined(("-" if value < 0 else "") + number, label)


def format_number(value: float, *, digits: int = 3) -> str:
    """A bare number: thousands separated, `digits` significant ones, no trailing zeros.

    >>> format_number(33830.4), format_number(1.1249), format_number(0.00012345), format_number(6.3e24)
    ('33,830', '1.12', '0.000123', '6.3e24')
    """
    if not math.isfinite(value):
        return _not_finite(value)
    if value == 0:
        return "0"
    size = abs(value)
    sign = "-" if value < 0 else ""
    if size >= _SCIENTIFIC or size < 1e-6:
        mantissa, _, exponent = f"{size:.{digits - 1}e}".partition("e")
        return f"{sign}{_trimmed(mantissa)}e{int(exponent)}"
    decimals = max(0, digits - 1 - math.floor(math.log10(size)))
    return sign + _trimmed(f"{size:,.{decimals}f}")


def format_money(value: float, *, cents: bool = False) -> str:
    """Dollars: whole from $100 on, else to the cent; below a cent, two significant digits.

    With `cents`, as unit prices are written: always cents, and below a dollar three significant digits.

    >>> format_money(95554.3), format_money(2.69), format_money(-0.00042)
    ('$95,554', '$2.69', '-$0.00042')
    >>> format_money(23, cents=True), format_money(0.0823, cents=True), format_money(0.1, cents=True)
    ('$23.00', '$0.0823', '$0.10')
    """
    if not math.isfinite(value):
        return f"${_not_finite(value)}"
    size = abs(value)
    sign = "-" if value < 0 else ""
    if size >= _SCIENTIFIC or 0 < size < 0.005:
        return f"{sign}${format_number(size, digits=2 if size < 1 and not cents else 3)}"
    if cents and size < 1:
        number = format_number(size)
        return f"{sign}${size:.2f}" if len(number) < len("0.00") else f"{sign}${number}"
    return f"{sign}${size:,.{0 if size >= 99.995 and not cents else 2}f}"


def _scaled(size: float, shown: tuple[tuple[float, str], ...], digits: int) -> tuple[str, str]:
    """The number and label on the step that fits, after rounding: 999.96 ms is 1 s."""
    for (factor, label), (larger, _) in pairwise(shown):
        limit = _STEP_UP.get(label, larger / factor)
        if size > 2 * limit * factor:
            continue
        ratio = max(size / factor, math.ulp(0.0))
        decimals = max(0, digits - 1 - math.floor(math.log10(ratio)))
        if round(ratio, decimals) < limit * (1.0 - 1e-12):  # a limit is a quotient: 1e-3 / 1e-6
            return format_number(ratio, digits=digits), label
    factor, label = shown[-1]
    return format_number(min(size / factor, sys.float_info.max), digits=digits), label


def _base_label(unit: str) -> str:
    return next((label for factor, label in UNITS[unit].shown if factor >= 1), UNITS[unit].shown[0][1])


def _joined(number: str, label: str) -> str:
    if number.removeprefix("-") == "1":
        label = _ONE.get(label, label)
    return f"{number} {label}" if label else number


def _trimmed(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


def _not_finite(value: float) -> str:
    return "?" if math.isnan(value) else ("∞" if value > 0 else "-∞")
