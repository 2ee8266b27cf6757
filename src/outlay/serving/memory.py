"""What fills a serving device's memory, and how many sequences then fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from outlay.catalog import Accelerator
from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment
from outlay.serving.kv_cache import sequence_bytes
from outlay.workload import Architecture, Block, Experts, Layer, Number, Recurrent, parameters
from outlay.workload.parameters import attention_weights, layer_parameters

METAL_SHARE, METAL_SHARE_LARGE, METAL_LARGE = 2.0 / 3.0, 0.75, 37e9
"""Share of an Apple chip's memory that its GPU may hold, in small and in large machines, and where those begin, in bytes:
10,923 MB of 16 GB (abetlen/llama-cpp-python issue 687, 2023-09), 49 GB of 64 GB (ggml-org/llama.cpp issue 1870, 2023-08)."""

SYSTEM_BYTES = 1.5e9
"""Bytes that the system keeps where it shares its memory with the model and nobody says how much. Basis: assumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingMemory:
    """Bytes on the fullest device, by part; `cache` is what is left for key-value caches, negative where nothing is."""

    parts: Mapping[str, Number]
    """`weights`, `activations`, `framework`."""
    capacity: float
    """Bytes of the device that a program may have, times the share that the engine fills."""
    cache_share: float = 1.0
    """Share of what is left that the engine takes for caches."""

    @property
    def cache(self) -> Number:
        return (self.capacity - sum(self.parts.values())) * self.cache_share

    @property
    def fits(self) -> Number:
        """Whether weights and working memory leave anything for a cache."""
        return np.greater(self.cache, 0.0)


def memory(
    deployment: Deployment, coefficients: ServingCoefficients, *, step_tokens: Number | None = None
) -> ServingMemory:
    """Bytes of weights, of the activations of a step of `step_tokens` tokens (the engine's chunk), and of the framework.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.serving.coefficients import load_serving
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> found = memory(Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1)), load_serving())
    >>> round(float(found.parts["weights"]) / 2**30, 2)
    14.96
    """
    tokens = deployment.engine.chunk_tokens if step_tokens is None else step_tokens
    held: dict[str, Number] = {
        "weights": weight_bytes(deployment),
        "activations": _activations(deployment, tokens),
        "framework": coefficients.step.framework_of(deployment.engine.kernels),
    }
    if np.any(deployment.held):
        held["beside the model"] = deployment.held
    whole, engine = usable_bytes(deployment.cluster.accelerator), deployment.engine
    if engine.memory_of == "free":
        return ServingMemory(parts=held, capacity=whole, cache_share=engine.memory_share)
    return ServingMemory(parts=held, capacity=whole * engine.memory_share)


def usable_bytes(accelerator: Accelerator) -> float:
    """Bytes that a program may fill: all that a card reports; where the system lives in the same memory, the rest.

    >>> from outlay.catalog import accelerator
    >>> round(usable_bytes(accelerator("m3-max")) / accelerator("m3-max").memory, 2)
    0.75
    """
    if accelerator.category == "apple":
        share = METAL_SHARE_LARGE if accelerator.memory > METAL_LARGE else METAL_SHARE
        return accelerator.memory * share
    if accelerator.category in ("cpu", "edge"):
        return max(accelerator.memory - SYSTEM_BYTES, 0.0)
    return accelerator.memory


def most_sequences(deployment: Deployment, space: ServingMemory, tokens: Number) -> Number:
    """Sequences of `tokens` tokens whose caches fit, all devices of the instance together; 0 where the model does not."""
    each = sequence_bytes(deployment, tokens)
    return np.floor(np.maximum(space.cache, 0.0) / np.maximum(each, 1.0)) * deployment.layout.data


BESIDE = 1.0625
"""Bytes of a weight that a format leaves alone: GGUF files of mixtures in 4 bits hold the rest in q8_0."""


def _wide(deployment: Deployment) -> float:
    """Bytes of a weight that the format leaves alone."""
    if deployment.engine.kernels == "ggml" and deployment.weights.scope == "experts":
        return BESIDE
    return 4.0 if deployment.weights.compute == "fp32" else 2.0


def table_bytes(deployment: Deployment) -> Number:
    """Bytes of the table of tokens that llama.cpp leaves with the host: none where the head is the same table."""
    if deployment.architecture.tied:
        return 0.0
    ends, form = parameters(deployment.architecture), deployment.weights
    each = form.weight_bytes if form.scope == "all" else _wide(deployment)
    return (ends.embedding + ends.embedding_other) * each / deployment.layout.tensor


