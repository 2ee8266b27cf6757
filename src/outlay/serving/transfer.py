"""Sending the cache of a prompt from the device that computed it to the one that answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.serving.deployment import Deployment
from outlay.serving.kv_cache import sequence_bytes
from outlay.workload import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """How caches travel: every device of the prefilling instance sends what it holds, at the same time."""

    bandwidth: Number
    """Bytes a second that one device sends; infinite: in no time."""
    latency: Number = 0.0
    """Seconds before the first byte."""

    @staticmethod
    def over_network(sends: Deployment, takes: Deployment | None = None) -> Transfer:
        """By the network cards of the two clusters, of which the slower ones decide; None is a cluster alike."""
        one, other = sends.cluster, (takes or sends).cluster
        bandwidth = np.minimum(
            one.network_bandwidth * one.network_efficiency, other.network_bandwidth * other.network_efficiency
        )
        return Transfer(bandwidth=bandwidth, latency=one.network_latency)

    @staticmethod
    def instant() -> Transfer:
        """In no time: what disaggregation itself does, without the network."""
        return Transfer(bandwidth=np.inf)

    def seconds(self, prefill: Deployment, decode: Deployment, tokens: Number) -> Number:
        """Of one cache of so many tokens.

        The side with fewer parts of the cache decides: each of its devices sends or takes in a larger one.

        >>> from outlay.catalog import accelerator
        >>> from outlay.machine import cluster_for
        >>> from outlay.workload import transformer
        >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True)
        >>> one = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 8))
        >>> round(float(Transfer(bandwidth=50e9).seconds(one, one, 8192)) * 1e3, 1)  # 1 GiB at 50 GB/s
        21.5
        """
        most = np.maximum(sequence_bytes(prefill, tokens), sequence_bytes(decode, tokens))
        return self.latency + most / self.bandwidth
