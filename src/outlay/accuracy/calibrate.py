"""From predictions of unseen rows beside what was measured to :mod:`outlay.training.ranges`; ``make fit`` calls it.

Judged as it will be used: the ranges of a source's rows are worked out from the other sources alone, and how many of its
rows they hold is counted. Both are stored.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.accuracy.cross import kin_of
from outlay.accuracy.summary import MEMORY, once_a_row
from outlay.accuracy.validate import Validation
from outlay.training.ranges import DOUBTS, LEVEL, Spread

FULL = 5
"""Rows from which a source counts whole; one of fewer counts by its rows."""
RIDGE = 0.3
"""What a doubt's effect costs, in sources: one that few sources show stays small."""
QUANTILES = 200
"""Steps between the stored quantiles."""
TRIMS = 20
"""Steps in which tails are cut until ranges hold what they should; no tail is cut wholly."""
SLACK = 0.05
"""How much less than the level all rows, or the mean source, may be held where both together keep it."""
LOWER = (0.3, 0.4, 0.5, 0.6, 0.7)
"""Shares of the runs outside that may lie below a range: those with the narrowest ranges are taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A measured row: ln(measured / predicted) of its time or memory, and why that may be large."""

    source: str
    error: float
    doubts: tuple[str, ...]
    stated: bool = False
    """Its chip has kernels measured, and nothing of its layout was assumed."""


def scored(validation: Validation, metric: str) -> list[Scored]:
    """Rows of a validation, flagged ones left out; `metric` is `time` or `memory`."""
    if metric == "memory":
        rows = [one for one in validation.comparisons if one.metric == MEMORY and not one.flagged]
    else:
        rows = once_a_row(validation.comparisons)
    return [
        Scored(
            source=one.source,
            error=math.log(one.measured / one.predicted) * (1 if one.metric in ("step_time_s", MEMORY) else -1),
            doubts=one.doubts,
            stated=one.stated and "kernels" not in one.doubts,
        )
        for one in rows
    ]


def weights(rows: Sequence[Scored]) -> NDArray[np.float64]:
    """What each row counts: every source alike, whatever its number of rows."""
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.source] = counts.get(row.source, 0) + 1
    return np.array([min(1.0, counts[row.source] / FULL) / counts[row.source] for row in rows])


def draws(rows: Sequence[Scored]) -> float:
    """Families of sources, by their weights: (Σw)² / Σw²."""
    total: dict[tuple[str, ...], float] = {}
    for row, weight in zip(rows, weights(rows), strict=True):
        total[kin_of(row.source)] = total.get(kin_of(row.source), 0.0) + float(weight)
    return sum(total.values()) ** 2 / sum(value**2 for value in total.values())


def calibrate(rows: Sequence[Scored], *, trimmed: float, lower: float = 0.5, names: Sequence[str] = DOUBTS) -> Spread:
    """The spread of some rows; `trimmed` is the share of its tails that it keeps inside, `lower` of the rest that below.

    The scales are those of a Laplace distribution of the errors, by maximum likelihood with a ridge on the doubts.
    """
    from scipy.optimize import minimize

    weight = weights(rows)
    error = np.array([row.error for row in rows])
    reasons = np.array([[float(name in row.doubts) for name in names] for row in rows])

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        ln_scale = point[0] + reasons @ point[1:]
        score = np.abs(error) * np.exp(-ln_scale)
        slope = weight * (1.0 - score)
        value = np.sum(weight * (score + ln_scale)) + RIDGE * np.sum(point[1:] ** 2)
        return float(value), np.concatenate([[slope.sum()], reasons.T @ slope + 2 * RIDGE * point[1:]])

    start = np.array([math.log(float(np.average(np.abs(error), weights=weight)) + 1e-6), *np.zeros(len(names))])
    # To know less never makes a range narrower.
    bounds = [(None, None), *((0.0, None) for _ in names)]
    point = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    score = error * np.exp(-(point[0] + reasons @ point[1:]))
    return Spread(
        base=_short(point[0]),
        doubts={name: _short(value) for name, value in zip(names, point[1:], strict=True)},
        scores=[_short(value) for value in _quantiles(score, weight)],
        trimmed=trimmed,
        lower=lower,
    )


