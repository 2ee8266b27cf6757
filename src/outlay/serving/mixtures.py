"""Seconds of a mixture's layer of experts: the engine's own kernels where they were measured, else two grouped products."""

from __future__ import annotations

import numpy as np

from outlay.machine import Curves, ExpertLayer, expert_layer_seconds, fullest, grouped_gemm_seconds
from outlay.serving.deployment import Deployment, Work
from outlay.workload import Experts, GroupedMatmul, Layer, Number, Operator


def experts_seconds(
    layer: Layer,
    operators: list[Operator],
    deployment: Deployment,
    work: Work,
    curves: Curves,
) -> Number:
    """The layer of a mixture's experts; where they are divided among devices, the fullest device sets the pace."""
    if not isinstance(layer.feed_forward, Experts):
        return 0.0
    experts = layer.feed_forward
    up, down = (op for op in operators if isinstance(op, GroupedMatmul))
    divided = deployment.layout.expert
    visited, rows = fullest(work.tokens, experts.active, experts.count, divided, skew=deployment.skew)
    fuller = np.maximum(deployment.imbalance, rows)
    own = own_layer(deployment, curves)
    if own is not None:
        return expert_layer_seconds(
            work.tokens / deployment.layout.data,
            up.rows,
            hidden=up.depth,
            width=down.depth,
            experts=up.groups,
            active=visited,
            imbalance=fuller,
            gated=experts.gated,
            tile_rows=deployment.engine.pads(deployment.weights.name, deployment.layout.tensor),
            tile_flops=curves.grouped.gemm.flops,
            curve=own,
        )
    products = sum(
        grouped_gemm_seconds(
            op.rows,
            n=op.columns,
            k=op.depth,
            experts=op.groups,
            active=visited,
            imbalance=fuller,
            weight_bytes=deployment.weight_bytes,
            curve=curves.grouped,
        )
        for op in (up, down)
    )
    return products + curves.grouped.layer_seconds


def own_layer(deployment: Deployment, curves: Curves) -> ExpertLayer | None:
    """The engine's own layers of experts, where they were measured in the format that the weights have on this chip."""
    weights = deployment.weights
    if not weights.dequantized and deployment.widened:
        return None
    return curves.expert_layer(
        deployment.engine.expert_kernels or weights.name, deployment.engine.lane, deployment.engine.year
    )
