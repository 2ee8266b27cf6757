"""What a simulation found: when each request was begun, answered first and answered last, and how the instances fared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from outlay.serving.load import Performance

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Requests in the order of their arrival, as arrays; seconds since the beginning."""

    arrival: Array
    admitted: Array
    """When the first token of the prompt was computed."""
    first: Array
    """When the first token was there."""
    finish: Array
    input: Array
    output: Array
    preempted: Array
    """Times that a request was put back because blocks ran out."""
    instances: int
    devices: float
    """Of all instances."""
    busy: float
    """Instance-seconds of work."""
    joules: float
    """Of all devices, idle moments included."""
    decoded: float
    """Sequences times decoding steps."""
    steps: int
    """Decoding steps of all instances, those with prompt tokens included."""
    prefill_steps: int
    most_blocks: int
    """Blocks in use on one instance at most."""
    blocks: int
    """Blocks of one instance."""
    held: float
    """Blocks times seconds of work."""
    front_end: float = 0.0
    """Seconds from a client to the engine."""

    @property
    def seconds(self) -> float:
        """From the first arrival to the last token."""
        return float(self.finish.max() - self.arrival.min()) if len(self.arrival) else 0.0

    @property
    def ttft(self) -> Array:
        return np.asarray(self.first - self.arrival)

    @property
    def tpot(self) -> Array:
        """Mean seconds between further tokens, of each request; nan where there is one token alone."""
        further = np.where(self.output > 1, self.output - 1.0, np.nan)
        return np.asarray((self.finish - self.first) / further)

    @property
    def e2e(self) -> Array:
        return np.asarray(self.finish - self.arrival)

    def good(self, *, ttft: float = np.inf, tpot: float = np.inf, e2e: float = np.inf) -> Array:
        """Which requests meet every objective."""
        per_token = np.nan_to_num(self.tpot, nan=0.0)
        return np.asarray((self.ttft <= ttft) & (per_token <= tpot) & (self.e2e <= e2e))

    def goodput(self, *, ttft: float = np.inf, tpot: float = np.inf, e2e: float = np.inf) -> float:
        """Requests a second that meet every objective (Zhong et al. 2024, DistServe, arXiv:2401.09670)."""
        return float(np.count_nonzero(self.good(ttft=ttft, tpot=tpot, e2e=e2e)) / max(self.seconds, 1e-12))

    def quantiles(self, shares: tuple[float, ...] = (0.5, 0.9, 0.99)) -> dict[str, float]:
        """`ttft_p50` and so on, seconds."""
        found = {}
        for name, values in (("ttft", self.ttft), ("tpot", self.tpot[self.output > 1]), ("e2e", self.e2e)):
            for share in shares:
                found[f"{name}_p{share * 100:g}"] = float(np.quantile(values, share)) if len(values) else 0.0
        return found

    @property
    def performance(self) -> Performance:
        """Means and quantiles over all requests; rates of all instances together."""
        seconds = max(self.seconds, 1e-12)
        further = self.tpot[self.output > 1]
        return Performance(
            ttft=float(self.ttft.mean()),
            tpot=float(further.mean()) if len(further) else 0.0,
            e2e=float(self.e2e.mean()),
            requests_per_second=len(self.arrival) / seconds,
            output_per_second=float(self.output.sum()) / seconds,
            total_per_second=float(self.input.sum() + self.output.sum()) / seconds,
            concurrency=float(self.e2e.sum()) / seconds,
            decoding=self.decoded / max(self.steps, 1),
            utilisation=self.busy / (self.instances * seconds),
            cache_share=self.held / max(self.blocks * self.instances * seconds, 1e-12),
            queue=float((self.admitted - self.arrival).mean()) - self.front_end,
            device_watts=self.joules / (self.devices * seconds),
            busy=self.busy / (self.instances * seconds),
            quantiles=self.quantiles(),
        )
