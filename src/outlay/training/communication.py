"""Seconds of collectives: of a layer (tensor, context, expert), a micro-batch (pipeline), a step (data)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from outlay.layout import Layout
from outlay.machine import Cluster, Curves, collective_seconds
from outlay.training.memory import StageParameters
from outlay.training.recipe import Recipe
from outlay.workload import Attention, Experts, Layer, Number


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCommunication:
    """Seconds of one layer and micro-batch, forward and backward, by group, and the number of calls that launch
    them."""

    tensor_forward: Number = 0.0
    tensor_backward: Number = 0.0
    context_forward: Number = 0.0
    context_backward: Number = 0.0
    expert_forward: Number = 0.0
    expert_backward: Number = 0.0
    calls_forward: Number = 0.0
    calls_backward: Number = 0.0
    last_forward: Number = 0.0
    """Share of the forward tensor seconds that sums the layer's last output."""


def layer_communication(
    layer: Layer, hidden: int, recipe: Recipe, layout: Layout, cluster: Cluster, curves: Curves
) -> LayerCommunication:
    """What one layer sends for one micro-batch.

    Tensor parallelism reduces the output of attention and of the feed-forward: an all-reduce each way, or with sequence
    parallelism a reduce-scatter and an all-gather, and one more all-gather going back to make the weight gradient [1]_.
    Context parallelism passes keys and values round, their gradients on the way back. Experts receive and return
    tokens.

    .. [1] V. Korthikanti et al., MLSys 2023, section 4.2.2.
    """
    length = recipe.length_in(layout.micro_batch)
    tokens = layout.micro_batch * length / layout.context
    size = tokens * hidden * recipe.activation_bytes
    seconds = partial(collective_seconds, cluster=cluster, curve=curves.collective)
    parallel = np.asarray(layout.sequence_parallel, dtype=bool)

    reduces = sum(
        part is not None and not (isinstance(part, Experts) and not part.shared_width)
        for part in (layer.mixer, layer.feed_forward, layer.cross_attention)
    )
    if layer.parallel:
        reduces = min(reduces, 1)
    all_reduce = seconds("all-reduce", size, layout.tensor)
    gather = seconds("all-gather", size, layout.tensor)
    scatter = seconds("reduce-scatter", size, layout.tensor)
    split = np.greater(layout.tensor, 1)
    tensor_forward = reduces * np.where(parallel, gather + scatter, all_reduce)
    tensor_backward = reduces * np.where(parallel, 2 * gather + scatter, all_reduce)
    last_forward = np.where(parallel, scatter, all_reduce) / np.maximum(tensor_forward, 1e-12)
    calls = reduces * np.where(parallel, 2, 1) * split
    calls_back = reduces * np.where(parallel, 3, 1) * split

    context_forward: Number = 0.0
    if isinstance(layer.mixer, Attention):
        kv_width = (
            np.maximum(layer.mixer.kv_heads / layout.tensor, 1.0) * (layer.mixer.head_dim + layer.mixer.value_dim)
            if layer.mixer.kv_rank is None
            else layer.mixer.heads / layout.tensor * (layer.mixer.head_dim + layer.mixer.value_dim)
        )
        whole = layout.micro_batch * length * kv_width * recipe.activation_bytes
        context_forward = seconds("all-gather", whole, layout.context, stride=layout.tensor)
        calls = calls + (layout.context - 1)
        calls_back = calls_back + 2 * (layout.context - 1)

    expert_seconds: Number = 0.0
    if isinstance(layer.feed_forward, Experts):
        experts = layer.feed_forward
        copies: Number = float(experts.active)
        if recipe.software.deduplicated_dispatch:
            copies = distinct_places(experts.active, layout.expert, layout.expert_tensor, cluster)
        size = tokens / layout.tensor * (experts.latent or hidden) * recipe.activation_bytes
        expert_seconds = 2 * seconds("all-to-all", size * copies, layout.expert, stride=layout.expert_tensor)
        # Ranks that share an expert's columns see each other's tokens: gathered before it, reduced after it.
        shared = size * experts.active * layout.expert_tensor
        gathered = seconds("all-gather", shared, layout.expert_tensor) + seconds(
            "reduce-scatter", shared, layout.expert_tensor
        )
        tensor_forward = tensor_forward + gathered
        tensor_backward = tensor_backward + gathered
        calls = calls + 2 * np.greater(layout.expert, 1)
        calls_back = calls_back + 2 * np.greater(layout.expert, 1)

    return LayerCommunication(
        tensor_forward=tensor_forward,
        tensor_backward=tensor_backward,
        context_forward=context_forward,
        context_backward=2 * context_forward,
        expert_forward=expert_seconds,
        expert_backward=expert_seconds,
        calls_forward=calls,
        calls_backward=calls_back,
        last_forward=last_forward,
    )


