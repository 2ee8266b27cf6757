"""Seconds of a layer in llama.cpp, from its kernels (:mod:`outlay.serving.ggml`, :mod:`outlay.serving.ggml_prompts`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from outlay.catalog import Accelerator
from outlay.machine import from_memory
from outlay.serving.coefficients import StepCoefficients
from outlay.serving.deployment import Deployment, Work
from outlay.serving.ggml import FEW_ROWS, GRAPHS_SINCE, LAYERS_SINCE, Backend, backend_of, streaming_rate
from outlay.serving.ggml_prompts import product_seconds, score_seconds
from outlay.serving.kv_cache import state_bytes, token_numbers
from outlay.serving.memory import BESIDE, table_bytes, weight_bytes
from outlay.workload import Attention, GroupedMatmul, Layer, Matmul, MemoryBound, Number, Operator, Recurrent
from outlay.workload.parameters import attention_widths


def backend_for(deployment: Deployment, step: StepCoefficients) -> Backend:
    """The fitted backend of a deployment's chip."""
    name = backend_of(deployment.cluster.accelerator, deployment.engine.name)
    return Backend.from_json(step.ggml.get(name, step.ggml["other"]))


def ggml_layer(
    layer: Layer,
    operators: list[Operator],
    deployment: Deployment,
    work: Work,
    backend: Backend,
    tables: Mapping[str, Any] | None = None,
) -> dict[str, Number]:
    """Seconds by cause of one layer; `tables` are the fitted kernels of the vendor's library."""
    chip, form, year = deployment.cluster.accelerator, deployment.weights, deployment.engine.year
    projections: Number = 0.0
    experts: Number = 0.0
    exchanged: Number = 0.0
    beyond = spilled(deployment)
    for op in operators:
        if isinstance(op, Matmul):
            stored = (
                form.weight_bytes if form.scope == "all" or (op.low_precision and form.scope == "linear") else BESIDE
            )
            parts_of = _parts(op, layer)
            projections = projections + ggml_product(
                op, deployment, backend, stored=stored, share=beyond, parts=parts_of, tables=tables
            )
            exchanged = exchanged + op.count * exchange_seconds(op, deployment, backend, parts=len(parts_of))
        elif isinstance(op, GroupedMatmul):
            experts = experts + _experts(op, deployment, backend, tables)
    attention = layer.mixer if isinstance(layer.mixer, Attention) else None
    stream = streaming_rate(chip, form, backend) * backend.cache_share
    parts: dict[str, Number] = {"projections": projections, "experts": experts, "tensor communication": exchanged}
    if attention is not None and attention.causal:
        reach = np.inf if attention.window is None else attention.window
        width = token_numbers(attention, deployment.layout.tensor) * deployment.cache_bytes
        parts["decode attention"] = work.decoding * np.minimum(work.context, reach) * width / stream
        each = np.where(np.greater(work.prefill, 0), work.prefill / np.maximum(work.prompts, 1e-9), 0.0)
        # The kernels go through the whole chunk's square, whatever the mask leaves of it.
        scores = work.prefill * (work.past + each) * attention.heads
        flop = 2.0 * scores * (attention.head_dim + attention.value_dim)
        parts["prompt attention"] = score_seconds(scores, flop, chip, backend, year)
    if isinstance(layer.mixer, Recurrent):
        parts["decode attention"] = 2.0 * work.decoding * state_bytes(layer.mixer, deployment) / stream
    kinds = [op for op in operators if isinstance(op, MemoryBound)]
    kernels = KERNELS * sum(op.kernels_forward for op in kinds)
    moved = backend.passes * sum(op.bytes_forward for op in kinds)
    from_dram = kernels * from_memory(moved / kernels, chip.l2, CACHE_FASTER) if kinds else 0.0
    more = np.maximum(work.tokens - FEW_ROWS, 0.0)
    converted = backend.prompt_seconds * more / (more + FULL_ROWS)
    parts["memory-bound"] = converted + from_dram / (chip.memory_bandwidth * backend.bandwidth_share)
    parts["launches"] = backend.graph_seconds if year >= GRAPHS_SINCE else backend.layer_seconds
    return parts


KERNELS = 3.0
"""Kernels of ggml for one of those that other engines fuse."""
FULL_ROWS = 128.0
"""Rows at which the kernels around products of many rows cost half of what they cost at most: those of a tile."""
CACHE_FASTER = 4.0
"""Rate of a chip's last cache over its memory's: some 4 TB/s on cards of 1."""
WHOLE = 4.0
"""Bytes of an activation that goes from one device to another."""