def _quantiles(values: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weighted quantiles at even shares: the least value up to which that share of the weight lies."""
    order = np.argsort(values, kind="stable")
    upto = np.cumsum(weight[order])
    upto /= upto[-1]
    places = np.searchsorted(upto, np.linspace(0.0, 1.0, QUANTILES + 1) - 1e-12)
    return np.asarray(values[order][np.minimum(places, len(values) - 1)])


def _short(value: float) -> float:
    return float(f"{float(value):.4g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How ranges did on rows of sources that they were not made from."""

    inside: tuple[bool, ...]
    width: tuple[float, ...]
    """High over low."""

    def share(self, picked: Collection[int]) -> float:
        """Share of some rows that lay inside."""
        return float(np.mean([self.inside[index] for index in picked]))

    def median(self, picked: Collection[int]) -> float:
        """Median of high over low."""
        return float(np.median([self.width[index] for index in picked]))


Families = Mapping[tuple[str, ...], Spread]


def without_each(rows: Sequence[Scored], names: Sequence[str] = DOUBTS) -> Families:
    """For each family of sources the spread of all others, no tail cut."""
    families = dict.fromkeys(kin_of(row.source) for row in rows)
    return {
        family: calibrate([row for row in rows if row.source not in family], trimmed=0.0, names=names)
        for family in families
    }


def nested(
    rows: Sequence[Scored],
    level: float,
    *,
    trimmed: float,
    lower: float = 0.5,
    names: Sequence[str] = DOUBTS,
    made: Families | None = None,
) -> Held:
    """Whether each row lies in a range made without its source and kin; `made` are :func:`without_each`, where known."""
    cut = {
        family: replace(spread, trimmed=trimmed, lower=lower)
        for family, spread in (made or without_each(rows, names)).items()
    }
    factors: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[float, float]] = {}
    inside, width = [], []
    for row in rows:
        key = kin_of(row.source), row.doubts
        if key not in factors:
            factors[key] = cut[key[0]].factors(row.doubts, level)
        low, high = factors[key]
        inside.append(low <= math.exp(row.error) <= high)
        width.append(high / low)
    return Held(inside=tuple(inside), width=tuple(width))


def document(rows: Sequence[Scored], *, names: Sequence[str] = DOUBTS) -> dict[str, Any]:
    """A spread as the catalog stores it, with how it did on sources left out: overall, by source, at two levels.

    `names` are the doubts that there may be.
    """
    made = without_each(rows, names)
    tried = {lower: _trimmed(rows, lower, made) for lower in LOWER}
    weight = weights(rows)
    lower = min(LOWER, key=lambda share: float(weight @ np.log(tried[share][1].width)))
    trimmed, held = tried[lower]
    spread = calibrate(rows, trimmed=trimmed, lower=lower, names=names)
    wider = nested(rows, 0.95, trimmed=trimmed, lower=lower, made=made)
    return {
        "rows": len(rows),
        "draws": round(draws(rows), 2),
        **{name: getattr(spread, name) for name in Spread.__dataclass_fields__},
        "held": {f"{LEVEL:g}": _report(rows, held), "0.95": _report(rows, wider)},
    }


def _trimmed(rows: Sequence[Scored], lower: float, made: Families) -> tuple[float, Held]:
    """The least cut of the tails with which ranges hold what they should, else the one that holds most."""
    best, most = (0.0, nested(rows, LEVEL, trimmed=0.0, lower=lower, made=made)), 0.0
    for step in range(TRIMS):
        held = nested(rows, LEVEL, trimmed=step / TRIMS, lower=lower, made=made)
        share, least = _shares(rows, held)
        share = min(share, least + SLACK)
        if share > most + 1e-9:
            best, most = (step / TRIMS, held), share
        if share >= LEVEL:
            break
    return best


def _shares(rows: Sequence[Scored], held: Held) -> tuple[float, float]:
    """Of the share of all rows and the mean share of the sources, the mean and the smaller one."""
    every = held.share(list(range(len(rows))))
    source = float(np.mean([held.share(own) for own in _by_source(rows).values()]))
    return (every + source) / 2, min(every, source)


def _by_source(rows: Sequence[Scored]) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(row.source, []).append(index)
    return dict(sorted(groups.items()))


def _report(rows: Sequence[Scored], held: Held) -> dict[str, Any]:
    """Coverage and median width, of all rows, of those with kernels and a stated layout, and by source."""
    groups = {"all": list(range(len(rows))), "stated": [index for index, row in enumerate(rows) if row.stated]}
    found: dict[str, Any] = {name: _entry(held, picked) for name, picked in groups.items() if picked}
    by_source = {source: _entry(held, picked) for source, picked in _by_source(rows).items()}
    mean = float(np.mean([entry["coverage"] for entry in by_source.values()]))
    return {**found, "mean_of_sources": round(mean, 4), "by_source": by_source}


def _entry(held: Held, picked: Sequence[int]) -> dict[str, Any]:
    return {
        "rows": len(picked),
        "coverage": round(held.share(picked), 4),
        "width": round(held.median(picked), 4),
    }
