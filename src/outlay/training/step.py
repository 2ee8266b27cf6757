"""A step of a recipe in a layout on a cluster: seconds by cause, bytes by part, power; layouts may be arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from outlay.layout import Layout
from outlay.machine import Cluster, Curves, curves_for, memory_seconds, power_watts
from outlay.training.coefficients import Coefficients
from outlay.training.communication import data_communication, send_seconds
from outlay.training.memory import StageParameters, in_flight, states
from outlay.training.recipe import OPTIMIZERS, Recipe
from outlay.training.schedule import pipeline_seconds, stage_layers
from outlay.training.scoring import critics, gathering, scored_memory, scoring_seconds
from outlay.training.stage import MicroBatch, micro_batch, trained_share
from outlay.workload import Number, flop_per_token

CAUSES = (
    "matmul",
    "attention",
    "memory-bound",
    "head and loss",
    "scoring",
    "generation",
    "recompute",
    "tensor communication",
    "context communication",
    "expert communication",
    "pipeline communication",
    "data communication",
    "bubble",
    "optimizer",
    "host",
    "stragglers",
    "fixed",
)
"""What a step's seconds are spent on; they sum to the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one step takes. Every number has the shape of the layout's degrees."""

    step_seconds: Number
    breakdown: Mapping[str, Number]
    """Seconds by cause (:data:`CAUSES`); they sum to `step_seconds`."""
    memory: Mapping[str, Number]
    """Bytes by part on the fullest device; they sum to `memory_bytes`."""
    memory_bytes: Number
    memory_capacity: float
    """Bytes that the device reports."""
    tokens: Number
    devices: Number
    model_flop: Number
    """FLOP of the model in a step, forward and backward; recomputation left out, causal attention half the square."""
    device_watts: Number
    """Mean electrical power of one device during a step."""
    relative: tuple[float, float] | None = None
    """The range of the seconds, over the likely ones; None where nobody said how sure they are."""

    @property
    def allocated_bytes(self) -> Number:
        """What the framework's allocator counts: without its own context and what lies unused between blocks."""
        return self.memory_bytes - self.memory["framework"] - self.memory["fragmentation"]

    @property
    def fits(self) -> Any:
        return np.less_equal(self.memory_bytes, self.memory_capacity)

    @property
    def step_seconds_range(self) -> tuple[Number, Number] | None:
        """Low and high seconds of a step."""
        return (
            None
            if self.relative is None
            else (self.step_seconds * self.relative[0], self.step_seconds * self.relative[1])
        )

    @property
    def tokens_per_second_per_device(self) -> Number:
        return self.tokens / self.step_seconds / self.devices

    @property
    def flops_per_device(self) -> Number:
        """Model FLOP/s of one device."""
        return self.model_flop / self.step_seconds / self.devices

    @property
    def step_joules(self) -> Number:
        """Joules of all devices in one step, servers and cooling left out."""
        return self.device_watts * self.step_seconds * self.devices


