"""Speed, measured: `make bench`, or `python -m benchmarks [NAME …]`.

Each module of this folder but `__main__` is a benchmark: its `measure()` returns a list of :class:`Result`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One figure of a benchmark."""

    name: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None
    """Whether the goal is met; None when there is none."""

    def __str__(self) -> str:
        verdict = "" if self.met is None else "  met" if self.met else "  MISSED"
        return f"{self.name:<52} {self.value:>12,.4g} {self.unit:<10} {self.goal}{verdict}".rstrip()
