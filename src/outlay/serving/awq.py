r"""Products and attention in AutoAWQ's own kernels, on a GPU: one for 4-bit weights packed for tensor cores (GEMM), one for a
single row (GEMV).

*GEMM* widens a tile of weights for each 16 rows and multiplies on tensor cores. *GEMV* unpacks every weight anew for each row on
the vector lanes; beyond eight rows another kernel does the same for more rows at a time. Both read the weights once:

.. math:: t = \Bigl( (b / \beta f)^4 + t_{arithmetic}^4 \Bigr)^{1/4}, \qquad
          t_{GEMM} = \frac{2 \cdot 16 \lceil r/16 \rceil w}{s F}, \qquad t_{GEMV} = \frac{r\,w}{\kappa\,n\,c}

for :math:`w` weights of :math:`b` bytes in all, :math:`r` rows, peak :math:`F`, :math:`n` processors at clock :math:`c`.
Prompts write their scores out between two products; decoding has one block of threads for each head and sequence, which takes
in so many bytes a clock however many others there are. From the project's sources (https://github.com/casper-hansen/AutoAWQ,
awq/modules/linear and awq/modules/fused/attn.py, read 2026-11-26).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.machine import Curves, gemm_seconds, grouped_gemm_seconds, memory_seconds
from outlay.serving.deployment import Deployment, Work
from outlay.serving.ggml import JOIN, processor_clocks
from outlay.serving.kv_cache import token_numbers
from outlay.workload import Attention, GroupedMatmul, Layer, Matmul, Number, Operator

TENSOR_ROWS = 16.0
"""Rows of a tile of the kernel for tensor cores: weights are widened once for each tile."""
PARTS, HALF = 8.0, 2.0
"""Parts of a product's depth in that kernel, whatever the rows (`split_k_iters`), and bytes of each of their numbers."""
FEW_ROWS = 8.0
"""Rows up to which the kernel for single rows runs."""
SCORE_BYTES = 32.0
"""Bytes moved for each score of a prompt: products, scale, mask, 32-bit softmax and back, one kernel after another."""
SCORE_KERNELS = 6
BLOCKS = 4.0
"""Blocks of threads of decoding attention that a processor holds at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AwqKernels:
    """What decides the speed of AutoAWQ's kernels."""

    bandwidth_share: Mapping[str, float]
    """Share of the memory's bandwidth at which weights are read, by kernel: `gemm`, `gemv`."""
    tensor_share: float
    """Share of the 16-bit peak that full tiles of the kernel for tensor cores reach."""
    weights_clock: Mapping[str, float]
    """Weights that a processor unpacks and multiplies in a clock, row by row: `few` rows, `many` rows."""
    block_bytes: float
    """Bytes of the cache that one block of threads takes in a clock."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AwqKernels:
        """As the catalog stores it."""
        return cls(**values)


def by_rows(deployment: Deployment) -> bool:
    """Whether weights are packed for the kernel of single rows."""
    return deployment.engine.name.endswith("gemv")


def awq_runs(deployment: Deployment) -> bool:
    """Whether AutoAWQ's kernels run: its engine, and weights narrower than they are multiplied."""
    return deployment.engine.kernels == "awq" and deployment.weight_bytes is not None


def awq_product_seconds(rows: Number, weights: Number, deployment: Deployment, kernels: AwqKernels) -> Number:
    """Seconds of a product of `rows` rows with `weights` numbers in 4 bits.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.serving.engines import engine_for
    >>> from outlay.serving.formats import format_for
    >>> from outlay.workload import transformer
    >>> kernels = AwqKernels(bandwidth_share={"gemm": 0.8, "gemv": 0.9}, tensor_share=0.5,
    ...                      weights_clock={"few": 12.0, "many": 20.0}, block_bytes=8.0)
    >>> small = transformer(layers=1, hidden=4096, heads=32, vocab=32000)
    >>> at = lambda name: Deployment(architecture=small, cluster=cluster_for(accelerator("rtx-4090"), 1),
    ...                              engine=engine_for(name), weights=format_for("awq"))
    >>> [round(float(awq_product_seconds(r, 4096 * 14336, at("awq"), kernels)) * 1e6) for r in (1, 16, 512)]
    [39, 39, 728]
    >>> [round(float(awq_product_seconds(r, 4096 * 14336, at("awq-gemv"), kernels)) * 1e6) for r in (1, 8, 512)]
    [34, 122, 4660]
    """
    chip = deployment.cluster.accelerator
    stored = deployment.weights.weight_bytes
    kernel = "gemv" if by_rows(deployment) else "gemm"
    read = weights * stored / (chip.memory_bandwidth * kernels.bandwidth_share[kernel])
    if kernel == "gemm":
        filled = np.ceil(np.maximum(rows, 1e-9) / TENSOR_ROWS) * TENSOR_ROWS
        busy = 2.0 * filled * weights / (kernels.tensor_share * chip.peak("fp16"))
    else:
        each = np.where(np.less_equal(rows, FEW_ROWS), kernels.weights_clock["few"], kernels.weights_clock["many"])
        busy = rows * weights / (each * processor_clocks(chip))
    return np.where(np.greater(rows, 0), (read**JOIN + busy**JOIN) ** (1.0 / JOIN), 0.0)


