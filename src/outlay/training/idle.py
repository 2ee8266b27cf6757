"""How many of the devices work: a count that divides badly leaves some idle rather than be slower."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from outlay.machine import Cluster
from outlay.training.choose import TIE, Allowed, Chosen, choose_layout
from outlay.training.coefficients import Coefficients
from outlay.training.production import load_production
from outlay.training.recipe import Recipe
from outlay.workload import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """The layout, and the devices that work in it; the others are idle, and paid for."""

    chosen: Chosen
    devices: int


def rounder(count: int) -> list[int]:
    """The count and smaller ones that divide better: its lowest bits cleared one after another, down to a power of two.

    >>> rounder(23), rounder(24), rounder(64)
    ([23, 22, 20, 16], [24, 16], [64])
    """
    found = [count]
    while (less := found[-1] & (found[-1] - 1)) > 0:
        found.append(less)
    return found


def choose_working(
    recipe: Recipe,
    cluster: Cluster,
    coefficients: Coefficients,
    fixed: Mapping[str, Number] | None = None,
    *,
    batch: Callable[[int], int],
    active: float,
    wide: bool = True,
    allowed: Allowed | None = None,
) -> Working | None:
    """The layout of the shortest run, on all devices or on fewer; None if no count allows any.

    `batch` gives the sequences of a step on a number of devices, `active` are the parameters that a token passes. If none
    fits, the layout nearest to fitting. Whoever fixes the data-parallel degree fixes the devices. `wide` and `allowed` are
    those of :func:`outlay.training.choose_layout`.
    """
    found: list[tuple[bool, float, Working]] = []
    for count in [int(cluster.count)] if "data" in (fixed or {}) else rounder(int(cluster.count)):
        own = replace(recipe, global_batch=batch(count))
        smaller = replace(
            cluster, count=count, node_size=min(int(cluster.node_size), count), domain=min(int(cluster.domain), count)
        )
        chosen = choose_layout(own, smaller, coefficients, fixed, wide=wide, allowed=allowed)
        if chosen is None:
            continue
        fits = bool(chosen.estimate.fits)
        each = float(np.asarray(chosen.estimate.step_seconds)) / float(np.asarray(own.tokens))
        longer = load_production().factor(devices=count, active=active)[1]
        score = each * longer if fits else float(chosen.estimate.memory_bytes)
        # Fewer devices only where that is more than a tie: idle ones are paid for.
        found.append(
            (not fits, score * (1.0 if count == cluster.count else TIE), Working(chosen=chosen, devices=count))
        )
    return min(found, key=lambda entry: entry[:2])[2] if found else None
