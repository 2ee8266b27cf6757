r"""Seconds of one step of an instance: projections of all its tokens, attention of prompts and of decoding sequences.

.. math:: t = \sum_{layers} \max\bigl(t_{projections}(T) + t_{prompts} + t_{decoding} + t_{collectives},\; n_{kernels}\,
              t_{launch}\bigr) + t_{ends} + t_{engine}(sequences)

Of an engine that schedules the next step meanwhile, the longer of both: its device's time, or :math:`t_{engine}`.

A pipeline of p stages keeps p groups of sequences in flight, each with its share of the work, so a sequence waits for one
group's way through all layers. An engine that splits layers without a pipeline does the whole work in every layer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from outlay.machine import (
    Curves,
    collective_seconds,
    curves_for,
    power_watts,
)
from outlay.serving.activity import activity
from outlay.serving.awq import awq_parts, awq_runs
from outlay.serving.coefficients import COMPILED, ServingCoefficients, StepCoefficients
from outlay.serving.communication import layer_communication
from outlay.serving.deployment import Deployment, Work
from outlay.serving.ggml_step import (
    FETCHED_ROWS,
    backend_for,
    by_rows,
    fetching_seconds,
    ggml_layer,
    ggml_product,
    spilled,
)
from outlay.serving.lanes import on_lanes
from outlay.serving.memo import Seen, but_for_windows, remembered
from outlay.serving.memory import BESIDE
from outlay.serving.mixing import attention, kernels, mixing
from outlay.serving.mixtures import own_layer
from outlay.serving.operators import ends
from outlay.serving.passes import moved_seconds, passes_seconds, sorting_seconds
from outlay.serving.products import before_prompts, operators_of, product, products_of
from outlay.workload import Attention, Experts, Layer, Matmul, MemoryBound, Number

MANY_ROWS = 32
"""Rows beyond which a product that widens its weights is bound by arithmetic and unpacking, not by reading them."""

CAUSES = (
    "projections",
    "experts",
    "prompt attention",
    "decode attention",
    "memory-bound",
    "head and sampling",
    "tensor communication",
    "expert communication",
    "pipeline communication",
    "launches",
    "engine",
)
"""What a step's seconds are spent on; they sum to the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Iteration:
    """What one step takes. Every number has the shape of the layout's degrees and of the work."""

    seconds: Number
    breakdown: Mapping[str, Number]
    """Seconds by cause (:data:`CAUSES`); they sum to `seconds`."""
    power: Callable[[], Number] = field(repr=False, compare=False)

    @property
    def device_watts(self) -> Number:
        """Mean electrical power of one device during the step: worked out when it is asked for, which few do."""
        return self.power()


def iteration(deployment: Deployment, work: Work, coefficients: ServingCoefficients) -> Iteration:
    """Seconds by cause and power of one step.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.serving.coefficients import load_serving
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> one = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))
    >>> step = iteration(one, Work(decoding=1, context=1024), load_serving())
    >>> bool(5e-3 < step.seconds < 10e-3)  # 15 GB of weights at 3.35 TB/s take 4.8 ms
    True
    """
    if deployment.beyond is not None:
        return _one_after_another(deployment, deployment.beyond, work, coefficients)
    step, layout = coefficients.step, deployment.layout
    chip = deployment.cluster.accelerator
    curves = _curves(deployment, coefficients)
    work = _share(deployment, work)
    causes: dict[str, Number] = dict.fromkeys(CAUSES, 0.0)
    seen: Seen = {}
    for block in deployment.architecture.kinds:
        for name, seconds in _layer(block.layer, deployment, work, curves, coefficients, seen).items():
            causes[name] = causes[name] + block.count * seconds
    architecture = deployment.architecture
    causes["head and sampling"] = remembered(
        lambda: _ends(deployment, work, curves, coefficients),
        "ends" if deployment.engine.kernels != "ggml" else None,
        deployment,
        work,
        coefficients.machine,
    )
    hops = np.where(np.greater(layout.pipeline, 1), layout.pipeline, 0)
    sent = work.tokens * architecture.hidden * 2.0 / layout.data
    if deployment.engine.kernels == "ggml":
        hop = 0.0 if by_rows(deployment) else backend_for(deployment, step).hop_seconds
        causes["pipeline communication"] = hop * np.maximum(layout.pipeline - 1.0, 0.0)
    else:
        causes["pipeline communication"] = hops * collective_seconds(
            "send",
            sent,
            np.minimum(layout.pipeline, 2),
            stride=layout.tensor,
            cluster=deployment.cluster,
            curve=curves.collective,
        )
    factor = step.family_of(deployment.engine.family, chip.generation)
    causes = {name: seconds * factor for name, seconds in causes.items()}
    fixed, each = step.fixed_of(deployment.engine)
    host = fixed + each * (work.decoding + np.where(np.greater(work.prefill, 0), work.prompts, 0.0)) / layout.data
    # A step that is scheduled while the device works on the one before shows what takes longer than that.
    overlaps = deployment.engine.overlap_schedule
    causes["engine"] = np.maximum(host - sum(causes.values()), 0.0) if overlaps else host
    total = sum(causes.values())
    return Iteration(
        seconds=total,
        breakdown=causes,
        power=lambda: power_watts(chip, activity(deployment, work, causes, total)),
    )


