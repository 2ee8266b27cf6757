"""Seconds of the collectives of a layer: sums over tensor-parallel devices, and the way of tokens to their experts and back."""

from __future__ import annotations

import numpy as np

from outlay.machine import Curves, collective_seconds, expert_exchange_seconds, small_all_reduce_seconds
from outlay.serving.deployment import Deployment, Work
from outlay.workload import Attention, Experts, Layer, Number


def layer_communication(layer: Layer, deployment: Deployment, work: Work, curves: Curves) -> dict[str, Number]:
    """Seconds by cause of one layer and step."""
    layout, cluster = deployment.layout, deployment.cluster
    size = work.tokens * deployment.architecture.hidden * 2.0 / layout.data
    parts = sum(part is not None for part in (layer.mixer, layer.feed_forward, layer.cross_attention))
    reduces = 1 if layer.parallel else parts
    reduce = small_all_reduce_seconds(
        size, layout.tensor, cluster=cluster, curve=curves.small_all_reduce, collective=curves.collective
    )
    summed: Number = 0.0
    if isinstance(layer.mixer, Attention) and layer.mixer.normed_together:
        # Two sums of squares of each token, in one message (https://github.com/vllm-project/vllm/pull/31493).
        summed = small_all_reduce_seconds(
            work.tokens * 8.0 / layout.data,
            layout.tensor,
            cluster=cluster,
            curve=curves.small_all_reduce,
            collective=curves.collective,
        )
    sent: Number = 0.0
    if isinstance(layer.feed_forward, Experts):
        sent = _exchange(layer.feed_forward, deployment, work, curves) + _gathered(deployment, work, curves)
    return {"tensor communication": reduces * reduce + summed, "expert communication": sent}


def _gathered(deployment: Deployment, work: Work, curves: Curves) -> Number:
    """Where attention is data-parallel and experts are split by columns, every device gets all tokens and a part of each result:
    they are gathered before and summed after, as much as an all-reduce sends."""
    layout = deployment.layout
    split = np.where(np.greater(layout.data, 1) & np.equal(layout.expert, 1), layout.expert_tensor, 1)
    if np.all(np.equal(split, 1)):
        return 0.0
    size = (work.tokens - work.absent) * deployment.architecture.hidden * 2.0
    return small_all_reduce_seconds(
        size, split, cluster=deployment.cluster, curve=curves.small_all_reduce, collective=curves.collective
    )


def _exchange(experts: Experts, deployment: Deployment, work: Work, curves: Curves) -> Number:
    """Tokens go to their experts and come back, where attention is data-parallel and experts are divided.

    Inside a fast domain kernels of the engine's own send them, one way for decoding and another for prompts; beyond it the
    library's all-to-all.
    """
    layout, cluster = deployment.layout, deployment.cluster
    hidden = experts.latent or deployment.architecture.hidden
    tokens = (work.tokens - work.absent) / layout.data / layout.tensor
    group = np.where(np.greater(layout.data, 1), layout.expert, 1)
    if np.all(np.equal(group, 1)):
        return 0.0
    copies = np.minimum(experts.active, layout.expert)
    beyond = 2.0 * collective_seconds(
        "all-to-all",
        tokens * hidden * 2.0 * copies,
        group,
        stride=layout.expert_tensor,
        cluster=cluster,
        curve=curves.collective,
    )

    def own(way: str) -> Number:
        return sum(
            expert_exchange_seconds(
                phase,
                tokens,
                experts.active,
                hidden,
                group,
                way=way,
                link_bandwidth=cluster.link_bandwidth,
                curve=curves.expert_exchange,
            )
            for phase in ("dispatch", "combine")
        )

    filling = np.greater(work.prefill, 0)
    if np.any(filling):
        inside = own("throughput") if np.all(filling) else np.where(filling, own("throughput"), own("low-latency"))
    else:
        inside = own("low-latency")
    reach = np.less_equal(group * layout.expert_tensor, cluster.domain)
    return np.where(reach & np.greater(cluster.domain, 1), inside, beyond)
