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
from outlay.training.recipe import Recipe
from outlay.workload import Number

PARTS = ("weights", "gradients", "optimizer", "activations", "loss", "framework", "fragmentation")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageParameters:
    """Parameters on one device of a stage, before ZeRO: those that data-parallel ranks replicate, and experts."""

    dense: Number
    expert: Number
    largest_layer: Number
    """Parameters of one layer on this device: what FSDP gathers at a time."""
    trained_dense: Number
    trained_expert: Number
    largest_trained: Number
    coded_dense: Number = 0.0
    """Frozen parameters that are kept in a storage type."""
    coded_expert: Number = 0.0


def states(parameters: StageParameters, layout: Layout, recipe: Recipe) -> dict[str, Number]:
    """Bytes of weights, gradients and optimizer state on one device.

    Expert parameters are replicated fewer times than dense ones, so they are sharded over fewer ranks.
    """
    shards = layout.shards * layout.context
    expert_shards = np.maximum(
        layout.shards * layout.context * layout.tensor / (layout.expert * layout.expert_tensor), 1.0
    )
    zero = layout.zero

    def held(stage: int, dense: Number, expert: Number) -> Number:
        """Parameters on a device of a state that ZeRO shards from `stage` on."""
        return np.where(np.greater_equal(zero, stage), dense / shards + expert / expert_shards, dense + expert)

    dense, expert = parameters.trained_dense, parameters.trained_expert
    coded = held(3, parameters.coded_dense, parameters.coded_expert)
    frozen = held(3, parameters.dense - dense, parameters.expert - expert) - coded
    gathered = np.where(np.equal(zero, 3), 2.0 * parameters.largest_layer, 0.0)
    # FSDP keeps fp32 shards and gathers 16-bit layers; others keep the 16-bit weights and an fp32 master copy.
    rest = max(recipe.software.coded_rest_bytes, recipe.weight_bytes) if recipe.stored else recipe.weight_bytes
    weights = held(3, dense, expert) * recipe.trained_bytes + frozen * rest
    weights = weights + coded * (recipe.storage.coded_bytes or 0.0)
    weights = weights + gathered * min(recipe.weight_bytes, 2.0)
    weights = weights + recipe.cast_bytes * (parameters.dense + parameters.expert)
    copied = recipe.software.gradient_copy_bytes if recipe.precision == "bf16" and recipe.states == "master" else 0.0
    each = recipe.gradient_bytes + copied
    last = parameters.largest_trained
    whole = last * each if recipe.update_in_backward else held(2, dense, expert) * each
    gradients = whole + np.where(np.equal(zero, 3), last * recipe.software.reduce_bytes, 0.0)
    if recipe.software.flat_gradients and recipe.adapted:
        flat = (parameters.dense + parameters.expert) * recipe.weight_bytes
        gradients = np.where(np.equal(zero, 3) & np.greater(layout.data, 1), flat, gradients)
    kept = held(1, dense, expert) * (recipe.master_bytes + recipe.moment_bytes) * (1.0 - layout.offload)
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
