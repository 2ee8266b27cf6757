"""How many requests can run together: the engine's limit, and the room for their caches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment
from outlay.serving.kv_cache import sequence_bytes
from outlay.serving.load import Load
from outlay.serving.memory import memory
from outlay.workload import Number

RESERVING = ("trtllm", "trtllm-cpp")
"""Families whose scheduler admits a request only where its whole answer fits (TensorRT-LLM's `GUARANTEED_NO_EVICT`, its
default: https://nvidia.github.io/TensorRT-LLM/performance/performance-tuning-guide/useful-runtime-flags.html). The others
admit what fits now, and compute a sequence again when blocks run out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Of one instance."""

    sequences: Number
    """Requests that run together at most; 0 where the model or a single request does not fit."""
    cache_bytes: Number
    """Bytes for caches on one device."""
    mean_bytes: Number
    """Bytes that a running request takes of them on average, divided by the devices that share sequences."""


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
    reserving = deployment.engine.family in RESERVING or deployment.engine.batching == "static"
    each = np.where(np.logical_or(together, reserving), whole, np.minimum(mean, whole))
    fit = np.floor(free / each) * data
    told = deployment.engine.most_sequences * data if most_sequences is None else most_sequences
    return Room(
        sequences=np.where(np.greater_equal(free, whole), np.minimum(fit, told), 0.0),
        cache_bytes=free,
        mean_bytes=mean / data,
    )
