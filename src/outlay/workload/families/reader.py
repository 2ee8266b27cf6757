"""Reading a config: every value is checked, every default that is taken is noted, every problem is told at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

LARGEST = 10**9
"""Above this no width, count or vocabulary exists; it keeps arithmetic far from overflow."""
DEEPEST = 100_000
"""Above this no stack of layers exists; layers are listed one by one."""


@dataclass(slots=True, kw_only=True)
class Reader:
    """One config, read with the defaults of its `model_type`.

    A missing key takes that default and lands in `assumed`; a bad value lands in `problems` and reads as a harmless
    stand-in, so that all problems of a config are found in one pass.
    """

    config: Mapping[str, Any]
    model_type: str
    defaults: Mapping[str, Any]
    assumed: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    stood_in: set[str] = field(default_factory=set)
    """Keys that were missing or bad, and for which a stand-in is read: what follows from one is no second problem."""
    prefix: str = ""

    def stated(self, key: str) -> bool:
        """Whether the config itself gives `key` a value."""
        return self.config.get(key) is not None

    def value(self, key: str) -> Any:
        """The value of `key`: stated, or the default of the model type, or None."""
        if key in self.config:
            return self.config[key]
        default = self.defaults.get(key)
        if default is not None:
            self.assume(key, default)
        return default

    def assume(self, key: str, value: Any, why: str = "") -> None:
        self.assumed[self.prefix + key] = f"{_written(value)} ({why or f'default of {self.model_type}'})"

    def count(self, key: str, *, least: int = 1) -> int:
        """A whole number that must be known."""
        value = self.optional_count(key, least=least)
        if value is None:
            self.problems.append(f"`{self.prefix}{key}` is missing")
            self.stood_in.add(key)
            return 1
        return value

    def optional_count(self, key: str, *, least: int = 1) -> int | None:
        """A whole number, or None where neither the config nor the model type gives one."""
        value = self.value(key)
        if value is None:
            return None
        most = DEEPEST if "layer" in key and key != "num_nextn_predict_layers" else LARGEST
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            wanted = f"a whole number from {least:,} to {most:,}"
            self.problems.append(f"`{self.prefix}{key}` is {_written(value)}: expected {wanted}")
            self.stood_in.add(key)
            return max(least, 1)
        return value

    def contradiction(self, problem: str, *words: str) -> None:
        """Two values that do not go together, unless one whose key holds one of `words` is bad by itself."""
        if not any(word in key for word in words for key in self.stood_in):
            self.problems.append(problem)

    def flag(self, key: str) -> bool:
        """True or false; a key that nobody states is false."""
        value = self.value(key)
        if value is None:
            return False
        if not isinstance(value, bool):
            self.problems.append(f"`{self.prefix}{key}` is {_written(value)}: expected true or false")
            return False
        return value

    def probability(self, key: str) -> float:
        """A dropout rate."""
        value = self.value(key)
        if value is None:
            return 0.0
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1 or math.isnan(value):
            self.problems.append(f"`{self.prefix}{key}` is {_written(value)}: expected a number from 0 to below 1")
            return 0.0
        return float(value)

    def integers(self, key: str) -> list[int] | None:
        """A list of whole numbers, or None."""
        value = self.value(key)
        if value is None:
            return None
        good = isinstance(value, list | tuple) and all(isinstance(v, int) and not isinstance(v, bool) for v in value)
        if not good:
            self.problems.append(f"`{self.prefix}{key}` is {_written(value)}: expected a list of whole numbers")
            return None
        return list(value)

    def text(self, key: str) -> str:
        value = self.value(key)
        if value is not None and not isinstance(value, str):
            self.problems.append(f"`{self.prefix}{key}` is {_written(value)}: expected text")
            return ""
        return value or ""

    def nested(self, key: str) -> Reader:
        """A config within this one, which shares the lists of problems and assumptions."""
        inner = self.config.get(key)
        if inner is not None and not isinstance(inner, Mapping):
            self.problems.append(f"`{self.prefix}{key}` is {_written(inner)}: expected an object")
        return Reader(
            config=inner if isinstance(inner, Mapping) else {},
            model_type=self.model_type,
            defaults=self.defaults.get(key) or {},
            assumed=self.assumed,
            problems=self.problems,
            stood_in=self.stood_in,
            prefix=f"{self.prefix}{key}.",
        )

    def head_dim(
        self, hidden: int, heads: int, *, width: str, depth_of_heads: str, key: str | None = "head_dim"
    ) -> int:
        """Width of a head: stated, or the hidden width shared among the heads, which must then come out even."""
        stated = self.optional_count(key) if key else None
        if stated is not None:
            return stated
        if hidden % heads:
            self.contradiction(
                f"`{self.prefix}{width}` is {hidden}: expected a multiple of `{depth_of_heads}`, which is {heads}",
                width,
                depth_of_heads,
            )
        if key:
            self.assume(key, max(1, hidden // heads), f"`{width}` / `{depth_of_heads}`")
        return max(1, hidden // heads)

    def kv_heads(self, heads: int, key: str = "num_key_value_heads") -> int:
        """Key-value heads: one a query head unless the config shares them."""
        shared = self.optional_count(key)
        if shared is None:
            self.assume(key, heads, "as many as query heads")
            return heads
        # A default that does not divide is the model type's own nonsense: its class builds, and is counted, all the same.
        if self.stated(key) and heads % shared:
            self.contradiction(
                f"`{self.prefix}{key}` is {shared}: expected a divisor of the number of heads, {heads}", "head"
            )
        return shared


def _written(value: Any) -> str:
    """A value as JSON would show it, cut to fit a line."""
    text = {True: "true", False: "false", None: "null"}.get(value) if isinstance(value, bool | None) else None
    text = text or (f'"{value}"' if isinstance(value, str) else _number(value))
    return text if len(text) <= 40 else text[:37] + "..."


def _number(value: Any) -> str:
    if isinstance(value, int) and abs(value) > 10**18:
        return f"a number of about {value.bit_length() * 0.30103:.0f} digits"
    if isinstance(value, Mapping):
        return "an object"
    return str(value)
