"""What a wrong choice would have cost: in measured sweeps of layouts, the one that we rank first beside the best.

A sweep is the rows of one source that are alike in everything but the layout, with four layouts or more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from outlay.accuracy.columns import COLUMNS, MEASURED, SCORED_ELSEWHERE
from outlay.accuracy.records import Record
from outlay.accuracy.summary import once_a_row
from outlay.accuracy.validate import Comparison, Validation

LAYOUT = (
    *("tp", "pp", "vpp", "cp", "ep", "dp", "micro_batch"),
    *("sequence_parallel", "zero_stage", "activation_recompute"),
)
"""Columns that say how a run was laid out."""
FEWEST = 4
"""Layouts from which a group of rows is a sweep."""
_APART = {*LAYOUT, *MEASURED, *SCORED_ELSEWHERE, "id", "source", "source_url", "notes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Measured and predicted seconds (in any unit of time) of the layouts of one sweep."""

    source: str
    first: str
    """The id of its first row."""
    measured: tuple[float, ...]
    predicted: tuple[float, ...]

    @property
    def regret(self) -> float:
        """Measured time of the layout that is predicted to be fastest, over the least measured, minus 1.

        >>> Sweep(source="s", first="a", measured=(2.0, 2.2, 3.0), predicted=(1.5, 1.4, 9.0)).regret
        0.10000000000000009
        """
        picked = min(range(len(self.predicted)), key=lambda index: self.predicted[index])
        return self.measured[picked] / min(self.measured) - 1.0


def sweeps(records: Sequence[Record], validation: Validation) -> list[Sweep]:
    """The sweeps among some records, as a validation of them predicted their speed; flagged rows are left out."""
    times = {
        (one.source, one.id): (_time(one, one.measured), _time(one, one.predicted))
        for one in once_a_row(validation.comparisons)
    }
    groups: dict[tuple[object, ...], list[Record]] = {}
    for record in records:
        if (record.source, record.id) in times and not record.flagged:
            groups.setdefault((record.source, *_alike(record)), []).append(record)
    found = []
    for group in groups.values():
        layouts: dict[tuple[object, ...], list[tuple[float, float]]] = {}
        for record in group:
            layouts.setdefault(_layout(record), []).append(times[record.source, record.id])
        if len(layouts) >= FEWEST:
            # A layout that was measured twice counts once.
            measured, predicted = zip(
                *((median(one[0] for one in own), median(one[1] for one in own)) for own in layouts.values()),
                strict=True,
            )
            found.append(Sweep(source=group[0].source, first=group[0].id, measured=measured, predicted=predicted))
    return found


def _alike(record: Record) -> Iterator[object]:
    for column in COLUMNS:
        if column not in _APART:
            yield record.words.get(column)
            yield record.numbers.get(column)


def _layout(record: Record) -> tuple[object, ...]:
    return tuple(value for column in LAYOUT for value in (record.words.get(column), record.numbers.get(column)))


def _time(one: Comparison, value: float) -> float:
    """A throughput as the time that it takes."""
    return value if one.metric == "step_time_s" else 1.0 / value


def summary(found: Sequence[Sweep]) -> dict[str, Any]:
    """Median and 90th percentile of the regret, overall and by source, as plain data."""
    sources = sorted({sweep.source for sweep in found})
    return {
        "overall": _figures(found) if found else None,
        "by_source": {source: _figures([sweep for sweep in found if sweep.source == source]) for source in sources},
    }


def _figures(found: Sequence[Sweep]) -> dict[str, Any]:
    ordered = sorted(sweep.regret for sweep in found)
    worst = max(found, key=lambda sweep: sweep.regret)
    return {
        "sweeps": len(found),
        "layouts": sum(len(sweep.measured) for sweep in found),
        "median": median(ordered),
        "p90": ordered[min(len(ordered) - 1, int(0.9 * len(ordered)))],
        "worst": {"id": worst.first, "regret": worst.regret},
    }
