"""Passes over memory between the products of a layer: norms, activations, residuals, and the small kernels around experts."""

from __future__ import annotations

import numpy as np

from outlay.machine import Curves, memory_seconds
from outlay.serving.stacking import short, stacked
from outlay.workload import MemoryBound, Number

AROUND_EXPERTS = frozenset({"router choice", "dispatch permutation", "expert activation", "combine permutation"})
"""What the machine's time of an expert layer beside its products holds."""


def passes_seconds(passes: list[MemoryBound], curves: Curves, *, whole: bool) -> Number:
    """Passes over memory; of the small kernels around experts, the traffic alone, as their start is the layer's, or nothing
    where the layer is timed as a `whole`."""
    around = [op.bytes_forward for op in passes if op.name in AROUND_EXPERTS and not whole]
    others = [op.bytes_forward for op in passes if op.name not in AROUND_EXPERTS]
    start = curves.memory.kernel_seconds
    total: Number = sum(np.maximum(memory_seconds(moved, curve=curves.memory) - start, 0.0) for moved in around)
    return total + moved_seconds(others, [1] * len(others), curves)


def moved_seconds(sizes: list[Number], kernels: list[int], curves: Curves) -> Number:
    """Seconds of passes over so many bytes each, by so many kernels."""
    axes = short(*sizes, times=len(sizes)) if sizes else None
    if axes is None:
        return sum(
            memory_seconds(size, kernels=count, curve=curves.memory) for size, count in zip(sizes, kernels, strict=True)
        )
    rows = memory_seconds(stacked(sizes, axes), kernels=stacked(kernels, axes), curve=curves.memory)
    return np.asarray(rows.sum(axis=0))


def sorting_seconds(logits: Number, curves: Curves) -> Number:
    """Seconds to draw from the likeliest of so many logits by sorting them all."""
    return memory_seconds(SORTED_BYTES * logits, kernels=SORTING_KERNELS, curve=curves.memory)


SORTED_BYTES = 350.0
"""Bytes that sorting and masking move for each logit: four passes of 32-bit keys with 64-bit places and one by the row, each
read and written, and ten passes of softmax, sum, mask and scatter. (2.3 ms for 128 rows of 131,072 logits, measured in vLLM's
pull request 40376 on a chip that it does not name, are 0.14 ns each: 350 bytes at 2.5 TB/s.)"""
SORTING_KERNELS = 20