def _one_after_another(first: Deployment, then: Deployment, work: Work, coefficients: ServingCoefficients) -> Iteration:
    """A step through the layers of one kind of device, then through those of another; the engine's own time counts once.

    For many rows the first device fetches the weights of the other's layers, and works on those too.
    """
    near = iteration(dataclasses.replace(first, beyond=None), work, coefficients)
    far = iteration(then, work, coefficients)
    fetched = iteration(dataclasses.replace(then, cluster=first.cluster), work, coefficients)
    fetching = fetching_seconds(then, first.cluster.accelerator, backend_for(first, coefficients.step))
    many = np.greater_equal(work.tokens, FETCHED_ROWS)

    def other(name: str) -> Number:
        there = fetched.breakdown[name] + (fetching if name == "pipeline communication" else 0.0)
        return np.where(many, there, far.breakdown[name])

    causes = {name: near.breakdown[name] + other(name) for name in CAUSES if name != "engine"}
    causes["engine"] = near.breakdown["engine"]
    idle = power_watts(first.cluster.accelerator, {})
    total = sum(causes.values())

    def power() -> Number:
        working = np.where(many, fetched.seconds - fetched.breakdown["engine"], 0.0)
        busy = near.seconds * near.device_watts + working * fetched.device_watts
        return (busy + (total - near.seconds - working) * idle) / total

    return Iteration(seconds=total, breakdown=causes, power=power)


def _share(deployment: Deployment, work: Work) -> Work:
    """The work of one of the groups that a pipeline keeps in flight."""
    if deployment.engine.sequential_layers:
        return work
    stages = deployment.layout.pipeline

    def share(number: Number) -> Number:
        """Of nothing, nothing: whoever sees the number asks no kernel for it."""
        return 0.0 if np.ndim(number) == 0 and number == 0 else number / stages

    return Work(
        decoding=share(work.decoding),
        context=work.context,
        prefill=share(work.prefill),
        prompts=share(work.prompts),
        past=work.past,
        drafted=work.drafted,
        absent=share(work.absent),
    )


def _curves(deployment: Deployment, coefficients: ServingCoefficients) -> Curves:
    """Curves of the types in which this deployment multiplies."""
    chip = deployment.cluster.accelerator
    return curves_for(
        on_lanes(chip) if deployment.widened and chip.category == "cpu" else chip,
        deployment.compute_type,
        deployment.base_type,
        coefficients.machine,
        kv_dtype="fp8" if deployment.cache_bytes < 2.0 else "bf16",
        engine="trtllm" if deployment.engine.family.startswith("trtllm") else "vllm",
    )


def _layer(
    layer: Layer, deployment: Deployment, work: Work, curves: Curves, coefficients: ServingCoefficients, seen: Seen
) -> dict[str, Number]:
    """Seconds by cause of one layer; `seen` are those of this step before it."""
    step = coefficients.step
    if deployment.engine.kernels == "ggml":
        operators = operators_of(layer, deployment, work)
        backend = backend_for(deployment, step)
        return ggml_layer(layer, operators, deployment, work, backend, coefficients.machine.gemm)
    slowed = deployment.cluster.accelerator.vendor == "nvidia" and bool(np.any(np.greater(work.prefill, 0)))
    raw, launched = remembered(
        lambda: but_for_windows(
            seen,
            layer,
            lambda: _kernels(layer, deployment, work, curves, before=slowed),
            lambda mixer: attention(mixer, deployment, work, curves),
        ),
        layer,
        deployment,
        work,
        coefficients.machine,
    )
    chip = deployment.cluster.accelerator.generation
    measured = deployment.cluster.accelerator.vendor == "nvidia"
    parts = dict(raw)
    before = {name: parts.pop(f"{name}{BEFORE}", 0.0) for name in ("projections", "experts")}
    if awq_runs(deployment):
        parts |= awq_parts(layer, operators_of(layer, deployment, work), deployment, work, curves, step.awq)
        parts["launches"] = np.maximum(_launches(layer, launched, deployment, work, step) - sum(parts.values()), 0.0)
        return parts
    parts["projections"] = parts["projections"] * step.projections_of(chip, measured=measured)
    lanes = deployment.cluster.accelerator.category == "cpu"  # where they do nothing else
    if deployment.widened and deployment.weights.weight_bits < 16 and not lanes:
        many = np.greater(work.tokens / deployment.layout.data, MANY_ROWS)
        parts["projections"] = parts["projections"] * np.where(many, step.widening_of(deployment.engine.family), 1.0)
    if slowed:
        more = step.prompt_slowdown - 1.0
        for name, seconds in before.items():
            lasting = np.where(np.greater(work.prefill, 0), np.maximum(parts[name] - seconds, 0.0), 0.0)
            parts[name] = parts[name] + more * lasting
        parts["prompt attention"] = parts["prompt attention"] * step.prompt_slowdown
    if isinstance(layer.mixer, Attention):
        slow = step.attention_of(chip)
        parts["prompt attention"] = slow * parts["prompt attention"]
        parts["decode attention"] = slow * parts["decode attention"]
    host = _launches(layer, launched, deployment, work, step)
    # A processor is its own host: it does not compute while it launches.
    parts["launches"] = host if lanes else np.maximum(host - sum(parts.values()), 0.0)
    return parts


