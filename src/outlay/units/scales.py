"""The units that outlay reads and writes: how each may be written, and on which steps it is shown.

A letter means what its unit says: `B` is a billion of tokens and a byte of memory, `m` is a minute of time, `M` is a
million.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

_PREFIX = {"k": 3, "K": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "Z": 21, "Y": 24}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """How one unit is read and shown.

    `written` gives what may follow a number, with its factor as exact decimal text (made on use: start-up is precious);
    `shown` lists (factor, label) from small to large; `example` is what a hint offers.
    """

    written: Callable[[], dict[str, str]]
    shown: tuple[tuple[float, str], ...]
    example: str
    what: str
    whole: bool = False
    bare: bool = True
    """A number without a unit is understood."""

    def spelling(self, word: str) -> str | None:
        """The factor of what follows a number, or None; upper and lower case count only where they tell two apart.

        `mW` is never taken for `MW`, nor the `e` of a broken exponent for exa.
        """
        table = self.written()
        tight = "".join(word.split())
        if tight in table:
            return table[tight]
        alike = {factor for key, factor in table.items() if key[:1] not in ("M", "E") and key.lower() == tight.lower()}
        return alike.pop() if len(alike) == 1 else None


def _si(*symbols: str, prefixes: str = "kKMGTPEZY") -> dict[str, str]:
    """Each symbol bare and with each prefix."""
    table = dict.fromkeys(symbols, "1")
    for prefix in prefixes:
        table |= {f"{prefix}{symbol}": f"1e{_PREFIX[prefix]}" for symbol in symbols}
    return table


def _count(*nouns: str) -> dict[str, str]:
    """Thousands to quadrillions, alone or before a noun."""
    scales = {"": "1"}
    for words, factor in (
        (("k", "K", "thousand"), "1e3"),
        (("M", "m", "mn", "million"), "1e6"),
        (("B", "b", "bn", "G", "billion"), "1e9"),
        (("T", "t", "tn", "trillion"), "1e12"),
        (("P", "quadrillion"), "1e15"),
    ):
        scales |= dict.fromkeys(words, factor)
    return {f"{scale}{noun}": factor for scale, factor in scales.items() for noun in ("", *nouns)}


def _binary(symbol: str) -> dict[str, str]:
    short = () if symbol.endswith("/s") else ("",)
    return {f"{prefix}{end}": str(1024**power) for prefix, power in _BINARY.items() for end in (*short, symbol)}


def _stored() -> dict[str, str]:
    """Bytes; `mb` is accepted, because nobody means a thousandth of one."""
    return _si("B", "bytes", "") | _binary("B") | {"mb": "1e6", "mib": "1048576"}


def _bits(*symbols: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for symbol in symbols:
        table |= {f"{prefix}{symbol}": f"{125 * 10 ** (_PREFIX[prefix] - 3)}" for prefix in "kMGTP"}
    return table


def _device_hours() -> dict[str, str]:
    return {
        f"{scale}{device}{join}{hour}": f"{factor}*3600"
        for scale, factor in _count().items()
        for device in ("GPU", "TPU", "chip", "device", "accelerator")
        for join in ("-", "")
        for hour in ("h", "hours", "hour", "hrs")
    }


def _money() -> dict[str, str]:
    return {key: factor for key, factor in _count("usd", "dollars").items() if key not in ("G", "P")}


_MINUTE, _HOUR, _DAY, _YEAR = 60.0, 3600.0, 86_400.0, 31_557_600.0
_TIME = {
    "ns": "1e-9", "us": "1e-6", "µs": "1e-6", "μs": "1e-6", "ms": "1e-3",
    "s": "1", "sec": "1", "second": "1", "seconds": "1",
    "m": "60", "min": "60", "mins": "60", "minute": "60", "minutes": "60",
    "h": "3600", "hr": "3600", "hrs": "3600", "hour": "3600", "hours": "3600",
    "d": "86400", "day": "86400", "days": "86400", "w": "604800", "week": "604800", "weeks": "604800",
    "month": "2629800", "months": "2629800", "y": "31557600", "year": "31557600", "years": "31557600",
}  # fmt: skip
_WATT_HOURS = {f"{prefix}Wh": f"36e{_PREFIX[prefix] + 2}" for prefix in "kMGTP"} | {"Wh": "3600", "KWh": "36e5"}
_CO2 = {
    f"{mass}{tail}": factor
    for mass, factor in (
        ("g", "1e-3"),
        ("kg", "1"),
        ("t", "1e3"),
        ("kt", "1e6"),
        ("Mt", "1e9"),
        ("tonnes", "1e3"),
        ("tons", "1e3"),
    )
    for tail in ("", "CO2e", "CO2", "CO2eq", "CO₂e", "CO₂")
}
_COUNTED = ((1.0, ""), (1e6, "M"), (1e9, "B"), (1e12, "T"))


def _counted(noun: str) -> tuple[tuple[float, str], ...]:
    return tuple((factor, f"{letter} {noun}".strip()) for factor, letter in _COUNTED)


UNITS: Mapping[str, Unit] = {
    "tokens": Unit(
        written=lambda: _count("tokens", "token", "tok"), shown=_counted("tokens"), whole=True,
        example="15T", what="a positive whole number of tokens",
    ),
    "parameters": Unit(
        written=lambda: _count("parameters", "parameter", "params"), shown=_counted("parameters"), whole=True,
        example="8B", what="a positive whole number of parameters",
    ),
    "count": Unit(
        written=_count, shown=((1.0, ""),), whole=True,
        example="256", what="a positive whole number",
    ),
    "": Unit(written=lambda: {"": "1"}, shown=((1.0, ""),), example="1.2", what="a positive number"),
    "%": Unit(
        written=lambda: {"%": "0.01", "": "1"}, shown=((0.01, "%"),), example="30%", what="a share from 0% to 100%",
    ),
    "s": Unit(
        written=lambda: _TIME, bare=False, example="7d", what="a time with its unit (ms, s, min, h, d)",
        shown=((1e-9, "ns"), (1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (_MINUTE, "min"), (_HOUR, "h"), (_DAY, "days"),
               (_YEAR, "years")),
    ),
    "B": Unit(
        written=_stored, example="80GiB", what="an amount of memory (GB or GiB)",
        shown=((1.0, "B"), (2.0**10, "KiB"), (2.0**20, "MiB"), (2.0**30, "GiB"), (2.0**40, "TiB"), (2.0**50, "PiB")),
    ),
    "B stored": Unit(
        written=_stored, bare=False, example="2TB", what="an amount of storage with its unit (GB or TB)",
        shown=((1.0, "B"), (1e3, "kB"), (1e6, "MB"), (1e9, "GB"), (1e12, "TB"), (1e15, "PB"), (1e18, "EB")),
    ),
    "B/s": Unit(
        written=lambda: _si("B/s", "Bps", "bytes/s", prefixes="kKMGTP") | _binary("B/s") | _bits("b/s", "bps", "bit/s"),
        example="400Gb/s", what="a rate (GB/s for bytes, Gb/s for bits)",
        shown=((1.0, "B/s"), (1e3, "kB/s"), (1e6, "MB/s"), (1e9, "GB/s"), (1e12, "TB/s"), (1e15, "PB/s")),
    ),
    "FLOP": Unit(
        written=lambda: _si("FLOP", "FLOPs", "flop", "flops", ""), example="6e23", what="a number of operations",
        shown=((1.0, "FLOP"), (1e3, "kFLOP"), (1e6, "MFLOP"), (1e9, "GFLOP"), (1e12, "TFLOP"), (1e15, "PFLOP"),
               (1e18, "EFLOP"), (1e21, "ZFLOP"), (1e24, "YFLOP")),
    ),
    "FLOP/s": Unit(
        written=lambda: _si("FLOP/s", "FLOPS", "FLOPs", "flop/s", "flops", ""),
        example="989TFLOP/s", what="operations a second",
        shown=((1.0, "FLOP/s"), (1e3, "kFLOP/s"), (1e6, "MFLOP/s"), (1e9, "GFLOP/s"), (1e12, "TFLOP/s"),
               (1e15, "PFLOP/s"), (1e18, "EFLOP/s")),
    ),
    "J": Unit(
        written=lambda: _si("J", prefixes="kKMGT") | {"mJ": "1e-3"} | _WATT_HOURS, bare=False,
        example="55MWh", what="an energy (Wh, kWh, MWh, MJ)",
        shown=((1e-3, "mJ"), (1.0, "J"), (3.6e3, "Wh"), (3.6e6, "kWh"), (3.6e9, "MWh"), (3.6e12, "GWh"),
               (3.6e15, "TWh")),
    ),
    "W": Unit(
        written=lambda: _si("W", prefixes="kKMG") | {"mW": "1e-3"}, example="700W", what="a power (W, kW, MW)",
        shown=((1e-3, "mW"), (1.0, "W"), (1e3, "kW"), (1e6, "MW"), (1e9, "GW")),
    ),
    "kg CO2e": Unit(
        written=lambda: _CO2, bare=False, example="164kg", what="a mass of CO₂e (kg, t)",
        shown=((1e-3, "g CO₂e"), (1.0, "kg CO₂e"), (1e3, "t CO₂e"), (1e6, "kt CO₂e"), (1e9, "Mt CO₂e")),
    ),
    "kg CO2e/kWh": Unit(
        written=lambda: {f"{mass}/kWh": factor for mass, factor in _CO2.items()} | {"": "1"},
        shown=((1.0, "kg CO₂e/kWh"),), example="367g/kWh", what="a carbon intensity (g/kWh or kg/kWh)",
    ),
    "device-s": Unit(
        written=_device_hours, bare=False, example="2.79M GPU-hours", what="device-hours",
        shown=((3600.0, "device-h"), (3.6e9, "M device-h")),
    ),
    "$": Unit(written=_money, shown=(), example="$50k", what="an amount of dollars"),
}  # fmt: skip
