r"""Low-rank adapters (LoRA) that are served together: what they take of memory, and what they add to a step.

Beside a projection of K inputs and N outputs an adapter of rank r has r · K and N · r numbers. A step multiplies each token
with its own sequence's adapter: one kernel to rank r and one back (SGMV, Chen et al. 2023, arXiv:2310.18547). Both are bound by
memory: they read the adapters of the sequences in the step, each once,

.. math:: d = L\,\bigl(1 - (1 - 1/L)^{n}\bigr)

of L adapters that n sequences choose among evenly, and read and write the tokens' rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.layout import Layout
from outlay.serving.operators import layer_work
from outlay.workload import Architecture, Layer, Matmul, MemoryBound, Number, Operator

BYTES = 2.0
"""Of a number of an adapter, and of an activation."""
SUMS = 4.0
"""Of a number between the two products: fp32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """Adapters of one rank beside every dense projection of the layers.

    >>> float(Adapters(count=8, rank=16).distinct(1e6)), float(Adapters(count=8, rank=16).distinct(1))
    (8.0, 1.0)
    """

    count: int
    rank: int

    def distinct(self, sequences: Number) -> Number:
        """Adapters that so many sequences use: of a sequence that is there now and then, its own as often."""
        number = np.asarray(sequences, dtype=float)
        if self.count == 1:
            return np.asarray(np.minimum(number, 1.0))
        several = self.count * -np.expm1(number * np.log1p(-1.0 / self.count))
        found: Number = np.where(number < 1.0, number, several)
        return found


def adapter_bytes(architecture: Architecture, rank: int) -> float:
    """Bytes of one adapter on every dense projection of the layers.

    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> round(adapter_bytes(llama, 16) / 1e6)
    84
    """
    total = 0.0
    for block in architecture.blocks:
        for op in layer_work(block.layer, architecture.hidden, 1.0, Layout(), rotary=architecture.rotary):
            if isinstance(op, Matmul) and op.low_precision:
                total += block.count * float(numbers(op, block.layer)) * rank * BYTES
    return total


def numbers(op: Matmul, layer: Layer) -> Number:
    """Numbers of an adapter of rank 1 beside a projection: those that one product computes have one each."""
    return op.columns + joined(op, layer) * op.depth


def joined(op: Matmul, layer: Layer) -> int:
    """Projections that one product computes together."""
    feed_forward = layer.feed_forward
    if op.name == "query-key-value projection":
        return 3
    return 2 if op.name == "feed-forward up-projection" and feed_forward is not None and feed_forward.gated else 1


def adapted(operators: list[Operator], layer: Layer, adapters: Adapters, sequences: Number) -> list[Operator]:
    """What the adapters of `sequences` sequences on a device add to a layer's operators: two kernels a product."""
    distinct, rank = adapters.distinct(sequences), adapters.rank
    found: list[Operator] = []
    for op in operators:
        if not isinstance(op, Matmul) or not op.low_precision or not op.weights:
            continue
        between = op.rows * joined(op, layer) * rank * SUMS
        down = distinct * joined(op, layer) * rank * op.depth * BYTES + op.rows * op.depth * BYTES + between
        # What the projection gave is read, added to and written.
        up = distinct * rank * op.columns * BYTES + between + 2.0 * op.rows * op.columns * BYTES
        found += [
            MemoryBound(name=name, bytes_forward=moved, bytes_backward=0.0)
            for name, moved in (("adapters to their rank", down), ("adapters from their rank", up))
        ]
    return found
