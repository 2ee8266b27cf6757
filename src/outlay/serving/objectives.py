"""What requests may wait: latencies that a deployment has to keep, for the mean request."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.serving.load import Performance
from outlay.workload import Number

NAMES = ("ttft", "tpot")

FULL = 0.95
"""Share of the most that is answered from which on nobody should plan. A queue comes to rest in some W / (1 - share) seconds
where the mean wait is W: beside the last percents that takes hours, and the busiest hour is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objectives:
    """The most seconds to the first token and between further ones; infinite where nobody minds. Numbers or arrays."""

    ttft: Number = np.inf
    tpot: Number = np.inf

    def latencies(self, performance: Performance) -> dict[str, Number]:
        """The seconds that are held against these objectives."""
        return {name: getattr(performance, name) for name in NAMES}

    def kept(self, performance: Performance) -> NDArray[np.bool_]:
        """Whether a load can be sustained and both are kept.

        >>> from dataclasses import fields
        >>> fast = Performance(**{field.name: 0.01 for field in fields(Performance)} | {"quantiles": {}})
        >>> bool(Objectives(ttft=0.5).kept(fast)), bool(Objectives(tpot=0.005).kept(fast))
        (True, False)
        """
        held: Any = np.less(performance.utilisation, 1.0)
        for name, seconds in self.latencies(performance).items():
            held = held & np.less_equal(seconds, getattr(self, name))
        return np.asarray(held, dtype=bool)

    def at(self, places: Any) -> Objectives:
        """Those of some of the deployments, where they differ."""
        ttft, tpot = (value[places] if value.ndim else value[()] for value in map(np.asarray, (self.ttft, self.tpot)))
        return replace(self, ttft=ttft, tpot=tpot)

    def without(self, name: str) -> Objectives:
        """The same with one of them given up."""
        return replace(self, ttft=np.inf) if name == "ttft" else replace(self, tpot=np.inf)

    @property
    def stated(self) -> tuple[str, ...]:
        """Those that somebody minds."""
        return tuple(name for name in NAMES if np.all(np.isfinite(getattr(self, name))))
