"""What is asked of a deployment, and how it then fares: the load, and the latencies and rates that come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outlay.workload import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Requests of one kind: tokens in and out, and how they come. Exactly one of `concurrency` and `rate` is given."""

    input: Number
    """Mean tokens of a prompt."""
    output: Number
    """Mean tokens of an answer, the first included."""
    concurrency: Number | None = None
    """Requests that clients keep open: a new one is sent when one is answered (a closed loop)."""
    rate: Number | None = None
    """Requests a second that arrive whatever happens (an open loop)."""
    cached: Number = 0.0
    """Share of a prompt's tokens whose keys and values are in the cache already (prefix caching)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """How one instance fares under a load. Seconds, tokens a second of the whole instance, shares."""

    ttft: Number
    """Mean seconds from a request to its first token, queueing included."""
    tpot: Number
    """Mean seconds between further tokens of a request."""
    e2e: Number
    """Mean seconds from a request to its last token: ttft + (output − 1) · tpot."""
    requests_per_second: Number
    output_per_second: Number
    total_per_second: Number
    """Prompt tokens and answered tokens."""
    concurrency: Number
    """Requests that are in the instance on average, waiting ones included."""
    decoding: Number
    """Sequences that decode together on average."""
    utilisation: Number
    """Share of the time in which the instance works; 1 and more cannot be sustained."""
    cache_share: Number
    """Mean share of the room for caches that is in use."""
    queue: Number
    """Of `ttft`: seconds of waiting before the prompt is begun."""
    device_watts: Number
    """Mean power of one device."""
    quantiles: Mapping[str, Number] = field(default_factory=dict)
    """`ttft_p50`, `ttft_p90`, `ttft_p99`, and the same of `tpot` and `e2e`, where they are known."""
