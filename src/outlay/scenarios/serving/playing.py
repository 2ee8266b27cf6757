"""Requests played one by one: those of a trace, or made up to come at random where a rate alone is known."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.scenarios.serving.demand import Demand
from outlay.serving import (
    Deployment,
    Replay,
    Requests,
    ServingCoefficients,
    Speculation,
    simulate,
    simulate_disaggregated,
)
from outlay.serving.synthetic import poisson

Progress = Callable[[int, int], None]

PLAYED = 3000
"""Requests that count: 30 of them are slower than the 99 of 100."""
FILLING = 3
"""How often those that are inside at a time come before, and do not count: the first ones meet an empty machine."""
MOST_FILLING = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Equal instances that answer, and those that compute prompts where they are others."""

    decode: Deployment
    replicas: int
    prefill: Deployment | None = None
    prefill_replicas: int = 0
    speculation: Speculation | None = None


def play(
    fleet: Fleet, requests: Requests, coefficients: ServingCoefficients, progress: Progress | None = None
) -> Replay:
    """What becomes of each request."""
    if fleet.prefill is None:
        return simulate(
            fleet.decode,
            requests,
            coefficients,
            replicas=fleet.replicas,
            speculation=fleet.speculation,
            progress=progress,
        )
    return simulate_disaggregated(
        fleet.prefill,
        fleet.decode,
        requests,
        coefficients,
        prefill_instances=fleet.prefill_replicas,
        decode_instances=fleet.replicas,
        speculation=fleet.speculation,
        progress=progress,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Requests that were played, and from which on they count."""

    replay: Replay
    skip: int = 0

    def quantile(self, latency: str, share: float) -> float:
        """Seconds of `ttft`, `tpot` or `e2e` that a share of the requests does not exceed."""
        seconds = getattr(self.replay, latency)[self.skip :]
        seconds = seconds[~np.isnan(seconds)]  # answers of one token have no further ones
        return float(np.quantile(seconds, share)) if len(seconds) else 0.0

    def mean(self, latency: str) -> float:
        """Mean seconds of `ttft`, `tpot` or `e2e`."""
        seconds = getattr(self.replay, latency)[self.skip :]
        seconds = seconds[~np.isnan(seconds)]
        return float(seconds.mean()) if len(seconds) else 0.0

    def good(self, *, ttft: float, tpot: float) -> float:
        """Share of the requests that keep both."""
        return float(self.replay.good(ttft=ttft, tpot=tpot)[self.skip :].mean())

    @property
    def preempted(self) -> NDArray[Any]:
        return np.asarray(self.replay.preempted[self.skip :])

    def __len__(self) -> int:
        return len(self.replay.arrival) - self.skip


def play_at_random(
    fleet: Fleet,
    demand: Demand,
    coefficients: ServingCoefficients,
    *,
    rate: float,
    seconds: float,
    progress: Progress | None = None,
) -> Waits:
    """Requests of the mean length at a `rate` a second for all instances; one takes some `seconds`.

    Equal instances share nothing, so one of them is played with its part; where prompts have instances of their own, all are.
    """
    alone = fleet.prefill is None
    share = rate / fleet.replicas if alone else rate
    skip = min(math.ceil(FILLING * share * seconds), MOST_FILLING)
    requests = poisson(share, PLAYED + skip, input=demand.input, output=demand.output, burstiness=demand.burstiness)
    if demand.cached:
        cached = np.minimum(np.round(requests.input * demand.cached), requests.input - 1).astype(np.int64)
        requests = dataclasses.replace(requests, cached=cached)
    played = dataclasses.replace(fleet, replicas=1) if alone else fleet
    return Waits(replay=play(played, requests, coefficients, progress), skip=skip)
