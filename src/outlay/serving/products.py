"""The products of a layer: of all tokens, and of those that are sent to experts."""

from __future__ import annotations

import numpy as np

from outlay.machine import Curves, GemmCurve, curves_for, gemm_seconds
from outlay.serving.adapters import adapted
from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment, Work
from outlay.serving.memo import remembered
from outlay.serving.mixtures import experts_seconds
from outlay.serving.operators import absorbed, layer_work
from outlay.serving.stacking import short, stacked
from outlay.workload import Attention, Layer, Matmul, Number, Operator

BESIDE_EXPERTS = ("shared expert", "mixer in-projection", "mixer out-projection")
"""How products begin that a format of routed experts may have in a type of their own."""


def operators_of(layer: Layer, deployment: Deployment, work: Work) -> list[Operator]:
    """What one layer runs, without the core of attention."""
    architecture = deployment.architecture
    operators = layer_work(layer, architecture.hidden, work.tokens, deployment.layout, rotary=architecture.rotary)
    beside: list[Operator] = []
    if deployment.adapters is not None:
        asking = work.decoding + np.where(np.greater(work.prefill, 0), work.prompts, 0.0)
        beside = adapted(operators, layer, deployment.adapters, asking / deployment.layout.data)
    if isinstance(layer.mixer, Attention) and layer.mixer.kv_rank is not None:
        operators = absorbed(operators, layer.mixer, deployment.layout, tokens=work.tokens, prefill=work.prefill)
    return operators + beside


def products_of(
    layer: Layer,
    operators: list[Operator],
    routed: list[Operator],
    deployment: Deployment,
    work: Work,
    curves: Curves,
) -> dict[str, Number]:
    """Seconds of a layer's products: of all tokens, and of those that are `routed` to experts."""
    return {
        "projections": dense([op for op in operators if isinstance(op, Matmul)], deployment, curves),
        "experts": experts_seconds(layer, routed, deployment, work, curves),
    }


def dense(products: list[Matmul], deployment: Deployment, curves: Curves) -> Number:
    """Seconds of dense products one after another; those of one kind are asked for at once."""
    kinds: dict[tuple[int, float | None], tuple[GemmCurve, list[Matmul]]] = {}
    for op in products:
        curve, stored = _kind(op, deployment, curves)
        kinds.setdefault((id(curve), stored), (curve, []))[1].append(op)
    total: Number = 0.0
    for (_, stored), (curve, several) in kinds.items():
        axes = short(several[0].rows, several[0].columns, several[0].depth, several[0].count)
        if len(several) == 1 or axes is None:
            total = total + sum(product(op, deployment, curves) for op in several)
            continue
        rows, columns, depth, count = (
            stacked([getattr(op, name) for op in several], axes) for name in ("rows", "columns", "depth", "count")
        )
        seconds = gemm_seconds(rows, columns, depth, batch=count, weight_bytes=stored, curve=curve)
        total = total + seconds.sum(axis=0)
    return total


def product(op: Matmul, deployment: Deployment, curves: Curves) -> Number:
    """A dense product."""
    curve, stored = _kind(op, deployment, curves)
    # A product a head is one batched kernel.
    return gemm_seconds(op.rows, op.columns, op.depth, batch=op.count, weight_bytes=stored, curve=curve)


def _kind(op: Matmul, deployment: Deployment, curves: Curves) -> tuple[GemmCurve, float | None]:
    """The curve of a dense product, and the bytes of its weights where those are stored narrower than it runs: their
    traffic is theirs."""
    whole = deployment.weights.scope == "all"
    narrow = whole or (op.low_precision and deployment.weights.scope == "linear")
    curve = curves.gemm if narrow and op.low_precision else curves.gemm_base
    if deployment.weights.beside and op.low_precision and op.name.startswith(BESIDE_EXPERTS):
        machine = curves.coefficients
        curve = curves_for(curves.accelerator, deployment.weights.beside, deployment.base_type, machine).gemm
    return curve, deployment.weight_bytes if narrow else None


def before_prompts(
    layer: Layer, deployment: Deployment, work: Work, curves: Curves, coefficients: ServingCoefficients
) -> dict[str, Number]:
    """Seconds of the products of a step without its prompts, or of one token where nothing decodes: reading the weights."""
    without = Work(decoding=np.maximum(work.decoding, 1.0), context=work.context, drafted=work.drafted)

    def products() -> dict[str, Number]:
        operators = operators_of(layer, deployment, without)
        return products_of(layer, operators, operators, deployment, without, curves)

    return remembered(products, f"before prompts of {id(layer)}", deployment, without, coefficients.machine)
