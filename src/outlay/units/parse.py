"""What a user writes, as a number in its base unit; or an error that says what was expected."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from decimal import Decimal

from outlay.errors import InputError
from outlay.units.scales import UNITS, Unit

_NUMBER = re.compile(
    r"([+-]?)((?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9](?:_?[0-9])*)?(?:\.[0-9]+|\.)?(?:[eE][+-]?[0-9]{1,4})?)(.*)", re.S
)
_NOT_FINITE = {"nan", "inf", "infinity", "+inf", "-inf", "+infinity", "-infinity", "∞"}
_LARGEST, _LARGEST_COUNT = 30, 18
"""Digits that a figure may have before the point: more is a slip, and past 18 a count would leave 64 bits."""


def parse(text: str | float, unit: str, *, name: str, zero: bool = False, example: str = "") -> float:
    """The figure that `text` means, in base `unit` (a key of `UNITS`, or `$/…`); an `int` where the unit is counted.

    A number that is not text is taken in the base unit. `name` is the flag or key that errors name; `zero` allows 0; `example` is
    what hints offer, where the unit's own does not suit the name.

    >>> parse("15T tokens", "tokens", name="--tokens")
    15000000000000
    >>> parse("36h", "s", name="--within"), parse("400 Gb/s", "B/s", name="--interconnect")
    (129600.0, 50000000000.0)
    >>> parse("80GiB", "B", name="--memory"), parse("80GB", "B", name="--memory")
    (85899345920.0, 80000000000.0)

    :raises InputError: for text that is no such figure, that is not finite, negative, zero (unless allowed), or
        fractional where only whole numbers have a meaning.
    """
    rule = UNITS["$"] if unit.startswith("$") else UNITS[unit]
    example = example or ("2.10" if unit.startswith("$/") else rule.example)
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise _refused(name, repr(text), rule.what, example)
    shown = _short(str(text))
    if zero and "positive" in rule.what:
        rule = replace(rule, what=rule.what.replace("positive ", "") + ", 0 or more")
    value = _exact(text, rule, name, shown, example, money=unit.startswith("$"))
    if value < 0:
        raise _refused(name, shown, f"{rule.what}, and this one is negative", example)
    if value == 0 and not zero:
        raise _refused(name, shown, f"{rule.what} above 0" if "positive" not in rule.what else rule.what, example)
    if value.adjusted() >= (largest := _LARGEST_COUNT if rule.whole else _LARGEST):
        raise _refused(name, shown, f"{rule.what} below 1e{largest}", example)
    if unit == "%" and value > 1:
        raise _refused(name, shown, rule.what, f"{shown}%" if value < 100 and "%" not in shown else example)
    if rule.whole:
        if value != value.to_integral_value():
            raise _refused(name, shown, rule.what, str(max(1, round(value))))
        return int(value)
    number = float(value)
    if number == 0 and value != 0:
        raise _refused(name, shown, f"{rule.what} that is not this small", example)
    return number


def _exact(text: str | float, rule: Unit, name: str, shown: str, example: str, *, money: bool) -> Decimal:
    """The value as an exact decimal, so that 1.1B is whole and 1.5 tokens is not."""
    if not isinstance(text, str):
        if not math.isfinite(text):
            raise _refused(name, shown, f"{rule.what}, and a finite one", example)
        return Decimal(repr(text)) if isinstance(text, float) else Decimal(int(text))
    words = text.strip().replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")
    if not words:
        raise InputError(f"`{name}` is empty", expected=rule.what, hint=f"write `{name} {_quoted(example)}`")
    if words.lower() in _NOT_FINITE:
        raise _refused(name, shown, f"{rule.what}, and a finite one", example)
    if money:
        words = re.sub(r"^([+-]?)\s*\$\s*", r"\1", words)
    match = _NUMBER.fullmatch(words)
    assert match is not None  # every group may be empty
    sign, digits, tail = match.groups()
    if not re.match("[.,_]*[0-9]", digits):  # `E5` is no number
        raise _refused(name, shown, rule.what, example)
    if tail[:1] == "," and re.fullmatch(r",[0-9]+.*", tail):
        raise _refused(name, shown, f"{rule.what}, with a point for decimals and commas for thousands", example)
    number = Decimal(sign + digits.replace(",", "").replace("_", ""))
    factor = _factor(tail.strip(), rule)
    if factor is None and not tail.strip():
        if number < 0:
            raise _refused(name, shown, f"{rule.what}, and this one is negative", example)
        if number == 0:  # nothing is nothing in any unit
            return number
        raise _refused(name, shown, rule.what, f"{words}{example.lstrip('0123456789.')}")
    if factor is None:
        raise _refused(name, shown, rule.what, example)
    return number * factor


def _factor(word: str, rule: Unit) -> Decimal | None:
    if not word:
        return Decimal(1) if rule.bare else None
    found = rule.spelling(word)
    if found is None:
        return None
    scale, _, times = found.partition("*")
    return Decimal(scale) * Decimal(times or 1)


def _refused(name: str, shown: str, expected: str, example: str) -> InputError:
    return InputError(f"`{name}` is {shown}", expected=expected, hint=f"write `{name} {_quoted(example)}`")


def _quoted(example: str) -> str:
    """The example as a shell takes it: `$50k` unquoted would lose its dollars."""
    return f"'{example}'" if "$" in example or " " in example else example


def _short(text: str) -> str:
    """What the user wrote, on one line and not past 40 characters."""
    line = "".join(char if char.isprintable() else "�" for char in text)
    return line if len(line) <= 40 else f"{line[:39]}…"
