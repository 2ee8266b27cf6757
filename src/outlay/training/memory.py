"""Bytes that training needs on one device, for the fullest pipeline stage.

Weights, gradients and optimizer state follow ZeRO [1]_, activations the operators' own accounts and the number of
micro-batches that a pipeline schedule keeps in flight [2]_ [3]_.

.. [1] S. Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models", SC20, section 3.
.. [2] D. Narayanan et al., "Efficient Large-Scale Language Model Training on GPU Clusters", SC21, section 2.2.
.. [3] V. Korthikanti et al., "Reducing Activation Recomputation in Large Transformer Models", MLSys 2023, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.layout import Layout
from outlay.training.recipe import OPTIMIZERS, Recipe
from outlay.workload import Number

PARTS = ("weights", "gradients", "optimizer", "activations", "loss", "framework", "fragmentation")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageParameters:
    """Parameters on one device of a stage, before ZeRO: those that data-parallel ranks replicate, and experts."""

    dense: Number
    expert: Number
    largest_layer: Number
    """Parameters of one layer on this device: what FSDP gathers at a time."""


def states(parameters: StageParameters, layout: Layout, recipe: Recipe) -> dict[str, Number]:
    """Bytes of weights, gradients and optimizer state on one device.

    Expert parameters are replicated fewer times than dense ones, so they are sharded over fewer ranks.
    """
    optimizer = OPTIMIZERS[recipe.optimizer]
    shards = layout.shards * layout.context
    expert_shards = np.maximum(
        layout.shards * layout.context * layout.tensor / (layout.expert * layout.expert_tensor), 1.0
    )
    zero = layout.zero

    def held(stage: int) -> Number:
        """Parameters on a device of a state that ZeRO shards from `stage` on."""
        return np.where(
            np.greater_equal(zero, stage),
            parameters.dense / shards + parameters.expert / expert_shards,
            parameters.dense + parameters.expert,
        )

    gathered = np.where(np.equal(zero, 3), 2.0 * parameters.largest_layer, 0.0)
    # FSDP keeps fp32 shards and gathers 16-bit layers; others keep the 16-bit weights and an fp32 master copy.
    weights = held(3) * recipe.weight_bytes + gathered * min(recipe.weight_bytes, 2.0)
    copied = recipe.software.gradient_copy_bytes if recipe.precision == "bf16" else 0.0
    gradients = held(2) * (recipe.software.gradient_bytes + copied) + np.where(
        np.equal(zero, 3), parameters.largest_layer * recipe.software.reduce_bytes, 0.0
    )
    kept = held(1) * (recipe.master_bytes + optimizer.state_bytes) * (1.0 - layout.offload)
    return {"weights": weights, "gradients": gradients, "optimizer": kept}


def in_flight(layout: Layout, micro_batches: Number, *, first: bool) -> Number:
    """Micro-batches' worth of a stage's activations that are alive at once.

    1F1B keeps `pipeline` on the first stage and one on the last; the interleaved schedule 1 + (p − 1)/(p·v) times as
    many on the first [2]_.

    >>> float(in_flight(Layout(pipeline=8), 64, first=True)), float(in_flight(Layout(pipeline=8), 64, first=False))
    (8.0, 1.0)
    >>> float(in_flight(Layout(pipeline=8, virtual=2), 64, first=True))
    11.5
    """
    p, v = layout.pipeline, layout.virtual
    if first:
        plain: Number = np.where(np.greater(v, 1), p + (p - 1) / v, p)
    else:
        plain = np.where(np.greater(v, 1), 1 + p * (v - 1) / v + (1 - 1 / v), 1.0)
    return np.minimum(plain, micro_batches)