def awq_parts(
    layer: Layer,
    operators: list[Operator],
    deployment: Deployment,
    work: Work,
    curves: Curves,
    coefficients: Mapping[str, Any],
) -> dict[str, Number]:
    """Seconds by cause of what runs in AutoAWQ's own kernels in one layer; the rest is as other engines have it.

    `coefficients` are the fields of :class:`AwqKernels`.
    """
    kernels = AwqKernels.from_json(coefficients)
    projections: Number = 0.0
    experts: Number = 0.0
    for op in operators:
        if isinstance(op, Matmul) and op.low_precision:
            product = awq_product_seconds(op.rows, op.columns * op.depth, deployment, kernels)
            projections = projections + op.count * (product + summing_seconds(op, deployment, curves))
        elif isinstance(op, Matmul):
            projections = projections + gemm_seconds(
                op.rows, op.columns, op.depth, batch=op.count, curve=curves.gemm_base
            )
        elif isinstance(op, GroupedMatmul):
            experts = experts + _experts(op, deployment, curves, kernels)
    parts: dict[str, Number] = {"projections": projections, "experts": experts}
    attention = layer.mixer if isinstance(layer.mixer, Attention) else None
    if attention is not None and attention.causal and attention.kv_rank is None:
        parts["prompt attention"] = written_out(attention, deployment, work, curves)
        parts["decode attention"] = one_block_a_head(attention, deployment, work, kernels)
    return parts


def summing_seconds(op: Matmul, deployment: Deployment, curves: Curves) -> Number:
    """Seconds of the parts that the kernel for tensor cores splits a product's depth into: it writes each, and another kernel
    adds them up."""
    if by_rows(deployment):
        return 0.0
    return memory_seconds((2.0 * PARTS + 1.0) * HALF * op.rows * op.columns, curve=curves.memory)


def _experts(op: GroupedMatmul, deployment: Deployment, curves: Curves, kernels: AwqKernels) -> Number:
    """Experts one after another in the same kernels; many rows as other engines group them."""
    visited = np.minimum(op.groups, np.maximum(op.rows, 1.0))
    few = visited * awq_product_seconds(op.rows / visited, op.columns * op.depth, deployment, kernels)
    grouped = grouped_gemm_seconds(
        op.rows,
        n=op.columns,
        k=op.depth,
        experts=op.groups,
        weight_bytes=deployment.weight_bytes,
        curve=curves.grouped,
    )
    return np.maximum(few, grouped)


def written_out(attention: Attention, deployment: Deployment, work: Work, curves: Curves) -> Number:
    """Seconds of a prompt's attention that writes its scores out: a full square, whatever the mask leaves of it."""
    each = np.where(np.greater(work.prefill, 0), work.prefill / np.maximum(work.prompts, 1e-9), 0.0)
    keys = each + work.past
    batch = work.prompts / deployment.layout.data * attention.heads / deployment.layout.tensor
    gemm = curves.gemm_base
    products = gemm_seconds(each, keys, attention.head_dim, batch=batch, curve=gemm) + gemm_seconds(
        each, attention.value_dim, keys, batch=batch, curve=gemm
    )
    moved = memory_seconds(SCORE_BYTES * batch * each * keys, kernels=SCORE_KERNELS, curve=curves.memory)
    return np.where(np.greater(each, 0), products + moved, 0.0)


def one_block_a_head(attention: Attention, deployment: Deployment, work: Work, kernels: AwqKernels) -> Number:
    """Seconds of decoding attention in which one block of threads goes through the cache for each head and sequence."""
    chip, layout = deployment.cluster.accelerator, deployment.layout
    sequences = work.decoding / layout.data
    seen = work.context if attention.window is None else np.minimum(work.context, attention.window)
    rate = processor_clocks(chip)
    cores = float(chip.cores or 1)
    rounds = np.ceil(sequences * attention.heads / layout.tensor / (BLOCKS * cores))
    each = (attention.head_dim + attention.value_dim) * deployment.cache_bytes
    walked = rounds * seen * each / (kernels.block_bytes * rate / cores)
    read = sequences * seen * token_numbers(attention, layout.tensor) * deployment.cache_bytes / chip.memory_bandwidth
    return np.maximum(walked, read)