def weight_bytes(deployment: Deployment) -> Number:
    """Bytes of weights on the fullest device: its layers, and embedding or head (both where there is no pipeline).

    Data-parallel attention repeats everything but routed experts on each device.
    """
    architecture, layout, form = deployment.architecture, deployment.layout, deployment.weights
    wide = _wide(deployment)
    dense = wide if form.scope == "experts" else form.weight_bytes
    total: Number = 0.0
    for block in architecture.kinds:
        count = 1 if block.shared else block.count
        routed, rest = _layer_weights(block.layer, architecture)
        eight = _eight_bit(block.layer, architecture, rest) if form.beside else 0.0
        total = total + count * (
            routed * form.weight_bytes / (layout.expert * layout.expert_tensor)
            + (eight + (rest - eight) * dense + _left(block.layer, deployment)) / layout.tensor
        )
    ends = parameters(architecture)
    table = ends.embedding + ends.embedding_other
    head = ends.head if not architecture.tied else 0
    tables = (table + head) * (form.weight_bytes if form.scope == "all" else wide) / layout.tensor
    return total / layout.pipeline + np.where(np.greater(layout.pipeline, 1), 0.5, 1.0) * tables


def prediction_bytes(deployment: Deployment, depths: int) -> Number:
    """Bytes on a device of `depths` layers that predict further tokens: each is like the last layer of the model, behind a
    product that joins what that gave with the token before (DeepSeek-V3, arXiv:2412.19437, section 2.2). Embedding and head are
    the model's own.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> one = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))
    >>> round(float(prediction_bytes(one, 1)) / 1e6)  # 218 M parameters of a layer, 34 M that join
    503
    """
    architecture, layout = deployment.architecture, deployment.layout
    longer = (*architecture.blocks, Block(layer=architecture.blocks[-1].layer, count=depths))
    more = replace(deployment, architecture=replace(architecture, blocks=longer))
    # They stand on the last stage of a pipeline.
    layers = (weight_bytes(more) - weight_bytes(deployment)) * layout.pipeline
    return layers + depths * 2.0 * architecture.hidden**2 * 2.0 / layout.tensor


def _layer_weights(layer: Layer, architecture: Architecture) -> tuple[float, float]:
    """Parameters of routed experts, and of everything else in a layer."""
    found = layer_parameters(layer, architecture.hidden)
    if not isinstance(layer.feed_forward, Experts):
        return 0.0, float(found.total)
    experts = layer.feed_forward
    routed = found.idle * experts.count / max(experts.count - experts.active, 1)
    return float(routed), float(found.total - routed)


def _left(layer: Layer, deployment: Deployment) -> float:
    """Bytes that 4-bit checkpoints hold beyond those of a layer's parameters, for what they leave in 16 bits (see
    `products.LEFT_BY_NVFP4`)."""
    form, hidden, mixer = deployment.weights, deployment.architecture.hidden, layer.mixer
    if form.name != "nvfp4":
        return 0.0
    left = 0
    if isinstance(mixer, Recurrent):
        left = hidden * (mixer.projected + mixer.inner)
    elif mixer is not None and mixer.kv_rank is not None:
        left = attention_weights(mixer, hidden) - mixer.heads * mixer.value_dim * hidden
    return left * (2.0 - form.weight_bytes)


def _eight_bit(layer: Layer, architecture: Architecture, rest: float) -> float:
    """Parameters that a format of routed experts has in 8 bits: of layers with a state all, of a mixture its shared experts."""
    if isinstance(layer.mixer, Recurrent):
        return rest
    if not isinstance(layer.feed_forward, Experts):
        return 0.0
    shared = layer.feed_forward.shared_width * (3 if layer.feed_forward.gated else 2) * architecture.hidden
    return min(float(shared), rest)


def _activations(deployment: Deployment, tokens: Number) -> Number:
    """The widest moment of a step: inputs and outputs of the widest projections, in 16 bits, and fp32 logits of its
    sequences."""
    architecture, layout = deployment.architecture, deployment.layout
    widest = architecture.hidden
    for block in architecture.kinds:
        feed_forward = block.layer.feed_forward
        if feed_forward is None:
            continue
        ups = 2 if feed_forward.gated else 1
        copies = feed_forward.active if isinstance(feed_forward, Experts) else 1
        widest = max(widest, (ups + 1) * feed_forward.width * copies)
    sequences = np.minimum(deployment.engine.most_sequences, tokens)
    logits = sequences * architecture.vocab * 4.0 / layout.tensor
    return tokens / layout.data * (2.0 * architecture.hidden + widest / layout.tensor) * 2.0 + logits / layout.data
