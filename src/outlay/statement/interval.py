"""A figure with its range: low, likely, high."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A likely figure between a low and a high one; both bounds are None where the range is not known.

    Bounds add as if all errors went the same way, so a sum's range is never too narrow. An exact figure has three equal
    numbers; together with a figure of unknown range it makes one of unknown range.

    >>> Interval.between(1, 2, 4) + Interval.exact(10)
    Interval(low=11.0, likely=12.0, high=14.0)
    >>> Interval.between(1, 2, 4) * -2
    Interval(low=-8.0, likely=-4.0, high=-2.0)
    >>> Interval.of(3) + Interval.exact(1)
    Interval(low=None, likely=4.0, high=None)

    :raises ValueError: if a number is not finite, if the order is not low ≤ likely ≤ high, or if one bound is missing.
    """

    low: float | None
    likely: float
    high: float | None

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None):
            raise ValueError(f"an interval has both bounds or none, not {self.low!r} and {self.high!r}")
        for name in ("low", "likely", "high"):
            value = getattr(self, name)
            if value is None and name != "likely":
                continue
            number = float(value)
            if not math.isfinite(number):
                raise ValueError(f"{name} is {number}: an interval is made of finite numbers")
            object.__setattr__(self, name, number + 0.0)  # NumPy scalars become floats, and -0.0 becomes 0.0
        if self.low is not None and self.high is not None and not self.low <= self.likely <= self.high:
            raise ValueError(f"an interval needs low ≤ likely ≤ high, not {self.low}, {self.likely}, {self.high}")

    @classmethod
    def of(cls, likely: float) -> Interval:
        """A figure whose range is not known."""
        return cls(None, likely, None)

    @classmethod
    def exact(cls, value: float) -> Interval:
        """A figure that is not in doubt: a count, a quoted price, what the user said."""
        return cls(value, value, value)

    @classmethod
    def between(cls, low: float, likely: float, high: float) -> Interval:
        """A figure with its range."""
        return cls(low, likely, high)

    @property
    def has_range(self) -> bool:
        """There are bounds, and they differ."""
        return self.low is not None and self.low != self.high

    def __add__(self, other: Interval) -> Interval:
        if not isinstance(other, Interval):
            return NotImplemented
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return Interval.of(self.likely + other.likely)
        return Interval(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __sub__(self, other: Interval) -> Interval:
        return self + -other if isinstance(other, Interval) else NotImplemented

    def __neg__(self) -> Interval:
        return self * -1.0

    def __mul__(self, other: Interval | float) -> Interval:
        factor = other if isinstance(other, Interval) else Interval.exact(other)
        likely = self.likely * factor.likely
        if self.low is None or self.high is None or factor.low is None or factor.high is None:
            return Interval.of(likely)
        corners = [mine * theirs for mine in (self.low, self.high) for theirs in (factor.low, factor.high)]
        return Interval(min(corners), likely, max(corners))

    __rmul__ = __mul__
