"""What one micro-batch costs a device: layers by kind, embedding and head, their time, traffic and saved activations.

All of it depends on few degrees (tensor, context, expert, micro-batch), so a million layouts share some hundred
evaluations: :func:`micro_batch` finds the distinct ones, evaluates those, and hands every layout its own.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from outlay.layout import Layout, Recompute
from outlay.machine import Cluster, Curves
from outlay.training.coefficients import StepCoefficients
from outlay.training.communication import layer_communication
from outlay.training.compute import PassTimes, Timing, launch_seconds, pass_times
from outlay.training.recipe import Recipe
from outlay.workload import (
    ADAPTED,
    SCALED,
    AttentionCore,
    GroupedMatmul,
    Layer,
    Matmul,
    MemoryBound,
    Number,
    Operator,
    Shard,
    decoded,
    embedding_operators,
    head_operators,
    layer_operators,
    tuned,
)

NORM_COPY = 4.0
"""Bytes of a number in the type in which an eager root-mean-square norm works."""
LATENT_UP_PROJECTIONS = ("query up-projection", "key-value up-projection")

DEGREES = (
    "tensor",
    "context",
    "expert",
    "expert_tensor",
    "micro_batch",
    "sequence_parallel",
    "recompute",
    "recompute_layers",
)
"""The degrees on which a micro-batch's cost depends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MicroBatch:
    """Seconds and bytes of one micro-batch on one device. Layer figures are means over the model's layers."""

    forward: dict[str, Number]
    """Device seconds of a layer's forward pass by kind of work."""
    backward: dict[str, Number]
    recompute: Number
    host: Number
    """Seconds a layer waits for the host beyond its device time."""
    tensor: Number
    """Exposed seconds of tensor-parallel communication, forward, backward and recomputation."""
    context: Number
    expert: Number
    head: Number
    """Seconds of final norm, head and loss, forward and backward."""
    embedding: Number
    saved: Number
    """Bytes that a layer keeps until its backward pass, under the layout's recomputation."""
    working: Number
    """Bytes that a layer needs for the moment of its backward pass: what recomputation makes again."""
    loss: Number
    """Bytes of logits and their copies."""
    dense: Number
    """Parameters of a layer on this device that data-parallel ranks replicate."""
    experts: Number
    trained: Number
    """Of `dense`, those that are trained."""
    trained_experts: Number
    coded: Number
    """Of `dense`, those that are kept in a storage type."""
    coded_experts: Number

    @property
    def layer(self) -> Number:
        """Seconds of one layer and micro-batch."""
        work = sum(self.forward.values()) + sum(self.backward.values())
        return work + self.recompute + self.host + self.tensor + self.context + self.expert


def distinct(layout: Layout) -> tuple[Layout, Any]:
    """The distinct combinations of :data:`DEGREES`, and for every layout which of them it has."""
    columns = np.broadcast_arrays(*(np.asarray(getattr(layout, name), dtype=float) for name in DEGREES))
    shape = columns[0].shape
    if not shape:
        return layout, ()
    codes = np.zeros(columns[0].size, dtype=np.int64)
    for column in columns:
        values, index = np.unique(column.ravel(), return_inverse=True)
        codes = codes * len(values) + index
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    picked = {name: column.ravel()[first] for name, column in zip(DEGREES, columns, strict=True)}
    return Layout(**picked), inverse.reshape(shape)


def micro_batch(
    recipe: Recipe, layout: Layout, cluster: Cluster, curves: Curves, coefficients: StepCoefficients
) -> MicroBatch:
    """The cost of one micro-batch for every layout."""
    few, which = distinct(layout)
    cost = _evaluate(recipe, few, cluster, curves, coefficients)
    if isinstance(which, tuple):
        return cost

    def spread(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: spread(entry) for name, entry in value.items()}
        return value[which] if np.ndim(value) else value

    return MicroBatch(**{field.name: spread(getattr(cost, field.name)) for field in dataclasses.fields(cost)})


