"""Seconds that one micro-batch takes in one layer, and in the embedding and head, on the device and on the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.machine import Curves, attention_seconds, gemm_seconds, grouped_gemm_seconds, memory_seconds
from outlay.training.coefficients import StepCoefficients
from outlay.training.recipe import Recipe
from outlay.workload import AttentionCore, GroupedMatmul, Matmul, MemoryBound, Number, Operator

KINDS = ("matmul", "attention", "memory")

BUSY = 60.0
"""Seconds under load after which a chip has settled at its power limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassTimes:
    """Device seconds by kind of work, forward and backward, and the launches that the host makes for them."""

    forward: dict[str, Number]
    backward: dict[str, Number]
    kernels_forward: Number
    kernels_backward: Number

    def __add__(self, other: PassTimes) -> PassTimes:
        return PassTimes(
            forward={kind: self.forward[kind] + other.forward[kind] for kind in KINDS},
            backward={kind: self.backward[kind] + other.backward[kind] for kind in KINDS},
            kernels_forward=self.kernels_forward + other.kernels_forward,
            kernels_backward=self.kernels_backward + other.kernels_backward,
        )

    def scaled(self, factor: Number) -> PassTimes:
        return PassTimes(
            forward={kind: value * factor for kind, value in self.forward.items()},
            backward={kind: value * factor for kind, value in self.backward.items()},
            kernels_forward=self.kernels_forward * factor,
            kernels_backward=self.kernels_backward * factor,
        )


def pass_times(
    operators: Iterable[Operator], recipe: Recipe, curves: Curves, coefficients: StepCoefficients
) -> PassTimes:
    """Seconds of a list of operators on one device, forward and backward.

    Products of one type are timed in one call over a stacked axis: the cost of a call is the same for one layout
    or many.
    """
    operators = list(operators)
    forward: dict[str, Number] = dict.fromkeys(KINDS, 0.0)
    backward: dict[str, Number] = dict.fromkeys(KINDS, 0.0)
    kernels_forward, kernels_backward = 0, 0

    for low in (True, False):
        products = [op for op in operators if isinstance(op, Matmul) and op.low_precision == low]
        if not products:
            continue
        rows, columns, depth, count = _stacked(
            *([getattr(op, name) for op in products] for name in ("rows", "columns", "depth", "count"))
        )
        curve = curves.gemm if low else curves.gemm_base
        # Inside a step the chip has been busy for long: it runs at its power limit. A weight's gradient is
        # added to a buffer.
        forward["matmul"] = forward["matmul"] + (
            count * gemm_seconds(rows, columns, depth, curve=curve, busy=BUSY, quantised=True)
        ).sum(axis=0)
        inputs = gemm_seconds(rows, depth, columns, curve=curve, busy=BUSY, quantised=True)
        added = 2 * recipe.software.gradient_bytes
        weights = gemm_seconds(columns, depth, rows, curve=curve, busy=BUSY, quantised=True, output_bytes=added)
        backward["matmul"] = backward["matmul"] + (count * (inputs + weights)).sum(axis=0)
        kernels_forward += len(products)
        kernels_backward += 2 * len(products)
        if low and recipe.linear_bytes == 1.0:
            # Quantizing: read 16 bits, write one byte as is and one transposed; inputs going forward, gradients back.
            kernels_forward += len(products)
            kernels_backward += len(products)
            forward["memory"] = forward["memory"] + memory_seconds(
                (4.0 * rows * depth * count).sum(axis=0), curve=curves.memory
            )
            backward["memory"] = backward["memory"] + memory_seconds(
                (4.0 * rows * columns * count).sum(axis=0), curve=curves.memory
            )

    for op in operators:
        if isinstance(op, GroupedMatmul):
            shape = {
                "experts": op.groups,
                "imbalance": recipe.imbalance,
                "curve": curves.grouped,
                "busy": BUSY,
                "quantised": True,
            }
            added = 2 * recipe.software.gradient_bytes
            forward["matmul"] = forward["matmul"] + grouped_gemm_seconds(op.rows, n=op.columns, k=op.depth, **shape)
            # A weight's gradient reduces over each expert's rows: the same FLOP in the same groups, and a
            # buffer to add to.
            backward["matmul"] = (
                backward["matmul"]
                + grouped_gemm_seconds(op.rows, n=op.depth, k=op.columns, **shape)
                + grouped_gemm_seconds(op.rows, n=op.columns, k=op.depth, **shape)
            )
            gradient = op.groups * op.columns * op.depth * added
            backward["memory"] = backward["memory"] + memory_seconds(gradient, curve=curves.memory)
            if recipe.linear_bytes == 1.0:
                forward["memory"] = forward["memory"] + memory_seconds(4.0 * op.rows * op.depth, curve=curves.memory)
                backward["memory"] = backward["memory"] + memory_seconds(
                    4.0 * op.rows * op.columns, curve=curves.memory
                )
            kernels_forward += 1
            kernels_backward += 2
        elif isinstance(op, AttentionCore):
            for way, total in ((False, forward), (True, backward)):
                seconds = attention_seconds(
                    op.batch,
                    op.heads,
                    op.kv_heads,
                    op.queries,
                    op.keys,
                    op.head_dim,
                    op.value_dim,
                    causal=op.causal,
                    window=op.window,
                    backward=way,
                    fused=recipe.software.fused_attention,
                    curve=curves.attention,
                )
                total["attention"] = total["attention"] + seconds / op.shards
            kernels_forward += 1 if recipe.software.fused_attention else 5
            kernels_backward += 2 if recipe.software.fused_attention else 8

    moved = [op for op in operators if isinstance(op, MemoryBound)]
    if moved:
        ahead, back = _stacked([op.bytes_forward for op in moved], [op.bytes_backward for op in moved])
        scale = coefficients.memory_slowdown
        forward["memory"] = forward["memory"] + scale * memory_seconds(ahead, curve=curves.memory).sum(axis=0)
        backward["memory"] = backward["memory"] + scale * memory_seconds(back, curve=curves.memory).sum(axis=0)
        kernels_forward += sum(op.kernels_forward for op in moved)
        kernels_backward += sum(op.kernels_backward for op in moved)

    forward["matmul"] = forward["matmul"] * coefficients.slowdown
    backward["matmul"] = backward["matmul"] * coefficients.slowdown
    return PassTimes(
        forward=forward, backward=backward, kernels_forward=kernels_forward, kernels_backward=kernels_backward
    )


def launch_seconds(recipe: Recipe, coefficients: StepCoefficients) -> float:
    """Host seconds a kernel, for the recipe's way of launching."""
    return {
        "eager": coefficients.launch_eager,
        "compiled": coefficients.launch_compiled,
        "graph": coefficients.launch_graph,
    }[recipe.software.host]


def _stacked(*fields: list[Number]) -> list[Any]:
    """For each field, its value in every operator on a new leading axis; all broadcast to one shape."""
    arrays = [[np.asarray(value, dtype=float) for value in values] for values in fields]
    shape = np.broadcast_shapes(*(array.shape for group in arrays for array in group))
    return [np.stack([np.broadcast_to(array, shape) for array in group]) for group in arrays]
