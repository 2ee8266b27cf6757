"""How right the predictions are: median, mean, bias, tail and worst row, by source, by metric and overall."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from outlay.accuracy import metrics
from outlay.accuracy.columns import MEASURED
from outlay.accuracy.runs_columns import METRIC as HOURS
from outlay.accuracy.validate import Comparison, Validation

SPEED = ("step_time_s", "tokens_per_s_per_gpu", "samples_per_s")
MEMORY = "peak_mem_gb"
SENSE = "time"
"""In what sense errors of speed are counted: above nought is a run that took less time than predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Errors of some comparisons, as fractions of the measured value; those of speed are of the time that a step takes.

    A throughput is turned over first, so that one run has one error whatever its source measured.
    """

    rows: int
    median: float
    """Median of |error|."""
    mean: float
    """Mean of |error|."""
    bias: float
    """Median of error with its sign."""
    p90: float
    """|error| that nine in ten do not exceed."""
    worst: Comparison

    @classmethod
    def of(cls, comparisons: Sequence[Comparison]) -> Errors:
        """Statistics of at least one comparison.

        >>> common = {"source": "s", "metric": "step_time_s", "measured": 1.0}
        >>> rows = [Comparison(id="a", predicted=1.5, **common), Comparison(id="b", predicted=0.75, **common)]
        >>> found = Errors.of(rows)
        >>> found.median, found.bias, found.worst.id
        (0.375, 0.125, 'a')
        """
        sizes = sorted(abs(one.time_error) for one in comparisons)
        return cls(
            rows=len(comparisons),
            median=median(sizes),
            mean=fmean(sizes),
            bias=median(one.time_error for one in comparisons),
            p90=_quantile(sizes, 0.9),
            worst=max(comparisons, key=lambda one: abs(one.time_error)),
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "median": self.median,
            "mean": self.mean,
            "bias": self.bias,
            "p90": self.p90,
            "worst": {"id": self.worst.id, "metric": self.worst.metric, "error": self.worst.time_error},
        }


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Linear interpolation between order statistics (type 7)."""
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def once_a_row(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """One speed a row: its step time, else tokens a second, else samples a second. Flagged rows are left out.

    The three are one measurement in different units; counting each would weigh rows by how often a source repeats itself.
    """
    first: dict[int, Comparison] = {}
    kept = [one for one in comparisons if one.metric in SPEED and not one.flagged]
    for one in sorted(kept, key=lambda one: SPEED.index(one.metric)):
        first.setdefault(one.row, one)
    return [first[row] for row in sorted(first)]


def once_a_kind(comparisons: Iterable[Comparison]) -> dict[metrics.Kind, list[Comparison]]:
    """Of each kind one comparison a row; flagged rows are left out.

    Where a row states the rate of decoding, its rate of output tokens is the same number again.
    """
    kept = [one for one in comparisons if one.metric in metrics.KINDS and not one.flagged]
    alone = {one.row for one in kept if one.metric == "decode_tokens_per_s"}
    order = list(metrics.KINDS)
    found: dict[metrics.Kind, dict[int, Comparison]] = {}
    for one in sorted(kept, key=lambda one: order.index(one.metric)):
        if one.metric == "output_tokens_per_s" and one.row in alone:
            continue
        found.setdefault(metrics.kind_of(one.metric), {}).setdefault(one.row, one)
    return {kind: [rows[row] for row in sorted(rows)] for kind, rows in found.items()}


def by_source(comparisons: Iterable[Comparison]) -> dict[str, list[Comparison]]:
    """Comparisons by source, in the order of the sources' first rows."""
    groups: dict[str, list[Comparison]] = {}
    for one in comparisons:
        groups.setdefault(one.source, []).append(one)
    return groups


def reasons(validation: Validation) -> list[tuple[str, int]]:
    """Why rows were skipped, the commonest first; what differs from row to row is cut away."""
    return Counter(_general(one.reason) for one in validation.skipped).most_common()


def _general(reason: str) -> str:
    return "a cell cannot be read" if reason.startswith("row ") and "(line " in reason else reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How often ranges held what was measured, and how wide they were."""

    rows: int
    share: float
    """Of the rows, those whose measured number lay in the range."""
    width: float
    """Median of high over low."""

    @classmethod
    def of(cls, comparisons: Iterable[Comparison]) -> Coverage | None:
        """Of the comparisons with a range; None where there is none.

        >>> common = {"source": "s", "metric": "step_time_s", "predicted": 2.0, "low": 1.0, "high": 3.0}
        >>> rows = [Comparison(id="a", measured=2.5, **common), Comparison(id="b", measured=4.0, **common)]
        >>> Coverage.of(rows)
        Coverage(rows=2, share=0.5, width=3.0)
        """
        ranged = [one for one in comparisons if one.low and one.high]
        if not ranged:
            return None
        share = fmean(bool(one.held) for one in ranged)
        return cls(rows=len(ranged), share=share, width=median((one.high or 1) / (one.low or 1) for one in ranged))

    def as_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "coverage": self.share, "width": self.width}


def coverage(comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Coverage of some comparisons, overall and by source, as plain data."""
    overall = Coverage.of(comparisons)
    sources = {source: Coverage.of(group) for source, group in by_source(comparisons).items()}
    return {
        "overall": overall.as_dict() if overall else None,
        "by_source": {source: found.as_dict() for source, found in sources.items() if found},
    }


def summarise(validation: Validation) -> dict[str, Any]:
    """The summary as plain data: see `schemas/validation-1.json`."""
    speed = once_a_row(validation.comparisons)
    memory = [one for one in validation.comparisons if one.metric == MEMORY and not one.flagged]
    kept = [one for one in validation.comparisons if not one.flagged]
    metric_rows = {metric: [one for one in kept if one.metric == metric] for metric in (*MEASURED, HOURS)}
    hours = metric_rows[HOURS]
    return {
        "answered": validation.answered,
        "skipped": len(validation.skipped),
        "sense": SENSE,
        "flagged": sorted({one.id for one in validation.comparisons if one.flagged}),
        "contradictions": [
            {"id": name, "reason": why}
            for name, why in dict.fromkeys((one.id, one.contradiction) for one in validation.comparisons)
            if why
        ],
        "overall": Errors.of(speed).as_dict() if speed else None,
        "by_source": {source: Errors.of(group).as_dict() for source, group in by_source(speed).items()},
        "by_metric": {metric: Errors.of(group).as_dict() for metric, group in metric_rows.items() if group},
        "memory": {
            "overall": Errors.of(memory).as_dict() if memory else None,
            "by_source": {source: Errors.of(group).as_dict() for source, group in by_source(memory).items()},
        },
        "whole_runs": {
            "overall": Errors.of(hours).as_dict() if hours else None,
            "by_source": {source: Errors.of(group).as_dict() for source, group in by_source(hours).items()},
        },
        "ranges": None
        if validation.level is None
        else {
            "level": validation.level,
            "speed": coverage(speed),
            "memory": coverage(memory),
            "whole_runs": coverage(hours),
        },
        "serving": {
            kind: {
                "overall": Errors.of(group).as_dict(),
                "by_source": {source: Errors.of(rows).as_dict() for source, rows in by_source(group).items()},
                "ranges": coverage(group) if validation.level is not None else None,
            }
            for kind, group in once_a_kind(validation.comparisons).items()
        },
        "every_comparison": Errors.of(validation.comparisons).as_dict() if validation.comparisons else None,
        "skipped_by_reason": dict(reasons(validation)),
        "assumed": [{"id": row, "values": list(values)} for row, values in validation.assumed if values],
        "ignored_columns": list(validation.ignored_columns),
        "notes": list(validation.notes),
    }