BEFORE = " before prompts"
"""Behind a cause: its seconds in the same step without prompts."""


def _kernels(
    layer: Layer, deployment: Deployment, work: Work, curves: Curves, *, before: bool
) -> tuple[dict[str, Number], Number]:
    """Seconds of one layer's kernels as their tables have them, and how many kernels there are; with those of products
    `before` prompts, where they are asked for."""
    operators = operators_of(layer, deployment, work)
    # Attention waits for the fullest data-parallel device; experts get the tokens that there are.
    there, routed = work, operators
    if isinstance(layer.feed_forward, Experts) and np.any(work.absent):
        there = dataclasses.replace(work, prefill=work.prefill - work.absent, absent=0.0)
        routed = operators_of(dataclasses.replace(layer, mixer=None, cross_attention=None), deployment, there)
    whole = isinstance(layer.feed_forward, Experts) and own_layer(deployment, curves) is not None
    asked = [(operators, routed, there)]
    if before:
        without = before_prompts(work)
        alone = operators_of(layer, deployment, without)
        asked.append((alone, alone, without))
    products, *lasting = products_of(layer, asked, deployment, curves)
    parts: dict[str, Number] = {
        **products,
        **{f"{name}{BEFORE}": seconds for found in lasting for name, seconds in found.items()},
        "memory-bound": passes_seconds([op for op in operators if isinstance(op, MemoryBound)], curves, whole=whole),
        **mixing(layer, deployment, work, curves),
    }
    parts |= layer_communication(layer, deployment, work, curves)
    unfused = UNFUSED if deployment.engine.family == "transformers" else 1
    beside = sum(unfused * op.kernels_forward if isinstance(op, MemoryBound) else 1 for op in operators)
    return parts, beside + kernels(layer, work)


UNFUSED = 5
"""Kernels of a library that fuses none, for one of those that engines fuse: a norm is seven (transformers' `LlamaRMSNorm`),
rotary positions ten for queries and keys, an activation two, a residual one."""


def _launches(layer: Layer, launched: Number, deployment: Deployment, work: Work, step: StepCoefficients) -> Number:
    """Seconds the host spends on the kernels of a layer: graphs are captured for decoding alone, up to a number of sequences."""
    engine, compiles = deployment.engine, deployment.cluster.accelerator.generation in COMPILED

    def by(host: str) -> Number:
        whole = host == "pieces" and compiles  # one compiler makes one program of all layers
        host = "compiled" if whole else host
        return step.launch[host] * (1 if host == "pieces" else launched)

    if deployment.eager:
        return by("eager")
    most = engine.graph_sequences or np.inf
    other = np.greater(work.prefill, 0) | np.greater(work.decoding, most)
    sorted_out = engine.prompt_host == "eager" and isinstance(layer.feed_forward, Experts)
    experts = np.where(np.greater(work.prefill, 0), step.launch["experts"], 0.0) if sorted_out else 0.0
    return np.where(other, by(engine.prompt_host) + experts, by(engine.host))


def _ends(deployment: Deployment, work: Work, curves: Curves, coefficients: ServingCoefficients) -> Number:
    """Embedding, final norm, head and sampling."""
    operators = ends(deployment.architecture, work.tokens, work.logits, deployment.layout)
    passes = [op for op in operators if isinstance(op, MemoryBound)]
    total = moved_seconds([op.bytes_forward for op in passes], [op.kernels_forward for op in passes], curves)
    for op in operators:
        if isinstance(op, Matmul) and deployment.engine.kernels == "ggml":
            stored = deployment.weights.weight_bytes if deployment.weights.scope == "all" else BESIDE
            backend = backend_for(deployment, coefficients.step)
            total = total + ggml_product(
                op, deployment, backend, stored=stored, share=spilled(deployment), tables=coefficients.machine.gemm
            )
        elif isinstance(op, Matmul):
            total = total + product(op, deployment, curves)
    if deployment.truncated and deployment.engine.sorts and deployment.architecture.head:
        logits = work.logits / deployment.layout.data * deployment.architecture.vocab
        total = total + sorting_seconds(logits, curves)
    return total
