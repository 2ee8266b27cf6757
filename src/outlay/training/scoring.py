"""What a tuning step does beside the trained model's passes: frozen models that score, a critic that learns, weights that
are gathered.

A teacher, a reference and a reward model run forward over the same micro-batches, in the same layout. A reference that is
the base of an adapter is that base with the adapter off: it takes time and no memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from outlay.layout import Layout, Recompute
from outlay.machine import Cluster, Curves
from outlay.training.coefficients import StepCoefficients
from outlay.training.recipe import STORED, Recipe
from outlay.training.schedule import stage_layers
from outlay.training.stage import micro_batch
from outlay.workload import Architecture, Number, Tuning, parameters

FORWARD = Tuning(kind="last", layers=0)
"""Nothing is trained: a model that runs forward."""


def scoring_seconds(recipe: Recipe, layout: Layout, cluster: Cluster, curves: Curves, step: StepCoefficients) -> Number:
    """Seconds of one micro-batch's forward passes through the frozen models, on the fullest stage."""
    total: Number = 0.0
    for architecture in recipe.passes.scored if recipe.passes else ():
        forward = replace(recipe, architecture=architecture, tuning=FORWARD, passes=None)
        whole = replace(layout, recompute=Recompute.NONE)
        cost = micro_batch(forward, whole, cluster, curves, step)
        total = total + stage_layers(architecture.depth, layout) * cost.layer + cost.head + cost.embedding
    return total


def scored_memory(recipe: Recipe, layout: Layout, memory: Mapping[str, Number]) -> dict[str, Number]:
    """Bytes of the frozen models' weights on a device, among the weights; and of a critic like the model itself."""
    if recipe.passes is None:
        return {}
    shards = np.where(np.equal(layout.zero, 3), layout.shards * layout.context, 1)
    each = STORED[recipe.passes.scored_stored] if recipe.passes.scored_stored else 2.0
    more = {name: memory[name] * critics(recipe) for name in ("weights", "gradients", "optimizer")}
    for architecture in recipe.passes.scored:
        if recipe.adapted and architecture == recipe.architecture:
            continue
        more["weights"] = more["weights"] + each * size(architecture) / (layout.tensor * layout.pipeline * shards)
    return {name: memory[name] + extra for name, extra in more.items()}


def size(architecture: Architecture) -> float:
    """Parameters of a model."""
    return float(parameters(architecture).total)


def critics(recipe: Recipe) -> float:
    """Models that learn beside the trained one."""
    return float(recipe.passes is not None and recipe.passes.critic)


def gathering(recipe: Recipe, layout: Layout, step: StepCoefficients) -> Number:
    """Seconds of a layer in which Python gathers its weights, where it runs every kernel."""
    software = recipe.software
    if not recipe.tunes or software.host != "eager" or software.fused_elementwise:
        return 0.0
    return step.gathered_python * (np.equal(layout.zero, 3) & np.greater(layout.data, 1))
