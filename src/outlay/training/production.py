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
from dataclasses import dataclass

from outlay.statement import Receipt

FEW = 16
"""Devices up to which a run counts as one of a node or two."""
USUAL = 7e9
"""Active parameters at which `size` changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """Logarithms of hours of a run over hours of its steps and its published losses."""

    cluster: float
    """A run on a cluster, by a framework that is named."""
    few: float
    """Added for a run on a node or two: no network, and whoever publishes it has tuned it."""
    size: float
    """Added per natural logarithm of active parameters over :data:`USUAL`: the dearer the run, the more is tuned."""
    tpu: float
    """Added on TPUs, of which there are no tables of kernels."""
    unnamed: float
    """Added where nobody says which framework: the layout and the software that we choose are good ones."""
    low: float
    """Tenth part of the rows lies below this, as a logarithm about the factor; of rows that the fit has not seen."""
    high: float
    """Tenth part of the rows lies above this."""

    def factor(
        self, *, active: float, devices: int | None, tpu: bool = False, named: bool = True
    ) -> tuple[float, float, float]:
        """Low, likely and high factor on hours; `devices` is None where the record does not say.

        >>> production = Production(cluster=0.4, few=-0.4, size=0.0, tpu=0.0, unnamed=0.0, low=-0.3, high=0.4)
        >>> [round(value, 2) for value in production.factor(active=7e9, devices=8)]
        [0.74, 1.0, 1.49]
        """
        level = self.cluster + self.size * math.log(active / USUAL)
        level += self.few * (devices is not None and devices <= FEW) + self.tpu * tpu + self.unnamed * (not named)
        return math.exp(level + self.low), math.exp(level), math.exp(level + self.high)


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