def estimate(recipe: Recipe, layout: Layout, cluster: Cluster, coefficients: Coefficients) -> Estimate:
    """Seconds, bytes and power of one step; `layout` holds numbers or arrays, and the estimate has their shape."""
    step = coefficients.step
    architecture, software = recipe.architecture, recipe.software
    curves = curves_for(
        cluster.accelerator,
        recipe.compute_type,
        recipe.base_type,
        coefficients.machine,
        attention=software.attention_library or None,
    )
    cost = micro_batch(recipe, layout, cluster, curves, step)
    micro_batches = np.ceil(recipe.global_batch / (layout.data * layout.micro_batch))

    # The pipeline: a fullest stage that works, and the rest that it waits for.
    layers = stage_layers(architecture.depth, layout)
    sent = 2 * layout.virtual * send_seconds(architecture.hidden, recipe, layout, cluster, curves)
    # Sends hide behind work as far as there is work: what takes longer than that sets the pace.
    send = np.maximum(step.pipeline_exposed * sent, sent - layers * cost.layer)
    alone = np.equal(layout.pipeline, 1)
    even = np.equal(np.mod(architecture.depth, layout.pipeline * layout.virtual), 0)
    head_stage = np.where(even, layers, layers - 1) * cost.layer + cost.head
    slowest = (
        np.where(alone, layers * cost.layer + cost.head + cost.embedding, np.maximum(layers * cost.layer, head_stage))
        + send
    )
    mean = (architecture.depth * cost.layer + cost.head + cost.embedding) / layout.pipeline + send
    busy, bubble = pipeline_seconds(slowest, mean, micro_batches, layout)

    held = _device_parameters(recipe, layout, cost, layers)
    communication = data_communication(held, layers, recipe, layout, cluster, curves)
    work = layers * (sum(cost.forward.values()) + sum(cost.backward.values()) + cost.recompute)
    data, hidden = _exposed_data(
        communication, work, micro_batches, step.overlap_data if software.overlap_data else 0.0
    )
    data = data + hidden * step.contention

    optimizer = _optimizer_seconds(held, recipe, layout, cluster, curves)
    scoring, learnt = scoring_seconds(recipe, layout, cluster, curves, step), 1.0 + critics(recipe)
    host = cost.host + gathering(recipe, layout, step)
    memory = memory_parts(recipe, layout, cost, held, layers, micro_batches, coefficients)
    memory = memory | scored_memory(recipe, layout, memory)
    memory, paged = _paged(recipe, memory, cluster)

    parts: dict[str, Number] = {
        "matmul": micro_batches * layers * (cost.forward["matmul"] + cost.backward["matmul"]),
        "attention": micro_batches * layers * (cost.forward["attention"] + cost.backward["attention"]),
        "memory-bound": micro_batches * layers * (cost.forward["memory"] + cost.backward["memory"]),
        "head and loss": busy - micro_batches * (layers * cost.layer + send),
        "recompute": micro_batches * layers * cost.recompute,
        "tensor communication": micro_batches * layers * cost.tensor,
        "context communication": micro_batches * layers * cost.context,
        "expert communication": micro_batches * layers * cost.expert,
        "pipeline communication": micro_batches * send,
        "data communication": data,
        "bubble": bubble,
        "optimizer": optimizer,
        "host": micro_batches * (layers * host + (step.tuning_fixed if recipe.lengths else 0.0)),
        "fixed": step.step_fixed,
    }
    if recipe.passes is not None:
        parts = {name: seconds * learnt for name, seconds in parts.items()}
    parts |= {"scoring": micro_batches * scoring, "generation": 0.0}
    parts["optimizer"] = parts["optimizer"] + paged
    factor = step.family_of(software.family, cluster.accelerator.generation)
    parts = {name: seconds * factor for name, seconds in parts.items()}
    subtotal = sum(parts.values())
    parts["stragglers"] = subtotal * step.straggler * np.sqrt(np.log(np.maximum(layout.devices, 1)))
    if recipe.passes is not None:
        # By the rate that somebody stated: what slows down a step does not slow it down once more.
        rate = recipe.passes.generation_rate * layout.devices
        parts["generation"] = recipe.global_batch * recipe.passes.answer_tokens / rate
    total = sum(parts.values())
    return Estimate(
        step_seconds=total,
        breakdown={name: parts[name] for name in CAUSES},
        memory=memory,
        memory_bytes=sum(memory.values()),
        memory_capacity=cluster.accelerator.memory,
        tokens=recipe.tokens,
        devices=layout.devices,
        model_flop=recipe.tokens * flop_per_token(architecture, recipe.sequence_length).total * trained_flop(recipe),
        device_watts=power_watts(cluster.accelerator, _activity(parts, total)),
    )


def trained_flop(recipe: Recipe) -> float:
    """Share of the three passes of a model that are made where a part of it is trained: forward, and back as far as gradients
    go, through frozen weights once.

    >>> from outlay.workload import Tuning, transformer
    >>> gpt = transformer(layers=24, hidden=1024, heads=16, vocab=50257)
    >>> lora = Recipe(architecture=gpt, sequence_length=1024, global_batch=1, tuning=Tuning(kind="low-rank", rank=8))
    >>> round(trained_flop(lora), 3)
    0.667
    """
    if recipe.tuning is None:
        return 1.0
    back = 2.0 if recipe.tuning.kind == "last" else 1.0
    return (1.0 + back * trained_share(recipe)) / 3.0


def _device_parameters(recipe: Recipe, layout: Layout, cost: MicroBatch, layers: Number) -> StageParameters:
    """Parameters on the fullest device: its layers, and embedding or head; which of them are trained, which decoded."""
    vocabulary = recipe.architecture.vocab * recipe.architecture.hidden / layout.tensor
    tied = recipe.architecture.tied or not recipe.architecture.head
    both = np.where(np.equal(layout.pipeline, 1), 1 if tied else 2, 1) * vocabulary
    trained_table = both if recipe.tuning is None else 0.0
    coded_head = vocabulary if recipe.stored and recipe.software.coded_head and not tied else 0.0
    return StageParameters(
        dense=layers * cost.dense + both,
        expert=layers * cost.experts,
        largest_layer=cost.dense + cost.experts,
        trained_dense=layers * cost.trained + trained_table,
        trained_expert=layers * cost.trained_experts,
        largest_trained=cost.trained + cost.trained_experts,
        coded_dense=layers * cost.coded + coded_head,
        coded_expert=layers * cost.coded_experts,
    )


