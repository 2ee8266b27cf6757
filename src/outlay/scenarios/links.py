"""The network that a question states, in a form that has one reading.

Records of runs are free text, and :mod:`outlay.machine.interconnect` makes the best of it. A question can be asked again, so
what cannot be read is refused here, and a rate that does not say whose it is, is each accelerator's: always.
"""

from __future__ import annotations

import re

from outlay.errors import InputError
from outlay.statement import Assumption

RULE = "a rate alone is that of each accelerator; `3200 Gbit/s per node` is shared by those of a node"
EXAMPLE = 'write `--interconnect "400 Gbit/s"` (of each accelerator) or `--interconnect "8x 400 Gbit/s per node"`'
_FASTEST = 20_000.0
"""Gb/s beyond which no network between nodes is: a slip."""
_SCALE = {"k": 1e-6, "m": 1e-3, "g": 1.0, "t": 1e3}
_RATE = re.compile(
    r"(?<![0-9.,_])(?P<number>(?:(?:(?<!\w)|(?<=[0-9][x×]))[+-]\s*)?[0-9][0-9,._]*(?:[eE][+-]?[0-9]+)?)\s*-?\s*"
    r"(?P<unit>(?P<scale>[kKmMgGtT])(?:i?ga|ega|era)?\s?(?P<what>[bB](?:its?|ytes?)?|BITS?|BYTES?)"
    r"(?P<time>\s*/\s*s(?:ec(?:ond)?)?|\s*ps|PS|[eE])?|(?P<lone>[gG]))(?![A-Za-z0-9])"
)
_NUMBER = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_FAST_LINK = re.compile(r"nvlink|nvswitch|xgmi|infinity fabric|\bici\b|pcie|neuronlink", re.IGNORECASE)
_WHOSE = re.compile(r"(?:/|per[\s-]+)\s*(?:gpu|device|accelerator|chip|node)|node|[0-9]\s*[x×]", re.IGNORECASE)
_MANY = re.compile(r"(?<![0-9A-Za-z])(?P<count>[+-]?[0-9][0-9.,_eE+]*)\s*[x×](?![A-Za-z])")


def plain_links(text: str) -> tuple[str, tuple[Assumption, ...]]:
    """The words with every rate of the network in Gb/s and with whose it is; and what was taken for granted.

    >>> plain_links("50 GB/s")[0], plain_links("1,600 Gbit/s per node")[0]
    ('400Gb/s per device', '1600Gb/s per node')

    :raises InputError: for a number that is none, is negative, or that no network reaches.
    """
    words = text.strip().replace("\N{MINUS SIGN}", "-").replace("\N{NO-BREAK SPACE}", " ")
    said: list[Assumption] = []
    for found in _MANY.finditer(words):
        if not re.fullmatch(r"[1-9][0-9]{0,5}", found["count"]):
            raise _refused(text, f"a positive whole number before the `x`, and `{found['count']}` is not")

    def plain(found: re.Match[str]) -> str:
        clause = _clause(words, found.start(), found.end())
        rate = _gigabits(found, text)
        if _FAST_LINK.search(clause):
            return found[0]
        if rate > _FASTEST:
            raise _refused(text, f"a rate that networks reach, up to {_FASTEST:,.0f} Gbit/s")
        shown = f"{rate:.9f}".rstrip("0").rstrip(".")
        if _in_bytes(found):
            why = f"{found[0].strip()} are bytes, of 8 bits each"
            said.append(Assumption("cluster", value=f"{rate:,.6g} Gb/s between nodes", why=why))
        if _WHOSE.search(clause):
            return f"{shown}Gb/s"
        said.append(Assumption("cluster", value=f"{rate:,.6g} Gb/s a device between nodes", why=RULE))
        return f"{shown}Gb/s per device"

    return _RATE.sub(plain, words), tuple(said)


def _gigabits(found: re.Match[str], text: str) -> float:
    number = found["number"].replace(" ", "")
    if number.startswith("-"):
        raise _refused(text, "a rate above 0, and this one is negative")
    number = number.removeprefix("+").rstrip(",.")
    if not _NUMBER.fullmatch(number):
        raise _refused(text, f"a number with a point for decimals and commas for thousands, and `{number}` is none")
    rate = float(number.replace(",", "")) * _SCALE[(found["scale"] or "g").lower()] * (8 if _in_bytes(found) else 1)
    if not rate:
        raise _refused(text, "a rate above 0")
    return rate


def _in_bytes(found: re.Match[str]) -> bool:
    """`GB/s` are bytes; `GBE` is Ethernet, which counts bits, as `gb/s` and `Gbit/s` do."""
    what, time = found["what"] or "", (found["time"] or "").lower()
    return time != "e" and (what == "B" or "yte" in what.lower())


def _clause(words: str, start: int, end: int) -> str:
    """The words between the separators around a rate; the commas of a number separate nothing."""
    before = re.split(r"[;|]|,(?![0-9]{3})", words[:start])[-1]
    return before + words[start:end] + re.split(r"[;|]|,(?![0-9]{3})", words[end:])[0]


def _refused(text: str, expected: str) -> InputError:
    return InputError(f"`--interconnect {text[:60]}` cannot be read", expected=expected, hint=EXAMPLE)