def _evaluate(
    recipe: Recipe, layout: Layout, cluster: Cluster, curves: Curves, coefficients: StepCoefficients
) -> MicroBatch:
    architecture = recipe.architecture
    shard = Shard(
        micro_batch=layout.micro_batch,
        sequence_length=recipe.length_in(layout.micro_batch),
        tensor=layout.tensor,
        context=layout.context,
        expert=layout.expert,
        expert_tensor=layout.expert_tensor,
        sequence_parallel=layout.sequence_parallel,
        stored=recipe.activation_bytes,
        stored_linear=recipe.linear_bytes,
        fused_elementwise=recipe.software.fused_elementwise,
        document=recipe.document,
        stored_norm=NORM_COPY if Timing(recipe=recipe, curves=curves, coefficients=coefficients).unfused else 0.0,
    )
    # Time is that of the mean micro-batch, memory that of the fullest.
    full = dataclasses.replace(shard, sequence_length=recipe.longest) if recipe.lengths else shard
    timing = Timing(recipe=recipe, curves=curves, coefficients=coefficients)
    launch = launch_seconds(timing)
    layers = [
        (
            block.count / architecture.depth,
            _layer(block.layer, shard, full, layout, cluster, timing),
        )
        for block in architecture.kinds
    ]
    mean = _mean(layers)
    head = pass_times(_head(recipe, shard), timing)
    embedding = pass_times(embedding_operators(architecture, shard), timing)
    back = float(trained_share(recipe) > 0)
    head_seconds = sum(head.forward.values()) + back * sum(head.backward.values())
    # Only where the table itself is trained does anything go back through it.
    table = 0.0 if recipe.tuning else sum(embedding.backward.values())
    return MicroBatch(
        **mean,
        head=np.maximum(head_seconds, launch * (head.kernels_forward + back * head.kernels_backward)),
        embedding=sum(embedding.forward.values()) + table,
        loss=sum(op.saved for op in _head(recipe, full)),
    )


def _head(recipe: Recipe, shard: Shard) -> list[Operator]:
    """Final norm, projection to the vocabulary, loss: frozen where only a part of the model is trained."""
    architecture, software = recipe.architecture, recipe.software
    operators = head_operators(architecture, shard, fused_loss=software.fused_loss)
    if recipe.tuning is None:
        return operators
    storage = recipe.storage
    found: list[Operator] = []
    for op in operators:
        if isinstance(op, Matmul):
            if storage.coded_bytes is not None and software.coded_head:
                found.append(decoded(op.name, op.columns * op.depth, storage))
            found.append(dataclasses.replace(op, trained=False, saved=0.0))
        elif isinstance(op, MemoryBound) and op.name == "cross-entropy" and software.logit_bytes:
            logits = shard.tokens * architecture.predicted_share * architecture.vocab / shard.tensor
            found.append(dataclasses.replace(op, saved=software.logit_bytes * logits))
        else:
            found.append(op)
    return found


def trained_share(recipe: Recipe) -> float:
    """Share of the layers through which gradients go back: those from the first trained one on.

    >>> from outlay.workload import Tuning, transformer
    >>> gpt = transformer(layers=24, hidden=1024, heads=16, vocab=50257)
    >>> trained_share(Recipe(architecture=gpt, sequence_length=1024, global_batch=1, tuning=Tuning(kind="last", layers=6)))
    0.25
    """
    if recipe.tuning is None or recipe.tuning.layers is None:
        return 1.0
    return min(recipe.tuning.layers / recipe.architecture.depth, 1.0)


def _operators(layer: Layer, shard: Shard, recipe: Recipe) -> list[Operator]:
    """The operators of a layer, frozen, trained and adapted as the recipe says."""
    architecture = recipe.architecture
    every = layer_operators(layer, architecture.hidden, shard, dropout=recipe.dropout, rotary=architecture.rotary)
    return tuned(every, layer, recipe.tuning, shard, recipe.storage)