def by_rows(deployment: Deployment) -> bool:
    """Whether a build divides the rows of every product over its devices, as all did until layers were divided."""
    return deployment.engine.year < LAYERS_SINCE


def _parts(op: Matmul, layer: Layer) -> tuple[float, ...]:
    """Shares of the columns that ggml multiplies one after another where other engines join their weights: queries, keys and
    values; gate and up."""
    if op.name.startswith("query-key-value") and isinstance(layer.mixer, Attention):
        widths = attention_widths(layer.mixer)
        return tuple(width / sum(widths) for width in widths)
    gated = layer.feed_forward is not None and layer.feed_forward.gated
    return (0.5, 0.5) if gated and op.name.startswith("feed-forward up") else (1.0,)


def exchange_seconds(op: Matmul, deployment: Deployment, backend: Backend, *, parts: int) -> Number:
    """Seconds in which a product that is divided by rows gets its input to all devices and its result back to the first.

    Each of `parts` products gets the input anew.
    """
    others = deployment.layout.pipeline - 1.0
    if not by_rows(deployment):
        return 0.0 * others
    chip = deployment.cluster.accelerator
    sent = WHOLE * op.rows * (parts * op.depth * others + op.columns * others / (others + 1.0))
    link = (chip.pcie_bandwidth or PCIE) * backend.link_share
    return 2.0 * parts * others * backend.copy_seconds + np.where(np.greater(op.rows, 0), sent / link, 0.0)


FETCHED_ROWS = 32
"""Rows from which a card fetches weights that the processor keeps, and multiplies them itself (`op_offload`: ggml-cuda and
ggml-vulkan of https://github.com/ggml-org/llama.cpp, `min_batch_size`)."""


def fetching_seconds(kept: Deployment, card: Accelerator, backend: Backend) -> Number:
    """Seconds in which a card fetches the weights of the layers that the processor keeps."""
    return weight_bytes(kept) / ((card.pcie_bandwidth or PCIE) * backend.link_share)


PCIE = 31.5e9
"""Bytes a second of a card of which no host link is published: sixteen lanes of PCIe 4."""
HOST_RATE = 6e10
"""Bytes a second at which the host works on weights that do not fit a card: two channels of DDR5-4800 (76.8 GB/s) at the
share that ggml reaches on processors."""
UNIFIED = frozenset({"apple", "cpu", "edge"})
"""Categories of chips that have no memory of their own beside the host's."""


def spilled(deployment: Deployment) -> Number:
    """Share of the weights that do not fit the cards and stay with the host."""
    chip = deployment.cluster.accelerator
    if chip.category in UNIFIED or "gb10" in chip.silicon.name:
        return 0.0
    held = weight_bytes(deployment) - np.where(np.greater(deployment.layout.pipeline, 1), 0.5, 1.0) * table_bytes(
        deployment
    )
    return np.clip(1.0 - chip.memory * 0.93 / held, 0.0, 1.0)


def ggml_product(
    op: Matmul,
    deployment: Deployment,
    backend: Backend,
    *,
    stored: float,
    share: Number,
    parts: tuple[float, ...] = (1.0,),
    tables: Mapping[str, Any] | None = None,
) -> Number:
    """Seconds of one dense product, in `parts` of its columns, of whose weights a `share` is with the host."""
    chip, form = deployment.cluster.accelerator, deployment.weights
    columns = op.columns / deployment.layout.pipeline if by_rows(deployment) else op.columns
    here: Number = sum(
        parts.count(part)
        * product_seconds(
            op.rows,
            part * columns,
            op.depth,
            chip,
            form,
            backend,
            weight_bytes=stored,
            year=deployment.engine.year,
            tables=tables,
        )
        for part in dict.fromkeys(parts)
    )
    return op.count * ((1.0 - share) * here + share * op.columns * op.depth * stored / HOST_RATE)


def _experts(op: GroupedMatmul, deployment: Deployment, backend: Backend, tables: Mapping[str, Any] | None) -> Number:
    """Products of the experts that the step's tokens visit: each is read once, rows spread over them."""
    chip, form = deployment.cluster.accelerator, deployment.weights
    visited = np.minimum(op.groups, np.maximum(op.rows, 1.0))
    return visited * product_seconds(
        op.rows / visited,
        op.columns,
        op.depth,
        chip,
        form,
        backend,
        weight_bytes=form.weight_bytes,
        year=deployment.engine.year,
        tables=tables,
    )
