"""The products of a layer: of all tokens, and of those that are sent to experts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outlay.machine import Curves, GemmCurve, curves_for, gemm_seconds
from outlay.serving.adapters import adapted
from outlay.serving.choice import sparse
from outlay.serving.deployment import Deployment, Work
from outlay.serving.mixtures import experts_seconds
from outlay.serving.operators import absorbed, layer_work
from outlay.serving.stacking import short, stacked
from outlay.workload import Attention, Layer, Matmul, Number, Operator

BESIDE_EXPERTS = ("shared expert", "mixer in-projection", "mixer out-projection")
"""How products begin that a format of routed experts may have in a type of their own."""


LEFT_BY_NVFP4 = ("latent", "query up-", "key-value up-", "query into latent", "value from latent", "index", "mixer")
"""How products begin that NVIDIA's 4-bit checkpoints leave in 16 bits: into and out of latent spaces, of an index, and of mixers
with a state (`exclude_modules` of DeepSeek-V3.1-NVFP4, DeepSeek-V3.2-NVFP4, GLM-5-NVFP4 and Qwen3.5-397B-A17B-NVFP4; PyPI package
aiconfigurator-core 0.12.0, read 2026-11-27; SGLang's qwen3_5.py does so whatever the checkpoint says)."""


def operators_of(layer: Layer, deployment: Deployment, work: Work) -> list[Operator]:
    """What one layer runs, without the core of attention."""
    architecture = deployment.architecture
    operators = layer_work(layer, architecture.hidden, work.tokens, deployment.layout, rotary=architecture.rotary)
    beside: list[Operator] = []
    if deployment.adapters is not None:
        asking = work.decoding + np.where(np.greater(work.prefill, 0), work.prompts, 0.0)
        beside = adapted(operators, layer, deployment.adapters, asking / deployment.layout.data)
    if isinstance(layer.mixer, Attention) and layer.mixer.kv_rank is not None:
        dense = np.where(sparse(layer.mixer, work), 0.0, work.prefill)  # chosen keys are met in the latent space
        operators = absorbed(operators, layer.mixer, deployment.layout, tokens=work.tokens, prefill=dense)
    return operators + beside


def products_of(
    layer: Layer, asked: Sequence[tuple[list[Operator], list[Operator], Work]], deployment: Deployment, curves: Curves
) -> list[dict[str, Number]]:
    """Seconds of a layer's products in each of several steps: of all tokens, and of those that are routed to experts.

    `asked` are the step's operators, those of the tokens that are routed, and its work.
    """
    projections = dense([[op for op in each if isinstance(op, Matmul)] for each, _, _ in asked], deployment, curves)
    return [
        {"projections": seconds, "experts": experts_seconds(layer, routed, deployment, work, curves)}
        for seconds, (_, routed, work) in zip(projections, asked, strict=True)
    ]


def dense(steps: Sequence[list[Matmul]], deployment: Deployment, curves: Curves) -> list[Number]:
    """Seconds of the dense products of each of several steps, one after another; those of one kind are asked for at once.

    All steps have the same products, of other numbers of rows.
    """
    kinds: dict[tuple[int, float | None], tuple[GemmCurve, list[list[Matmul]]]] = {}
    for products in zip(*steps, strict=True):
        curve, stored = _kind(products[0], deployment, curves)
        kinds.setdefault((id(curve), stored), (curve, []))[1].append(list(products))
    totals: list[Number] = [0.0] * len(steps)
    for (_, stored), (curve, several) in kinds.items():
        every = [op for step in zip(*several, strict=True) for op in step]
        sizes = (*(op.rows for op in every), every[0].columns, every[0].depth, every[0].count)
        axes = short(*sizes, times=len(every))
        if axes is None and len(steps) > 1 and len(several) > 1:
            found = [dense([list(products)], deployment, curves)[0] for products in zip(*several, strict=True)]
        elif len(every) == 1 or axes is None:
            found = [sum(product(op, deployment, curves) for op in step) for step in zip(*several, strict=True)]
        else:
            rows, columns, depth, count = (
                stacked([getattr(op, name) for op in every], axes) for name in ("rows", "columns", "depth", "count")
            )
            seconds = gemm_seconds(rows, columns, depth, batch=count, weight_bytes=stored, curve=curve)
            found = list(seconds.reshape(len(steps), len(several), *seconds.shape[1:]).sum(axis=1))
        totals = [total + step for total, step in zip(totals, found, strict=True)]
    return totals


def product(op: Matmul, deployment: Deployment, curves: Curves) -> Number:
    """A dense product."""
    curve, stored = _kind(op, deployment, curves)
    # A product a head is one batched kernel.
    return gemm_seconds(op.rows, op.columns, op.depth, batch=op.count, weight_bytes=stored, curve=curve)


def _kind(op: Matmul, deployment: Deployment, curves: Curves) -> tuple[GemmCurve, float | None]:
    """The curve of a dense product, and the bytes of its weights where those are stored narrower than it runs: their
    traffic is theirs."""
    whole = deployment.weights.scope == "all"
    left = deployment.weights.name == "nvfp4" and op.name.startswith(LEFT_BY_NVFP4)
    narrow = whole or (op.low_precision and deployment.weights.scope == "linear" and not left)
    curve = curves.gemm if narrow and op.low_precision else curves.gemm_base
    if deployment.weights.beside and op.low_precision and op.name.startswith(BESIDE_EXPERTS):
        machine = curves.coefficients
        curve = curves_for(curves.accelerator, deployment.weights.beside, deployment.base_type, machine).gemm
    return curve, deployment.weight_bytes if narrow else None


def before_prompts(work: Work) -> Work:
    """A step without its prompts, or of one token where nothing decodes: what takes as long as reading the weights."""
    return Work(decoding=np.maximum(work.decoding, 1.0), context=work.context, drafted=work.drafted)