def _paged(recipe: Recipe, memory: dict[str, Number], cluster: Cluster) -> tuple[dict[str, Number], Number]:
    """Memory without the pages of the optimizer's state that do not fit, and the seconds in which they come and go."""
    if not recipe.paged:
        return memory, 0.0
    state = memory["optimizer"]
    over = np.clip(sum(memory.values()) - cluster.accelerator.memory, 0.0, state)
    return memory | {"optimizer": state - over}, 2.0 * over / cluster.accelerator.pcie_bandwidth


def _exposed_data(communication: Any, work: Number, micro_batches: Number, overlap: float) -> tuple[Number, Number]:
    """Seconds of data-parallel communication that the step waits for, and seconds that compute hides.

    Gradients can hide behind one micro-batch's backward pass (two thirds of its work), weights behind a forward pass,
    and what FSDP sends for every micro-batch behind that micro-batch.
    """
    once = communication.gradients + communication.weights
    hidden = np.minimum(communication.gradients, overlap * work * 2 / 3) + np.minimum(
        communication.weights, overlap * work / 3
    )
    every = 2 * communication.micro_batch_gather + communication.micro_batch_scatter
    hidden_every = np.minimum(every, overlap * work)
    return once - hidden + micro_batches * (every - hidden_every), hidden + micro_batches * hidden_every


def _optimizer_seconds(
    parameters: StageParameters, recipe: Recipe, layout: Layout, cluster: Cluster, curves: Curves
) -> Number:
    """Seconds of the update, its gradient norm, and of what the host updates, gradients and weights over PCIe.

    A host's memory gives each of its devices about what the device's slot does (sixteen channels of DDR5 to eight PCIe 5
    slots, of DDR4 to eight of PCIe 4).
    """
    optimizer, dense, expert = OPTIMIZERS[recipe.optimizer], parameters.trained_dense, parameters.trained_expert
    shards = np.where(np.greater_equal(layout.zero, 1), layout.shards * layout.context, 1)
    fewer = np.maximum(shards * layout.tensor / (layout.expert * layout.expert_tensor), 1.0)
    held = dense / shards + expert / np.where(np.greater_equal(layout.zero, 1), fewer, 1)
    on_device = memory_seconds(held * (recipe.update_bytes + 4.0), curve=curves.memory)
    products = held * optimizer.matmul_flop * recipe.architecture.hidden / curves.gemm_base.sustained_flops
    each = recipe.gradient_bytes + 2.0 + recipe.update_bytes
    moved = layout.offload * held * each / cluster.accelerator.pcie_bandwidth
    return on_device * (1.0 - layout.offload) + products + moved


def memory_parts(
    recipe: Recipe,
    layout: Layout,
    cost: MicroBatch,
    parameters: StageParameters,
    layers: Number,
    micro_batches: Number,
    coefficients: Coefficients,
) -> dict[str, Number]:
    """Bytes by part on the fullest device.

    The first stage keeps the most micro-batches, the last has the logits: the fuller of the two counts.
    """
    alone, step = np.equal(layout.pipeline, 1), coefficients.step
    held = states(parameters, layout, recipe)
    first = layers * cost.saved * in_flight(layout, micro_batches, first=True) + cost.working
    last = layers * cost.saved * in_flight(layout, micro_batches, first=False) + np.maximum(cost.working, cost.loss)
    first = np.where(alone, last, first)
    logits = np.where(np.greater(last, first) | alone, np.maximum(cost.loss - cost.working, 0.0), 0.0)
    held["activations"] = np.maximum(first, last) - logits
    held["loss"] = logits
    groups = sum(np.greater(degree, 1) for degree in (layout.tensor, layout.pipeline, layout.context, layout.data))
    groups = groups + np.greater(layout.expert, 1)
    held["framework"] = step.framework_bytes + step.communicator_bytes * groups
    held["fragmentation"] = step.fragmentation * (held["activations"] + held["loss"])
    return held


def _activity(parts: Mapping[str, Number], total: Number) -> dict[str, Number]:
    """Shares of a step by what the device does: arithmetic, moving memory, communicating, waiting."""
    arithmetic = parts["matmul"] + parts["attention"] + parts["head and loss"] + parts["recompute"]
    memory = parts["memory-bound"] + parts["optimizer"]
    sending = sum(seconds for name, seconds in parts.items() if name.endswith("communication"))
    return {"arithmetic": arithmetic / total, "memory": memory / total, "communication": sending / total}