def _layer(layer: Layer, shard: Shard, full: Shard, layout: Layout, cluster: Cluster, timing: Timing) -> dict[str, Any]:
    """Figures of one kind of layer, by the names of :class:`MicroBatch`; bytes are those of the fullest micro-batch."""
    recipe, coefficients, launch = timing.recipe, timing.coefficients, launch_seconds(timing)
    architecture, share = recipe.architecture, trained_share(recipe)
    operators = _operators(layer, shard, recipe)
    times = _propagated(pass_times(operators, timing), share)
    kept_by = operators if full is shard else _operators(layer, full, recipe)
    cores = [op for op in kept_by if isinstance(op, AttentionCore)]
    send = layer_communication(layer, architecture.hidden, recipe, layout, cluster, timing.curves)

    again = share * layout.recompute_layers * np.equal(layout.recompute, Recompute.FULL)
    selective = share * layout.recompute_layers * np.equal(layout.recompute, Recompute.SELECTIVE)
    # Unfused attention makes its scores again; fused never stored them, and makes the inputs of products again.
    again_too, _ = made_again(operators) if recipe.software.fused_attention and np.any(selective) else ([], 0.0)
    once_more: Number = 0.0
    if not recipe.software.fused_attention:
        once_more = times.forward["attention"]
    elif again_too:
        once_more = sum(pass_times(again_too, timing).forward.values())
    freed = made_again(kept_by)[1] if again_too else 0.0
    forward, backward = sum(times.forward.values()), sum(times.backward.values())
    # Where recomputation stops early, the layer's last product and its sum over tensor ranks are not made again.
    left = pass_times(not_made_again(operators, timing), timing) if recipe.software.stops_early else PassTimes()
    sent_again = 1.0 - (send.last_forward if recipe.software.stops_early else 0.0)
    recompute = again * (forward - sum(left.forward.values())) + selective * once_more

    hidden_share = coefficients.overlap_tensor if recipe.software.overlap_tensor else 0.0
    tensor = (send.tensor_forward * (1 + again * sent_again) + share * send.tensor_backward) * (1.0 - hidden_share)
    # Keys and values travel while earlier ones are attended to; while the last ones are, nothing travels.
    ahead = 1.0 - 1.0 / np.asarray(layout.context)
    context = np.maximum(send.context_forward - ahead * times.forward["attention"], 0.0) * (1 + again) + np.maximum(
        share * send.context_backward - ahead * times.backward["attention"], 0.0
    )
    inside = np.less_equal(layout.expert * layout.expert_tensor, cluster.domain)
    overlaps = {"never": False, "domain": inside, "always": True}[recipe.software.overlap_expert]
    unhidden = np.where(overlaps, 1.0 - coefficients.overlap_expert, 1.0)
    expert = (send.expert_forward * (1 + again) + share * send.expert_backward) * unhidden

    host = np.maximum(
        launch * (times.kernels_forward * (1 + again) - again * left.kernels_forward)
        + launch * times.kernels_backward
        + coefficients.launch_collective * (send.calls_forward * (1 + again) + share * send.calls_backward)
        + _python_seconds(operators, timing, again, share)
        - (forward + backward + recompute + tensor + context + expert),
        0.0,
    )
    saved = sum(op.saved for op in kept_by)
    scores = 0.0 if recipe.software.fused_attention else sum(op.saved_unfused for op in cores)
    everything = saved + scores
    held_input = recipe.activation_bytes * full.tokens_between * architecture.hidden
    kept = np.where(
        np.equal(layout.recompute, Recompute.FULL),
        held_input,
        np.where(
            np.equal(layout.recompute, Recompute.SELECTIVE),
            saved - freed,
            everything,
        ),
    )
    kept = layout.recompute_layers * kept + (1.0 - layout.recompute_layers) * everything
    grouped = [op for op in operators if isinstance(op, GroupedMatmul)]
    others = [op for op in operators if not isinstance(op, GroupedMatmul)]
    experts, dense = (sum(op.parameters for op in group) for group in (grouped, others))
    trained_experts, trained = (sum(op.parameters for op in group if op.trained) for group in (grouped, others))
    stated = recipe.tuning.stated if recipe.tuning else None
    if stated is not None:
        own = stated / architecture.depth / layout.tensor
        dense, trained, trained_experts = dense - trained + own, own, 0.0
    elif recipe.tuning and recipe.tuning.kind == "last":
        trained, trained_experts = share * trained, share * trained_experts
    coded, coded_experts = (
        sum(op.parameters for op in group if recipe.stored and not op.trained and op.low_precision)
        for group in ([op for op in others if isinstance(op, Matmul)], grouped)
    )
    return {
        "forward": times.forward,
        "backward": times.backward,
        "recompute": recompute,
        "host": host,
        "tensor": tensor,
        "context": context,
        "expert": expert,
        "saved": share * kept,
        "working": everything - kept if share else everything * 0.0,
        "experts": experts,
        "dense": dense,
        "trained": trained,
        "trained_experts": trained_experts,
        "coded": coded,
        "coded_experts": coded_experts,
    }


