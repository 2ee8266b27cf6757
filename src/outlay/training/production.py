"""How much longer whole runs take than their steps, goodput taken off: a few factors, fitted to published device-hours.

Steps are fitted to benchmarks, which somebody tuned, ran for minutes and published because they were good. Over months a run
meets slower nodes, data that come late, restarts from earlier checkpoints, stages in other lengths, and a layout that was
good enough. The catalog's `runs.json` holds the factors with their provenance; `make fit` writes it.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from outlay.statement import Receipt

LEVEL = 0.8
"""Share of runs that a range is to hold, unless another is asked for."""
NODE, CLUSTER = 8, 48
"""Devices up to which a run is on one node, and from which on it is on a cluster; between them by the logarithm."""
USUAL = 1e10
"""Parameters that a token passes, at which `size` changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """Logarithms of hours of a run over hours of its steps and its published losses."""

    node: float
    """A run on one node, by a framework that is named."""
    cluster: float
    """Added on a cluster: slow nodes and links, restarts, late data."""
    size: float
    """Added to that per natural logarithm of active parameters over :data:`USUAL`: the dearer an hour, the more is tuned."""
    tpu: float
    """Added on TPUs, of which there are no tables of kernels."""
    unnamed: float
    """Added where nobody says which framework: the layout and the software that we choose are good ones."""
    unseen: Sequence[float]
    """Logarithms of measured over predicted hours, in order, each by a fit that had not seen the run's publisher."""

    def factor(
        self,
        *,
        devices: int,
        active: float,
        counted: bool = True,
        tpu: bool = False,
        named: bool = True,
        level: float = LEVEL,
    ) -> tuple[float, float, float]:
        """Low, likely and high factor on hours: continuous in `devices`, and more of them never lower it.

        `active` are the parameters that a token passes; `counted` says whether the devices were stated rather than chosen.

        >>> production = Production(node=0.0, cluster=0.4, size=0.0, tpu=0.0, unnamed=0.0, unseen=(-0.3, 0.0, 0.4))
        >>> [round(value, 2) for value in production.factor(devices=8, active=8e9)]
        [0.74, 1.0, 1.49]
        """
        low, high = self.tails(level)
        typical = self.node + self.tpu * tpu + self.unnamed * (not named)
        typical += spread(devices, counted=counted) * max(self.cluster + self.size * math.log(active / USUAL), 0.0)
        return math.exp(typical + low), math.exp(typical), math.exp(typical + high)

    def tails(self, level: float) -> tuple[float, float]:
        """Logarithms between which `level` of the unseen runs lie, as split conformal prediction counts them.

        Nought lies between them, so that a range holds its likely figure.
        """
        ordered = sorted(self.unseen)
        if not ordered:
            return 0.0, 0.0
        rank = math.floor((1.0 - level) / 2.0 * (len(ordered) + 1))
        first = min(max(rank, 1), len(ordered)) - 1
        return min(ordered[first], 0.0), max(ordered[len(ordered) - 1 - first], 0.0)


def spread(devices: int, *, counted: bool = True) -> float:
    """How far a run is from one node, 0, to a cluster, 1; whose count nobody states is on a cluster.

    >>> spread(8), round(spread(17), 2), spread(48), spread(8, counted=False)
    (0.0, 0.42, 1.0, 1.0)
    """
    if not counted:
        return 1.0
    return min(max(math.log(devices / NODE) / math.log(CLUSTER / NODE), 0.0), 1.0)


def _content() -> dict[str, object]:
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "runs.json"
    content: dict[str, object] = json.loads(resource.read_text(encoding="utf-8"))
    return content


@functools.cache
def load_production() -> Production:
    """The factors that the catalog ships."""
    coefficients = _content()["coefficients"]
    assert isinstance(coefficients, dict)
    return Production(**coefficients)


@functools.cache
def load_unseen() -> dict[str, Production]:
    """For each source of the fit, the factors without it."""
    without = _content()["without"]
    assert isinstance(without, dict)
    unseen = load_production().unseen
    return {source: Production(**factors, unseen=unseen) for source, factors in without.items()}


@functools.cache
def production_receipt() -> Receipt:
    """Where the factors come from."""
    content = _content()
    return Receipt(
        "hours of whole runs",
        unit="",
        source=str(content["source"]),
        date=str(content["date"]),
        basis="fitted",
    )
