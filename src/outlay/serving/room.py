r"""How many requests can run together: the engine's limit, and the room for their caches.

Requests that run are at all stages of their answers, so that together they take now more, now less than as many mean ones.
With room for x mean requests, and a total that spreads evenly over a width w about its mean (one of variance
:math:`w^2/12`), there run, on average and while others wait,

.. math:: L = \frac{1}{w} \int_{x - w/2}^{x + w/2} \lfloor s \rfloor \, ds

which is :math:`x - 1/2` once the total spreads over a request or more: the room is half a request short of full when the
next one has to wait, as the event simulator finds (`tests/serving/test_room.py`). Requests that take their whole room at
once, all alike, do not spread, and :math:`L = \lfloor x \rfloor`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment
from outlay.serving.engines import Engine
from outlay.serving.kv_cache import sequence_bytes
from outlay.serving.load import Load
from outlay.serving.memory import memory
from outlay.workload import Number

RESERVING = ("trtllm", "trtllm-cpp", "llamacpp", "llamacpp-server")
"""Families whose scheduler admits a request only where its whole answer fits (TensorRT-LLM's `GUARANTEED_NO_EVICT`, its
default: https://nvidia.github.io/TensorRT-LLM/performance/performance-tuning-guide/useful-runtime-flags.html; llama.cpp's
slots, each of which has its part of the context). The others
admit what fits now, and compute a sequence again when blocks run out."""


def reserves(engine: Engine) -> bool:
    """Whether a request is admitted only where its whole answer fits."""
    return engine.family in RESERVING and not engine.evicts


NARROW = 1e-6
"""Width, in requests, of a total that does not spread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Of one instance."""

    sequences: Number
    """Requests that run together at most, on average while others wait; 0 where the model or a single request does not fit."""
    cache_bytes: Number
    """Bytes for caches on one device."""
    mean_bytes: Number
    """Bytes that a running request takes of them on average, divided by the devices that share sequences."""

    def at(self, places: Any) -> Room:
        """That of some of the deployments whose numbers are spelled out."""
        fields = ("sequences", "cache_bytes", "mean_bytes")
        return Room(**{name: np.asarray(getattr(self, name))[places] for name in fields})


def room(
    deployment: Deployment,
    load: Load,
    coefficients: ServingCoefficients,
    *,
    most_sequences: Number | None = None,
    together: Number = False,
) -> Room:
    """Room for requests of this load. `together`: all reach their full length at the same time."""
    data = deployment.layout.data
    free = np.maximum(memory(deployment, coefficients).cache, 0.0)
    whole = np.maximum(sequence_bytes(deployment, np.add(load.input, load.output)), 1.0)
    mean = np.maximum(sequence_bytes(deployment, load.context), 1.0)
    grown = np.maximum(whole - sequence_bytes(deployment, load.input), 0.0)
    squared = np.square(load.variation)
    if deployment.engine.batching == "static":
        each, spread = whole, 0.0 * grown
    elif reserves(deployment.engine):
        # Long answers stay longer, so that more of those that run are long.
        each, spread = whole + grown * squared, grown * np.sqrt((1.0 + squared) * squared)
    else:
        progress = (1.0 + squared) * (1.0 + 2.0 * squared) / 3.0 - np.square((1.0 + squared) / 2.0)
        each, spread = np.minimum(mean, whole), grown * np.sqrt(progress)
    each, spread = np.where(together, whole, each), np.where(together, 0.0, spread)
    held = free / each
    fit = evenly_floored(held, np.sqrt(12.0 * np.maximum(held, 1.0)) * spread / each) * data
    told = deployment.engine.most_sequences * data if most_sequences is None else most_sequences
    return Room(
        sequences=np.where(np.greater_equal(free, whole), np.minimum(np.maximum(fit, data), told), 0.0),
        cache_bytes=free,
        mean_bytes=mean / data,
    )


def evenly_floored(middle: Number, width: Number) -> Number:
    """Mean of the whole part of numbers that lie evenly within `width` about `middle`.

    >>> [round(float(evenly_floored(middle, width)), 3) for middle, width in ((4.0, 0.0), (4.0, 0.5), (4.2, 3.0))]
    [4.0, 3.5, 3.7]
    """
    wide = np.maximum(width, NARROW)
    least = np.maximum(middle - wide / 2.0, 0.0)
    base = np.floor(least)

    def below(number: Number) -> Number:
        """Integral of the whole part from 0."""
        whole = np.floor(number)
        return whole * (number - (whole + 1.0) / 2.0)

    spread = base + (below(middle + wide / 2.0 - base) - below(least - base)) / wide
    return np.where(np.less_equal(width, NARROW), np.floor(middle), spread)
