"""Requests one by one: when they come, and how many tokens they bring and ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError

Array = npt.NDArray[Any]
LONGEST, SHORTEST = 1e9, 1e-6
"""Seconds of a trace."""


@dataclass(frozen=True, slots=True)
class Requests:
    """A trace: four arrays of one length, in the order of arrival.

    >>> Requests([0.0, 1.5], [100, 200], [10, 1]).rate
    0.6666666666666666
    """

    arrival: Array
    """Seconds since the beginning."""
    input: Array
    """Tokens of the prompt."""
    output: Array
    """Tokens of the answer."""
    cached: Array | None = None
    """Tokens of the prompt that a prefix cache holds; None: none."""

    def __post_init__(self) -> None:
        arrival = np.asarray(self.arrival, dtype=float)
        tokens = [np.asarray(part) for part in (self.input, self.output)]
        cached = np.zeros(len(arrival), dtype=np.int64) if self.cached is None else np.asarray(self.cached)
        if not (len(arrival) == len(tokens[0]) == len(tokens[1]) == len(cached)):
            raise InputError("arrival, input, output and cached differ in length", hint="give one of each a request")
        if len(arrival) and not (np.isfinite(arrival).all() and arrival[0] >= 0 and (np.diff(arrival) >= 0).all()):
            raise InputError("arrivals are negative or not in order", hint="sort the requests by their arrival")
        if len(arrival) and arrival[-1] > LONGEST:
            raise InputError(
                f"a request arrives after {arrival[-1]:.3g} s",
                expected="seconds since the beginning, thirty years at most",
                hint="write seconds from 0",
            )
        if any((part < 1).any() for part in tokens):
            raise InputError("a request without a token of input or output", hint="leave such requests out")
        for name, value in (("arrival", arrival), ("input", tokens[0].astype(np.int64)),
                            ("output", tokens[1].astype(np.int64)), ("cached", cached.astype(np.int64))):  # fmt: skip
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return len(self.arrival)

    @property
    def seconds(self) -> float:
        """From the first arrival to the last; what is shorter than any clock tells is none."""
        span = float(self.arrival[-1] - self.arrival[0]) if len(self.arrival) else 0.0
        return span if span >= SHORTEST else 0.0

    @property
    def rate(self) -> float:
        """Requests a second, on average: as many intervals as there are between them."""
        return (len(self) - 1) / self.seconds if self.seconds > 0 else 0.0

    def faster(self, factor: float) -> Requests:
        """The same requests in a shorter time."""
        return Requests(self.arrival / factor, self.input, self.output, self.cached)
