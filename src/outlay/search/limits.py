"""What is within its limits, what came nearest, and which limit costs the most. Knows no domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Judged:
    """How far each candidate is over each limit, as a share of the limit; 0 where it is within."""

    over: Mapping[str, NDArray[np.float64]]
    count: int

    @property
    def within(self) -> NDArray[np.bool_]:
        """Candidates within every limit."""
        return self.without("")

    def without(self, name: str) -> NDArray[np.bool_]:
        """Candidates within every limit but one."""
        inside = np.ones(self.count, dtype=bool)
        for limit, excess in self.over.items():
            if limit != name:
                inside &= excess <= 0.0
        return inside

    def nearest(self) -> NDArray[np.intp]:
        """The candidates whose worst excess is the least, of those that exceed something: several where they exceed it alike.

        >>> judge({"cost": [3.0, 5.0, 3.0], "time": [9.0, 1.0, 5.0]}, {"cost": 2.0, "time": 8.0}).nearest().tolist()
        [0, 2]
        """
        worst = np.max(np.stack([np.zeros(self.count), *self.over.values()]), axis=0)
        outside = np.where((worst > 0.0) & np.isfinite(worst), worst, np.inf)
        return np.flatnonzero(np.isfinite(outside) & (outside <= outside.min(initial=np.inf) * (1.0 + 1e-9)))

    def broken(self, index: int) -> dict[str, float]:
        """The limits that a candidate exceeds, and by what share, the worst first."""
        shares = {name: float(excess[index]) for name, excess in self.over.items() if excess[index] > 0.0}
        return dict(sorted(shares.items(), key=lambda entry: -entry[1]))

    def binding(self, goal: NDArray[np.float64]) -> dict[str, int]:
        """For each limit that keeps a better candidate out: the best one without that limit alone, the best gain first.

        >>> judge({"cost": [3.0, 5.0], "time": [9.0, 1.0]}, {"time": 4.0}).binding(np.array([3.0, 5.0]))
        {'time': 0}
        """
        best = float(goal[self.within].min(initial=np.inf))
        found = {}
        for name in self.over:
            allowed = np.flatnonzero(self.without(name))
            if allowed.size and goal[allowed].min() < best:
                found[name] = int(allowed[np.argmin(goal[allowed])])
        return dict(sorted(found.items(), key=lambda entry: float(goal[entry[1]])))


def judge(figures: Mapping[str, object], limits: Mapping[str, float]) -> Judged:
    """Candidates by `figures` (equal lengths; infinite where impossible) against the most that each may be.

    :raises ValueError: for a limit without figures, or one that is not above zero.
    """
    columns = {name: np.asarray(values, dtype=np.float64) for name, values in figures.items()}
    count = len(next(iter(columns.values()))) if columns else 0
    over = {}
    for name, most in limits.items():
        if name not in columns or not most > 0:
            raise ValueError(f"the limit on {name!r} is {most!r}")
        over[name] = np.maximum(columns[name] / most - 1.0, 0.0)
    return Judged(over, count)
