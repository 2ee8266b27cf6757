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
from outlay.units import format_quantity

Progress = Callable[[int, int], None]

PLAYED = 3000
"""Requests that count: 30 of them are slower than the 99 of 100."""
MOST_INSIDE = 40_000
"""Requests that a play begins with at most; where more are inside at a time, it does not come to what lasts."""
BEFORE, AFTER = 0.5, 1.2
"""Times that those inside at a time come before the first that counts, and after the last: till it is answered."""


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
    """Requests that were played, and which of them count."""

    replay: Replay
    first: int = 0
    last: int | None = None
    lasting: bool = True
    """The instances were as full before the first that counts and after the last as between."""

    @property
    def counted(self) -> slice:
        return slice(self.first, self.last)

    def quantile(self, latency: str, share: float) -> float:
        """Seconds of `ttft`, `tpot` or `e2e` that a share of the requests does not exceed."""
        seconds = getattr(self.replay, latency)[self.counted]
        seconds = np.sort(seconds[~np.isnan(seconds)])  # answers of one token have no further ones
        # What `np.quantile` says, which loads masked arrays first.
        return float(np.interp(share * (len(seconds) - 1), np.arange(len(seconds)), seconds)) if len(seconds) else 0.0

    def mean(self, latency: str) -> float:
        """Mean seconds of `ttft`, `tpot` or `e2e`."""
        seconds = getattr(self.replay, latency)[self.counted]
        seconds = seconds[~np.isnan(seconds)]
        return float(seconds.mean()) if len(seconds) else 0.0

    def good(self, *, ttft: float, tpot: float) -> float:
        """Share of the requests that keep both."""
        return float(self.replay.good(ttft=ttft, tpot=tpot)[self.counted].mean())

    @property
    def preempted(self) -> NDArray[Any]:
        return np.asarray(self.replay.preempted[self.counted])

    def __len__(self) -> int:
        return len(self.replay.arrival[self.counted])


OVERRUN = 1.5
"""Times the mean answer of the closed form that half of the played ones take, from which on machines that should carry a load do
not: the caches of answers that grow at the same time run out, and what is computed again takes time that was reckoned with
once."""


def too_much(waits: Waits, mean: float) -> str:
    """What to say where a load that should be carried is too much when it is played; `mean`: seconds of an answer in the closed
    form. Empty where it is not."""
    half = waits.quantile("e2e", 0.5)
    if half <= OVERRUN * mean:
        return ""
    took, said = (format_quantity(seconds, "s", digits=2) for seconds in (half, mean))
    times = int(waits.preempted.sum())
    again = f"; caches ran out, and {times:,} times an answer was put back and computed again" if times else ""
    return (
        f"Played, the load is too much: half of the answers take {took} or more, where the closed form says {said} on average"
        f"{again}. Do not plan so: take more machines, or let fewer requests run together (`--max-num-seqs`)."
    )


IDLE = 1.0 / 86_400.0
"""Requests a second so few that each finds an idle server, as still fewer would."""


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
    share = max(share, IDLE)
    inside = math.ceil(share * seconds) if share * seconds < MOST_INSIDE else MOST_INSIDE
    before, after = math.ceil(BEFORE * inside), math.ceil(AFTER * inside)
    count = before + PLAYED + after
    coming = poisson(share, count, input=demand.input, output=demand.output, burstiness=demand.burstiness)
    if demand.cached:
        cached = np.minimum(np.round(coming.input * demand.cached), coming.input - 1).astype(np.int64)
        coming = dataclasses.replace(coming, cached=cached)
    played = dataclasses.replace(fleet, replicas=1) if alone else fleet
    return Waits(
        replay=play(played, begun(coming, inside), coefficients, progress),
        first=inside + before,
        last=inside + before + PLAYED,
        lasting=share * seconds <= MOST_INSIDE,
    )


def begun(coming: Requests, inside: int) -> Requests:
    """With so many before them that are inside when they come, each with another part of its answer done.

    These bring what is done in their caches, so that nothing of it is computed again.

    >>> found = begun(poisson(2.0, 3, input=100, output=40), 4)
    >>> found.arrival[:5].tolist(), found.input[:5].tolist(), found.output[:5].tolist()
    ([0.0, 0.0, 0.0, 0.0, 0.0], [135, 125, 115, 105, 100], [5, 15, 25, 35, 40])
    """
    whole = np.resize(coming.output, inside)
    done = np.floor(whole * (1.0 - (np.arange(inside) + 0.5) / max(inside, 1))).astype(np.int64)
    prompt = np.resize(coming.input, inside) + done
    return Requests(
        np.concatenate([np.zeros(inside), coming.arrival]),
        np.concatenate([prompt, coming.input]),
        np.concatenate([np.maximum(whole - done, 1), coming.output]),
        np.concatenate([prompt - 1, coming.cached]),
    )
