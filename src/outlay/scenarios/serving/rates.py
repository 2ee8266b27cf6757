"""Requests a second as people say them."""

from __future__ import annotations

import re

from outlay import units
from outlay.errors import InputError
from outlay.units import format_number

MOST_RATE = 1e7
"""Requests a second beyond which a number is a slip: all of ChatGPT had some 30,000 messages a second in July 2025."""
LEAST_RATE = 1e-9
"""Requests a second below which a number is a slip."""
_PERIODS = {
    **dict.fromkeys(("s", "sec", "second"), 1.0),
    **dict.fromkeys(("m", "min", "minute"), 60.0),
    **dict.fromkeys(("h", "hr", "hour"), 3600.0),
    **dict.fromkeys(("d", "day"), 86_400.0),
}
_RATE = re.compile(r"(?P<number>.*?)\s*(?:requests?|req|r)?\s*(?:/|per|a(?=\s))\s*(?P<period>[a-z]+)", re.I)


def read_rate(text: str | float | None) -> float:
    """Requests a second of `5/s`, `300/min`, `20k/h`, `1M/day`; a number is one of a second.

    >>> read_rate("5/s"), read_rate("300 requests/min"), read_rate("86400 a day"), read_rate(0.5)
    (5.0, 5.0, 1.0, 0.5)
    """
    expected, hint = "requests with their time (5/s, 300/min, 20k/h, 1M/day)", "write `--rate 5/s`"
    if isinstance(text, int | float) and not isinstance(text, bool):
        found = units.parse(float(text), "", name="--rate", example="5/s")
    else:
        words = str(text).strip()
        match = _RATE.fullmatch(words)
        period = _PERIODS.get(match["period"].lower()) if match else None
        if match is None or period is None:
            shown = words[:40] or "empty"
            raise InputError(f"`--rate` is {shown}", expected=expected, hint=hint)
        found = _scaled(match["number"], words) / period
    if found > MOST_RATE:
        raise InputError(f"`--rate` is {text}", expected=f"at most {MOST_RATE:,.0f} a second", hint=hint)
    if found < LEAST_RATE:
        raise InputError(f"`--rate` is {text}", expected="a request in thirty years at least", hint=hint)
    return found


def rate_words(rate: float, *, beside: float | None = None) -> str:
    """A rate as people say it: a second, or a minute, an hour, a day where it is below one; in the unit of one `beside` it,
    and told apart from that.

    >>> rate_words(5), rate_words(0.02), rate_words(1 / 3600)
    ('5 requests/s', '1.2 requests/min', '1 request/h')
    >>> rate_words(0.965, beside=1.02)
    '0.965 requests/s'
    >>> rate_words(17.96, beside=18.0)
    '17.96 requests/s'
    """
    size = rate if beside is None else beside
    for seconds, word in ((1.0, "s"), (60.0, "min"), (3600.0, "h"), (86_400.0, "day")):
        if size * seconds >= 0.995 or word == "day":
            number, other = format_number(rate * seconds), format_number(size * seconds)
            if number == other and rate != size:
                number = format_number(rate * seconds, digits=4)
            return f"{number} request{'' if number == '1' else 's'}/{word}"
    raise AssertionError


def _scaled(number: str, whole: str) -> float:
    """A number with k, M …; the scale of tokens without its whole numbers."""
    match = re.fullmatch(
        r"([+-]?[0-9][0-9,._]*(?:e[+-]?[0-9]+)?)\s*(k|m|mn|million|b|bn|billion|thousand)?", number, re.I
    )
    if match is None:
        raise InputError(
            f"`--rate` is {whole[:40]}", expected="a positive number before the `/`", hint="write `--rate 5/s`"
        )
    scale = {"k": 1e3, "t": 1e3, "m": 1e6, "b": 1e9}[(match[2] or "k")[0].lower()] if match[2] else 1.0
    try:
        value = float(match[1].replace(",", "").replace("_", "")) * scale
    except ValueError:
        value = 0.0
    if value >= 1e30:
        raise InputError(
            f"`--rate` is {whole[:40]}", expected=f"at most {MOST_RATE:,.0f} a second", hint="write `--rate 5/s`"
        )
    if not value > 0:
        raise InputError(f"`--rate` is {whole[:40]}", expected="a positive rate", hint="write `--rate 5/s`")
    return value
