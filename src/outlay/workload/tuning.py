"""Which operators of a model are trained, and what is added to it: frozen products, adapters, decoded weights.

A tuned layer is the list of operators of :mod:`outlay.workload.layer`, some of them marked as frozen, with the operators of
its adapters beside them. What autograd keeps follows: the product with a frozen weight needs the weight alone to pass a
gradient on, and keeps no input; what follows elementwise keeps what it kept. Without a :class:`Tuning` everything is
trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from outlay.workload.architecture import Attention, Experts, Layer, Mlp
from outlay.workload.operators import AttentionCore, GroupedMatmul, Matmul, MemoryBound, Number, Operator
from outlay.workload.shard import Shard

Kind: TypeAlias = Literal["low-rank", "rebuilt", "scale", "tokens", "last"]
PARTS = ("query", "key", "value", "output", "gate", "up", "down")
"""Projections that adapters may stand beside, in the order of execution."""

LOW_RANK_KERNELS = (6, 9)
"""Kernels of one low-rank adapter forward and backward: cast, two products, scale, cast, sum; and their gradients."""
SCALE_KERNELS = (2, 3)
REBUILT_KERNELS = (12, 18)
"""Kernels of one update that is built from few numbers each time: permutations, products and transforms in fp32."""
ADAPTED = (" adapter", " update")
"""How the names of operators end of which there is one for each module that stands in for an adapted projection."""
SCALED = " scale"
REBUILT_PASSES = (10.0, 16.0)
"""Passes over such an update, in fp32, forward and backward: of LoHa two products written, both read and multiplied, the result
scaled, cast, and read to be multiplied; its gradient the same way back, to both factors of both products."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What of a trained model is trained on.

    `low-rank`: two thin matrices beside each target [1]_; `rebuilt`: an update of a target's full shape that is built from
    few numbers each time; `scale`: a factor or a bias for each of a target's outputs, or of the norms; `tokens`: learned
    tokens before each sequence; `last`: the last layers wholly.

    .. [1] E. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", arXiv:2106.09685, section 4.1.
    """

    kind: Kind
    rank: int = 0
    targets: frozenset[str] = frozenset()
    dropout: float = 0.0
    tokens: int = 0
    """Learned tokens that each sequence begins with."""
    layers: int | None = None
    """Last layers that are trained; None is all. Nothing is propagated back below the first of them."""
    stated: float | None = None
    """Parameters that are trained, where somebody counted them."""


def widths(layer: Layer, hidden: int) -> dict[str, tuple[int, int]]:
    """Inputs and outputs of each projection that a layer has, by its part.

    >>> from outlay.workload.architecture import transformer
    >>> llama = transformer(layers=1, hidden=4096, heads=32, kv_heads=8, vocab=128256, ffn_hidden=14336, gated=True)
    >>> widths(llama.blocks[0].layer, 4096)["value"], widths(llama.blocks[0].layer, 4096)["down"]
    ((4096, 1024), (14336, 4096))
    """
    found: dict[str, tuple[int, int]] = {}
    mixer, feed_forward = layer.mixer, layer.feed_forward
    if isinstance(mixer, Attention):
        value = mixer.heads * mixer.value_dim
        found |= {
            "query": (hidden, mixer.heads * mixer.head_dim),
            "key": (hidden, mixer.kv_heads * mixer.head_dim),
            "value": (hidden, mixer.kv_heads * mixer.value_dim),
            "output": (value, hidden),
        }
    if isinstance(feed_forward, Mlp | Experts) and feed_forward.width:
        found |= {"up": (hidden, feed_forward.width), "down": (feed_forward.width, hidden)}
        if feed_forward.gated:
            found["gate"] = (hidden, feed_forward.width)
    return found


def adapter_parameters(layer: Layer, hidden: int, tuning: Tuning, *, merged: bool = False) -> int:
    """Trained parameters of one layer: of low rank, `r (in + out)` for each target, as PEFT's LoRA has them; of experts, each.

    Where targets of one product are `merged`, they have one matrix in.

    >>> from outlay.workload.architecture import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, vocab=32000, ffn_hidden=11008, gated=True)
    >>> lora = Tuning(kind="low-rank", rank=8, targets=frozenset({"query", "value"}))
    >>> 32 * adapter_parameters(llama.blocks[0].layer, 4096, lora)
    4194304
    """
    copies = layer.feed_forward.count if isinstance(layer.feed_forward, Experts) else 1
    total = 0
    for part, (inputs, outputs) in widths(layer, hidden).items():
        if part in tuning.targets:
            each = tuning.rank * (inputs + outputs) if tuning.kind == "low-rank" else outputs
            total += each * (copies if part in ("gate", "up", "down") else 1)
    for together in (("query", "key", "value"), ("gate", "up")) if merged and tuning.kind == "low-rank" else ():
        if set(together) <= tuning.targets & set(widths(layer, hidden)):
            total -= (len(together) - 1) * tuning.rank * hidden * (copies if "up" in together else 1)
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """How a frozen base is kept, and what the software keeps with it."""

    coded_bytes: float | None = None
    """Bytes of a weight in its storage type, scales included; None is 16 bits, which nothing decodes."""
    adapter_bytes: float = 2.0
    input_bytes: float = 0.0
    """Bytes that a product with a decoded weight keeps of each number of its input."""
    whole_projection: bool = False
    merged: bool = False
    """What is one product has one adapter: queries, keys and values; gate and up (Megatron's `linear_qkv`, `linear_fc1`)."""


def tuned(
    operators: Sequence[Operator], layer: Layer, tuning: Tuning | None, shard: Shard, storage: Storage
) -> list[Operator]:
    """The operators of a layer with their trained parts marked, and those of its adapters among them."""
    if tuning is None or tuning.kind == "last":
        return list(operators)
    result: list[Operator] = []
    for op in operators:
        if isinstance(op, Matmul) and op.weights:
            result += _product(op, layer, tuning, shard, storage)
        elif isinstance(op, GroupedMatmul):
            result += _experts(op, layer, tuning, storage)
        elif isinstance(op, AttentionCore):
            result.append(_core(op, shard, storage))
        elif isinstance(op, MemoryBound):
            result.append(_frozen_norm(op, shard) if np.any(op.parameters) else op)
    return result


def _frozen_norm(op: MemoryBound, shard: Shard) -> MemoryBound:
    """A norm by itself keeps its input in fp32; what it made of it only for its own weight's gradient."""
    kept = shard.stored_norm / (shard.stored_norm + shard.stored) if op.kernels_forward > 1 else 1.0
    return replace(op, trained=False, saved=op.saved * kept)


def _core(op: AttentionCore, shard: Shard, storage: Storage) -> AttentionCore:
    """Attention by itself: keys and values are repeated for all heads that share them, and a product that they are views of
    stays whole."""
    if shard.fused_elementwise:
        return op
    tokens = op.batch * op.queries / op.shards
    more = (op.heads - op.kv_heads) * (op.head_dim + op.value_dim)
    if storage.whole_projection:
        more = more + op.heads * op.head_dim + op.kv_heads * op.head_dim
    return replace(op, saved=op.saved + shard.stored * tokens * more)


def _roles(name: str, layer: Layer) -> tuple[str, ...]:
    """The parts of a product, by its name."""
    gated = isinstance(layer.feed_forward, Mlp | Experts) and layer.feed_forward.gated
    if name == "query-key-value projection":
        return ("query", "key", "value")
    if name == "query up-projection":
        return ("query",)
    if name == "key-value up-projection":
        return ("value",)
    if name == "attention output projection":
        return ("output",)
    if name.endswith("up-projection"):
        return ("gate", "up") if gated else ("up",)
    return ("down",) if name.endswith("down-projection") and not name.startswith("latent") else ()


def _columns(op: Matmul, roles: Sequence[str], layer: Layer) -> dict[str, Number]:
    """Columns of each part of a product on this device."""
    mixer = layer.mixer
    if roles[:1] == ("query",) and len(roles) == 3 and isinstance(mixer, Attention):
        shares = {"query": mixer.heads * mixer.head_dim, "key": mixer.kv_heads * mixer.head_dim}
        shares["value"] = mixer.kv_heads * mixer.value_dim
        total = sum(shares.values())
        return {role: op.columns * share / total for role, share in shares.items()}
    return {role: op.columns / len(roles) for role in roles}


def _product(op: Matmul, layer: Layer, tuning: Tuning, shard: Shard, storage: Storage) -> Iterator[Operator]:
    roles = _roles(op.name, layer)
    targets = (
        {role: size for role, size in _columns(op, roles, layer).items() if role in tuning.targets} if roles else {}
    )
    # The output of fused attention is kept by attention itself.
    own = op.saved if op.name == "attention output projection" else 0.0
    coded = storage.coded_bytes is not None and op.low_precision
    saved = own + (op.rows * op.depth * storage.input_bytes if coded else 0.0)
    copied = storage.adapter_bytes != shard.stored
    if targets and tuning.kind == "low-rank" and not copied and not tuning.dropout:
        saved = np.maximum(saved, op.rows * op.depth * shard.stored)
    if targets and tuning.kind == "scale":
        saved = saved + shard.stored * op.rows * sum(targets.values())
    if coded:
        yield decoded(op.name, op.columns * op.depth * op.count, storage)
    yield replace(op, trained=False, saved=saved)
    if storage.merged and len(targets) == len(roles) > 1:
        targets = {op.name: op.columns}  # what is one product has one adapter
    for role, columns in targets.items():
        yield from _adapter(role, op, columns, tuning, shard, storage)


def decoded(name: str, weights: Number, storage: Storage) -> MemoryBound:
    """Weights read as stored and written in 16 bits, forward and once more backward."""
    moved = weights * ((storage.coded_bytes or 0.0) + 2.0)
    return MemoryBound(
        name=f"decoding of {name}", bytes_forward=moved, bytes_backward=moved, trained=False, decoded=weights
    )


def _adapter(
    role: str, op: Matmul, columns: Number, tuning: Tuning, shard: Shard, storage: Storage
) -> Iterator[Operator]:
    rows, size, width = op.rows, storage.adapter_bytes, shard.stored
    copied = size != width
    ahead, back = LOW_RANK_KERNELS
    if tuning.kind == "low-rank":
        kept = size * rows * op.depth if copied or tuning.dropout else 0.0
        kept = kept + (rows * op.depth if tuning.dropout else 0.0)
        thin = Matmul(name="", rows=rows, columns=tuning.rank, depth=tuning.rank, low_precision=False)
        yield replace(thin, name=f"{role} adapter in", depth=op.depth, saved=kept)
        yield replace(thin, name=f"{role} adapter out", columns=columns, saved=size * rows * tuning.rank)
        inputs = rows * op.depth * ((width + size) * copied + (width + size + 1.0) * bool(tuning.dropout))
        # Scaled, cast to the activations' type and added: one pass where neighbours are fused, else one each.
        apart = 0.0 if shard.fused_elementwise else 2 * size + (width + size) * copied
        outputs = rows * columns
        yield MemoryBound(
            name=f"{role} adapter",
            bytes_forward=inputs + outputs * (3 * width + apart),
            bytes_backward=2.0 * inputs + outputs * (apart or 2 * width),
            kernels_forward=ahead - 2 + bool(tuning.dropout),
            kernels_backward=back - 4 + bool(tuning.dropout),
        )
    elif tuning.kind == "scale":
        moved = rows * columns * width
        yield MemoryBound(
            name=f"{role} scale",
            bytes_forward=2.0 * moved,
            bytes_backward=4.0 * moved,
            kernels_forward=SCALE_KERNELS[0],
            kernels_backward=SCALE_KERNELS[1],
            parameters=columns,
        )
    elif tuning.kind == "rebuilt":
        shape = op.depth * columns
        yield MemoryBound(
            name=f"{role} update",
            bytes_forward=4.0 * shape * REBUILT_PASSES[0],
            bytes_backward=4.0 * shape * REBUILT_PASSES[1],
            kernels_forward=REBUILT_KERNELS[0],
            kernels_backward=REBUILT_KERNELS[1],
            saved=4.0 * shape,
        )
        yield Matmul(
            name=f"{role} product with update",
            rows=rows,
            columns=columns,
            depth=op.depth,
            low_precision=False,
            held=False,
            saved=size * rows * op.depth if copied else 0.0,
        )


def _experts(op: GroupedMatmul, layer: Layer, tuning: Tuning, storage: Storage) -> Iterator[Operator]:
    roles = _roles(op.name, layer)
    targets = [role for role in roles if role in tuning.targets]
    coded = storage.coded_bytes is not None
    if coded:
        yield decoded(op.name, op.parameters, storage)
    adapted = bool(targets) and tuning.kind == "low-rank"
    saved = op.saved if adapted else op.rows * op.depth * storage.input_bytes if coded else 0.0
    yield replace(op, trained=False, saved=saved)
    for role in targets if adapted else ():
        thin = replace(op, columns=tuning.rank, depth=tuning.rank, saved=0.0, low_precision=False)
        yield replace(thin, name=f"{role} adapter in", depth=op.depth)
        yield replace(
            thin,
            name=f"{role} adapter out",
            columns=op.columns / len(roles),
            saved=storage.adapter_bytes * op.rows * tuning.rank,
        )
