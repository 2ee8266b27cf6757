"""Pipelines in closed form: how long stages take together, uneven, interleaved, with few micro-batches."""

from __future__ import annotations

import numpy as np

from outlay.layout import Layout
from outlay.workload import Number


def stage_layers(depth: int, layout: Layout) -> Number:
    """Layers of the fullest stage.

    Where the layers divide evenly, or evenly once embedding and head are counted as a layer each (as Llama 3 and recent
    Megatron do), that is the division; otherwise the fullest stage takes the remainder's share.

    >>> float(stage_layers(96, Layout(pipeline=8))), float(stage_layers(126, Layout(pipeline=16)))
    (12.0, 8.0)
    """
    chunks = layout.pipeline * layout.virtual
    return np.ceil(depth / chunks) * layout.virtual


def pipeline_seconds(slowest: Number, mean: Number, micro_batches: Number, layout: Layout) -> tuple[Number, Number]:
    """Seconds that the fullest stage is busy, and seconds that it waits (the bubble).

    One micro-batch takes `mean` seconds in a stage on average and `slowest` in the slowest. The slowest stage
    works without
    pause once it has begun; filling and draining go through the other stages, in pieces of 1/virtual:

    .. math:: T = M t_{max} + \\frac{p - 1}{v} \\bar t

    (Narayanan et al., SC21, section 2.2, with uneven stages.)

    >>> busy, bubble = pipeline_seconds(1.0, 1.0, 32, Layout(pipeline=8, virtual=2))
    >>> float(busy), float(bubble)
    (32.0, 3.5)
    """
    return micro_batches * slowest, (layout.pipeline - 1) / layout.virtual * mean
