r"""How long sequences are: a log-normal distribution, cut at the longest that is let through.

Real instruction data are short and skewed: most samples are far below the longest. A micro-batch that is not packed is filled
up to its longest sample, so that it takes the expected maximum of as many draws:

.. math:: E[\max_b] = \int_0^{L} 1 - F(t)^b \, dt, \qquad F(t) = \Phi\left(\frac{\ln t - \mu}{\sigma}\right)

with everything beyond `L` cut to `L`.
"""

from __future__ import annotations

import csv
import functools
import importlib.resources
import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.workload import Number

POINTS = 400
"""Points of the quadrature."""
SIGMA = 0.6
"""Spread of ln length where only the mean is known: of Alpaca, whose mean and longest sample are known, it is 0.61."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Tokens of a sample: the mean of what is let through, the spread, the longest."""

    average: float
    """Mean tokens before anything is cut."""
    longest: float
    sigma: float = SIGMA
    sorted_batches: float = 1.0
    """Micro-batches whose samples are sorted by length before they are divided: 1 is none."""

    @property
    def mean(self) -> float:
        """Mean tokens of a sample after it is cut."""
        return float(_expected(self.average, self.sigma, self.longest, np.asarray(1.0)))

    def padded(self, micro_batch: Number) -> Number:
        """Tokens of a sample in a micro-batch of so many, filled up to the longest of them.

        >>> alpaca = Lengths(average=128, longest=1304, sigma=0.61)
        >>> [round(float(alpaca.padded(size))) for size in (1, 2, 4)]
        [128, 171, 219]
        """
        size = np.asarray(micro_batch, dtype=np.float64)
        whole = _expected(self.average, self.sigma, self.longest, size)
        if self.sorted_batches <= 1:
            return whole
        # Of samples that were sorted, the longest of a batch is the next quantile: the excess shrinks with their number.
        least = self.mean
        return least + (whole - least) / self.sorted_batches


@functools.lru_cache(maxsize=256)
def _grid(average: float, sigma: float, longest: float) -> tuple[float, NDArray[np.float64]]:
    """The step of the quadrature, and the share of samples below the middle of each."""
    from statistics import NormalDist  # only where lengths vary: answers start without it

    step, normal = longest / POINTS, NormalDist()
    points = [(place + 0.5) * step for place in range(POINTS)]
    below = [normal.cdf((math.log(point / average) + sigma**2 / 2.0) / sigma) for point in points]
    return step, np.array(below)


def _expected(average: float, sigma: float, longest: float, size: NDArray[np.float64]) -> Number:
    step, below = _grid(average, sigma, longest)
    return np.asarray(((1.0 - np.power.outer(below, size)).sum(axis=0)) * step)[()]


def spread_of(average: float, longest: float, samples: float) -> float:
    r"""The spread with which the longest of so many samples is expected to be `longest`: :math:`\ln(L/m) = z\sigma - \sigma^2/2`.

    >>> round(spread_of(128, 1304, 52_002), 2)
    0.61
    """
    from statistics import NormalDist

    z = NormalDist().inv_cdf(1.0 - 1.0 / samples)
    return z - math.sqrt(max(z**2 - 2.0 * math.log(longest / average), 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A published data set: how many samples, and how long."""

    name: str
    pattern: str
    samples: int
    average: float
    longest: float
    basis: str
    source: str
    date: str

    def lengths(self, longest: float | None = None) -> Lengths:
        """Its lengths, cut at `longest` tokens."""
        sigma = spread_of(self.average, self.longest, self.samples) if self.longest else SIGMA
        own = self.longest or math.inf
        return Lengths(average=self.average, longest=min(own, longest or own), sigma=sigma)


@functools.cache
def data_sets() -> tuple[DataSet, ...]:
    """The data sets that the catalog knows."""
    text = (importlib.resources.files("outlay.catalog") / "datasets.csv").read_text(encoding="utf-8")
    return tuple(
        DataSet(
            name=row["name"],
            pattern=row["pattern"],
            samples=int(row["samples"]),
            average=float(row["mean_tokens"]),
            longest=float(row["longest_tokens"] or 0),
            basis=row["basis"],
            source=row["source"],
            date=row["date"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def data_set(text: str) -> DataSet | None:
    """The data set that a text names.

    >>> data_set("Alpaca2k dataset").name, data_set("tatsu-lab/alpaca").name, data_set("my own")
    ('alpaca-2k', 'alpaca', None)
    """
    return next((known for known in data_sets() if re.search(known.pattern, text.lower())), None)