FORWARD_PYTHON = 0.4
"""Share of a layer's Python that goes forward: the engine that goes back is compiled, and has more to do."""


def _python_seconds(operators: list[Operator], timing: Timing, again: Number, share: float) -> Number:
    """Seconds of a layer's Python beside its kernels, where each elementwise operation is a call: modules and views, and
    adapters."""
    if not timing.unfused:
        return 0.0
    coefficients, software = timing.coefficients, timing.recipe.software
    # LitGPT's own linear layers scale by themselves; elsewhere a module stands in for them too.
    modules = ADAPTED if software.name.startswith("litgpt") else (*ADAPTED, SCALED)
    adapted = sum(isinstance(op, MemoryBound) and op.name.endswith(modules) for op in operators)
    each = coefficients.adapter_python.get(software.name, coefficients.adapter_python["other"])
    whole = coefficients.layer_python + each * adapted
    return whole * (FORWARD_PYTHON * (1 + again) + (1.0 - FORWARD_PYTHON) * share)


def _propagated(times: PassTimes, share: float) -> PassTimes:
    """Times of a layer of which a share has a backward pass."""
    if share == 1.0:
        return times
    back = {kind: share * seconds for kind, seconds in times.backward.items()}
    return dataclasses.replace(times, backward=back, kernels_backward=share * times.kernels_backward)


def not_made_again(operators: list[Operator], timing: Timing | None = None) -> list[Operator]:
    """What recomputing a layer leaves out if it stops once the backward pass has all that it needs.

    The backward pass of an operator needs its inputs: the last one that keeps any, and what follows it, need not run. In
    a dense layer that is the down-projection and the residual, in one with experts the combination of their outputs; beside an
    adapter the down-projection runs once more, unless a compiler sees that nothing needs it.
    """
    keeping = [place for place, op in enumerate(operators) if np.any(np.greater(op.saved, 0))]
    if not keeping:
        return []
    left = operators[keeping[-1] :]
    if timing is not None and timing.recipe.adapted and timing.recipe.software.host == "compiled":
        # A compiler leaves out the frozen product, too, whose result is only added to the layer's.
        frozen = [op for op in operators[: keeping[-1]] if isinstance(op, Matmul) and not op.trained and op.weights]
        left = frozen[-1:] + left
    return left


def made_again(operators: list[Operator]) -> tuple[list[Operator], Number]:
    """What selective recomputation makes again where attention is fused, and the bytes that it frees.

    Norms and activations whose output the next product keeps as its input, and the up-projections of latent attention:
    Megatron's `--recompute-modules layernorm mlp_act mla_up_proj`, what DeepSeek-V3 made again (arXiv:2412.19437, section
    3.2.3), and MaxText's `minimal` policy but for the latter.
    """
    makers: list[Operator] = []
    freed: Number = 0.0
    for maker, product in pairwise(operators):
        if isinstance(maker, MemoryBound) and not maker.routing and isinstance(product, Matmul | GroupedMatmul):
            makers.append(maker)
            freed = freed + product.saved
    latent = [op for op in operators if isinstance(op, Matmul) and op.name in LATENT_UP_PROJECTIONS]
    if latent:
        makers += latent
        freed = freed + sum(op.saved for op in operators if isinstance(op, AttentionCore))
    return makers, freed


def _mean(layers: list[tuple[float, dict[str, Any]]]) -> dict[str, Any]:
    """The mean over kinds of layers, weighted by how many there are."""
    first = layers[0][1]
    mean: dict[str, Any] = {}
    for name, value in first.items():
        if isinstance(value, dict):
            mean[name] = {kind: sum(share * entry[name][kind] for share, entry in layers) for kind in value}
        else:
            mean[name] = sum(share * entry[name] for share, entry in layers)
    return mean