def distinct_places(active: int, expert: Number, expert_tensor: Number, cluster: Cluster) -> Number:
    r"""Copies of a token that cross the slowest link on its way to `active` experts, if each place gets at most one.

    Places are the scale-up domains that the expert-parallel group spans, or its ranks where it lies within one. With
    `active` experts drawn evenly, :math:`N (1 - (1 - 1/N)^k)` of `N` places are hit.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> round(float(distinct_places(8, 64, 1, cluster_for(accelerator("h100-sxm-80gb"), 64))), 2)
    5.25
    """
    domains = np.ceil(expert * expert_tensor / cluster.domain)
    places = np.where(np.greater(domains, 1), domains, expert)
    return np.minimum(places * (1.0 - (1.0 - 1.0 / places) ** active), active)


def send_seconds(hidden: int, recipe: Recipe, layout: Layout, cluster: Cluster, curves: Curves) -> Number:
    """Seconds to pass one micro-batch's activations to the next pipeline stage, over the slowest hop of the pipeline.

    Some stages may share a node and others not: a pipeline goes at the pace of its slowest hop. With sequence parallelism
    each tensor rank sends its own part; without it Megatron scatters before sending and gathers after, which moves the
    same bytes over the network.
    """
    size = (
        layout.micro_batch
        * recipe.length_in(layout.micro_batch)
        / layout.context
        * hidden
        * recipe.activation_bytes
        / layout.tensor
    )
    inner = layout.tensor * layout.context * layout.data
    return collective_seconds("send", size, layout.pipeline, stride=inner, cluster=cluster, curve=curves.collective)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCommunication:
    """Seconds a step of data-parallel collectives, before any overlap."""

    gradients: Number
    weights: Number
    micro_batch_gather: Number
    """Seconds of gathering weights for one micro-batch (ZeRO-3: once forward, once backward)."""
    micro_batch_scatter: Number


def data_communication(
    parameters: StageParameters,
    layers: Number,
    recipe: Recipe,
    layout: Layout,
    cluster: Cluster,
    curves: Curves,
) -> DataCommunication:
    """Gradients are reduced over data and context ranks; sharded states gather the new weights.

    Frozen weights have no gradients; experts are replicated over fewer ranks. What shards weights
    gathers and reduces them a layer at a time: as many collectives as there are `layers` on the device, each with its
    start. Where weights are sharded over some of the data ranks and replicated beyond them (HSDP), each shard's gradients
    are then summed over its replicas. Where gradients are sharded (ZeRO 2 and 3) no device has room for sums of its own:
    they are reduced for every micro-batch.
    """
    seconds = partial(collective_seconds, cluster=cluster, curve=curves.collective)
    full = np.equal(layout.zero, 3)
    replicas = np.where(full, layout.data / layout.shards, 1.0)
    ranks = layout.data / replicas * layout.context
    expert_ranks = np.maximum(ranks * layout.tensor / (layout.expert * layout.expert_tensor), 1.0)
    expert_stride = layout.expert * layout.expert_tensor
    wire, weight = recipe.software.reduce_bytes, min(recipe.weight_bytes, 2.0)
    pieces = np.where(full | recipe.software.layer_units, layers, 1.0)

    def both(kind: str, dense: Number, expert: Number) -> Number:
        total: Number = pieces * seconds(kind, dense / pieces, ranks, stride=layout.tensor)
        if np.any(np.greater(expert, 0)):
            total = total + pieces * seconds(kind, expert / pieces, expert_ranks, stride=expert_stride)
        return total

    dense, expert = parameters.trained_dense, parameters.trained_expert
    coded = recipe.storage.coded_bytes or 0.0
    frozen = parameters.dense - dense - parameters.coded_dense, parameters.expert - expert - parameters.coded_expert
    scatter, gather = (
        both("reduce-scatter", dense * wire, expert * wire),
        both("all-gather", dense * weight, expert * weight),
    )
    every = gather
    if recipe.tuning is not None:
        every = both(
            "all-gather",
            (dense + frozen[0]) * weight + parameters.coded_dense * coded,
            (expert + frozen[1]) * weight + parameters.coded_expert * coded,
        )
    sharded, each = np.greater_equal(layout.zero, 1), np.greater_equal(layout.zero, 2)
    gradients: Number = np.where(each, 0.0, np.where(sharded, scatter, both("all-reduce", dense * wire, expert * wire)))
    if np.any(np.greater(replicas, 1)):
        shard = (dense / ranks + expert / expert_ranks) * wire / pieces
        gradients = gradients + pieces * seconds("all-reduce", shard, replicas, stride=layout.tensor * ranks)
    return DataCommunication(
        gradients=gradients,
        weights=np.where(full, 0.0, np.where(sharded, gather, 0.0)),
        micro_batch_gather=np.where(full, every, 0.0),
        micro_batch_scatter=np.where(each, scatter, 0.0),
    )
