"""Seconds of a layer in llama.cpp, from its kernels (:mod:`outlay.serving.ggml`)."""

from __future__ import annotations

import numpy as np

from outlay.serving.coefficients import StepCoefficients
from outlay.serving.deployment import Deployment, Work
from outlay.serving.ggml import Backend, backend_of, half_peak, product_seconds, streaming_rate
from outlay.serving.kv_cache import token_numbers
from outlay.serving.memory import weight_bytes
from outlay.workload import Attention, GroupedMatmul, Layer, Matmul, MemoryBound, Number, Operator


def backend_for(deployment: Deployment, step: StepCoefficients) -> Backend:
    """The fitted backend of a deployment's chip."""
    name = backend_of(deployment.cluster.accelerator, deployment.engine.name)
    return Backend.from_json(step.ggml.get(name, step.ggml["other"]))


def ggml_layer(
    layer: Layer, operators: list[Operator], deployment: Deployment, work: Work, backend: Backend
) -> dict[str, Number]:
    """Seconds by cause of one layer."""
    chip, form = deployment.cluster.accelerator, deployment.weights
    projections: Number = 0.0
    experts: Number = 0.0
    for op in operators:
        if isinstance(op, Matmul):
            stored = (
                form.weight_bytes if form.scope == "all" or (op.low_precision and form.scope == "linear") else BESIDE
            )
            projections = projections + ggml_product(op, deployment, backend, stored=stored)
        elif isinstance(op, GroupedMatmul):
            experts = experts + _experts(op, deployment, backend)
    attention = layer.mixer if isinstance(layer.mixer, Attention) else None
    stream = streaming_rate(chip, form, backend) * backend.cache_share
    parts: dict[str, Number] = {"projections": projections, "experts": experts}
    if attention is not None and attention.causal:
        reach = np.inf if attention.window is None else attention.window
        width = token_numbers(attention, deployment.layout.tensor) * deployment.cache_bytes
        parts["decode attention"] = work.decoding * np.minimum(work.context, reach) * width / stream
        each = np.where(np.greater(work.prefill, 0), work.prefill / np.maximum(work.prompts, 1e-9), 0.0)
        keys = np.minimum(work.past + each / 2.0, reach)
        flop = 2.0 * work.prefill * keys * attention.heads * (attention.head_dim + attention.value_dim)
        parts["prompt attention"] = flop / (backend.attention_share * half_peak(chip))
    moved = sum(op.bytes_forward for op in operators if isinstance(op, MemoryBound))
    parts["memory-bound"] = backend.passes * moved / (chip.memory_bandwidth * backend.bandwidth_share)
    parts["launches"] = backend.layer_seconds
    return parts


HOST_RATE = 6e10
"""Bytes a second at which the host works on weights that do not fit a card: two channels of DDR5-4800 (76.8 GB/s) at the
share that ggml reaches on processors."""
BESIDE = 1.0625
"""Bytes of a weight that a format leaves alone: GGUF files of mixtures in 4 bits hold the rest in q8_0."""
UNIFIED = frozenset({"apple", "cpu", "edge"})
"""Categories of chips that have no memory of their own beside the host's."""


def spilled(deployment: Deployment) -> Number:
    """Share of the weights that do not fit the cards and stay with the host."""
    chip = deployment.cluster.accelerator
    if chip.category in UNIFIED or "gb10" in chip.name:
        return 0.0
    return np.clip(1.0 - chip.memory * 0.93 / weight_bytes(deployment), 0.0, 1.0)


def ggml_product(op: Matmul, deployment: Deployment, backend: Backend, *, stored: float) -> Number:
    """Seconds of one dense product."""
    chip, form = deployment.cluster.accelerator, deployment.weights
    numbers = op.columns * op.depth
    here = product_seconds(op.rows, numbers, chip, form, backend, weight_bytes=stored)
    share = spilled(deployment)
    return op.count * ((1.0 - share) * here + share * numbers * stored / HOST_RATE)


def _experts(op: GroupedMatmul, deployment: Deployment, backend: Backend) -> Number:
    """Products of the experts that the step's tokens visit: each is read once, rows spread over them."""
    chip, form = deployment.cluster.accelerator, deployment.weights
    visited = np.minimum(op.groups, np.maximum(op.rows, 1.0))
    return visited * product_seconds(
        op.rows / visited, op.columns * op.depth, chip, form, backend, weight_bytes=form.weight_bytes
    )
