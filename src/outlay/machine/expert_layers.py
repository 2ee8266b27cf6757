"""A layer of experts as a serving engine runs it: which kernels those are differs between engines, formats and years.

A layer of few tokens chooses, sorts, gathers, multiplies, activates, multiplies and scatters. Engines fuse these steps and
write, or borrow, kernels of their own for each format, so that one layer takes half as long in one as in another. The
catalog's `expert_layers.json` has a fit for every version of an engine that was measured; a year asks for the newest that
was out, or for the oldest there is.
"""

from __future__ import annotations

import functools
import importlib.resources
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from outlay.machine.gemm import Array, Number
from outlay.machine.gemm_curve import Device, gemm_curve, resembles
from outlay.machine.grouped import MOVED_FRACTION, GroupedCurve, grouped_gemm_seconds, moved_bytes
from outlay.machine.silicon import silicon


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertLayer:
    """What decides the seconds of one engine's layers of experts on one accelerator in one format of weights."""

    curve: GroupedCurve
    """Of its products, and the seconds of a layer beside them."""
    moved: float
    """Seconds of gather, activation and scatter over those of well-done passes (:func:`~outlay.machine.grouped.moved_bytes`)."""
    bandwidth: float
    """Bytes a second of the memory, as its data sheet has it."""
    stored: float | None
    """Bytes of a stored weight where it is widened for its product."""
    source: str


def expert_layer_seconds(
    tokens: Number,
    rows: Number,
    *,
    hidden: Number,
    width: Number,
    experts: Number,
    curve: ExpertLayer,
    active: Number | None = None,
    imbalance: Number = 1.0,
    gated: bool = True,
    even: bool = False,
    tile_rows: Number = 1.0,
    tile_flops: float | None = None,
) -> Array:
    """Seconds of a whole layer on one device.

    Parameters
    ----------
    tokens
        Tokens that the device sees.
    rows
        Tokens × experts a token, as far as those stand on this device.
    width
        Columns of one expert on this device; `gated` ones have two products of that width on the way up.
    experts, active, imbalance, even
        As for :func:`~outlay.machine.grouped.grouped_gemm_seconds`.
    tile_rows, tile_flops
        Rows to which the kernels fill every expert's up, at the cost of their arithmetic at so many FLOP/s (None: those of
        the curve); passes between the products run over a tile for every expert there is.

    >>> from outlay.catalog import accelerator
    >>> own = expert_layer(accelerator("b200-sxm"), "nvfp4", "vllm")
    >>> one = float(expert_layer_seconds(16, 128, hidden=3072, width=1536, experts=256, active=90, curve=own))
    >>> bool(70e-6 < one < 140e-6)  # 0.7 GB of weights at 8 TB/s take 90 µs
    True
    """
    product = functools.partial(
        grouped_gemm_seconds,
        rows,
        experts=experts,
        active=active,
        imbalance=imbalance,
        curve=curve.curve,
        weight_bytes=curve.stored,
        quantised=True,
        even=even,
    )
    ups = 2.0 if gated else 1.0
    products = product(n=np.multiply(width, ups), k=hidden) + product(n=hidden, k=width)
    moved = moved_bytes(tokens, rows, hidden, width) / (curve.bandwidth * MOVED_FRACTION)
    # What fills tiles up: arithmetic for the experts at work, memory for all of them.
    busy = np.maximum(np.minimum(experts if active is None else active, np.maximum(rows, 1.0)), 1e-9)
    each = np.divide(rows, busy)
    filled = busy * (np.ceil(each / tile_rows) * tile_rows - each) * np.greater(tile_rows, 1.0)
    filling = filled * 2.0 * hidden * width * (ups + 1.0) / (tile_flops or curve.curve.gemm.flops)
    idle = np.multiply(experts, np.subtract(tile_rows, 1.0))
    filling = filling + moved_bytes(0.0, idle, hidden, width) / (curve.bandwidth * MOVED_FRACTION)
    return np.asarray(products + filling + curve.moved * moved + curve.curve.layer_seconds)


def expert_layer(
    accelerator: Device,
    form: str,
    engine: str,
    year: float | None = None,
    coefficients: Mapping[str, Any] | None = None,
) -> ExpertLayer | None:
    """An engine's layers on an accelerator: its own, or those carried over from a relative of its maker.

    None where no engine was measured with the format, or the accelerator is another maker's or older than all of them.

    Parameters
    ----------
    form
        A format of weights, as the catalog's `formats.csv` names it.
    engine
        `vllm`, `sglang` or `trtllm`. One that was not measured with the format on the chip takes another's kernels.
    year
        Of the engine's software; None is today's.
    coefficients
        The content of the catalog's `expert_layers.json`; None reads it.
    """
    content = expert_layer_coefficients() if coefficients is None else coefficients
    kind = ALIKE.get(form, form)
    records = [record for record in content["curves"] if record["form"] == kind]
    if not records or not _makers(accelerator):
        return None
    chips = dict.fromkeys(record["chip"] for record in records)
    chosen = [_of_engine([one for one in records if one["chip"] == chip], engine, year) for chip in chips]
    chosen = _of_age(chosen, accelerator, engine, year)
    dtype = chosen[0]["dtype"]
    if not resembles(accelerator, dtype, chosen):
        return None
    gemm = gemm_curve(accelerator, dtype, {"curves": chosen, "priors": [], "pooled": {}})
    own = next((record for record in chosen if record["chip"] in gemm.source), chosen[0])
    values = own["coefficients"]
    return ExpertLayer(
        curve=GroupedCurve(
            gemm=replace(gemm, unpack_rate=content["core_rate"] * gemm.cores, narrow_fraction=1.0),
            layer_seconds=values["layer_seconds"],
        ),
        moved=values["moved"],
        bandwidth=accelerator.memory_bandwidth,
        stored=STORED.get(kind),
        source=f"{own['engine']} {own['version']} on {own['chip']}",
    )


ALIKE = {"fp16": "bf16", "mxfp8": "fp8-block", "nf4": "w4a16"}
"""Formats whose layers are those of another."""
STORED = {"w4a16": 0.5625, "mxfp4": 0.53125}
"""Bytes of a weight that is widened for its product."""


BORROWED = ("mxfp4",)
"""Formats whose kernels all engines take from the same two libraries (OpenAI's Triton kernels, FlashInfer)."""


def _makers(accelerator: Device) -> bool:
    """Whether the tables' kernels run on the accelerator at all."""
    return getattr(accelerator, "vendor", "") == "nvidia"


def _of_age(
    records: list[Mapping[str, Any]], accelerator: Device, engine: str, year: float | None
) -> list[Mapping[str, Any]]:
    """Without the accelerator's own kernels of a later year, where a near relative was measured with those of the time."""
    own = next((one for one in records if silicon(accelerator).name.startswith(one["chip"])), None)
    if own is None or year is None or own["engine"] != engine or own["since"] <= year:
        return records
    older = [
        one
        for one in records
        if one["engine"] == engine
        and one["since"] < own["since"]
        and one["generation"] == own["generation"]
        and abs(one["memory_bandwidth"] / own["memory_bandwidth"] - 1.0) < ALIKE_BANDWIDTH
    ]
    return older or records


ALIKE_BANDWIDTH = 0.5
"""Difference in bandwidth up to which two chips of a generation run kernels alike."""


def _of_engine(records: list[Mapping[str, Any]], engine: str, year: float | None) -> Mapping[str, Any]:
    """Of one chip and format: the engine's newest version of the year, else its oldest, else another engine's fastest."""
    own = [record for record in records if record["engine"] == engine]
    if not own or own[0]["form"] in BORROWED:
        return min(records, key=lambda record: float(record["usual"]))
    out = [record for record in own if year is None or record["since"] <= year]
    if out:
        return max(out, key=lambda record: float(record["since"]))
    return min(own, key=lambda record: float(record["since"]))


def kernel_age(year: float) -> int:
    """How many of the tables' versions were out in a year: engines of one age run the same kernels.

    >>> kernel_age(2024.0) == kernel_age(2025.0), kernel_age(2025.0) < kernel_age(2026.5)
    (True, True)
    """
    return sum(since <= year for since in _sinces())


@functools.cache
def _sinces() -> tuple[float, ...]:
    return tuple(sorted({float(record["since"]) for record in expert_layer_coefficients()["curves"]}))


@functools.cache
def expert_layer_coefficients() -> Mapping[str, Any]:
    """The fitted coefficients that the catalog ships, as the fit wrote them."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "expert_layers.json"
    content: Mapping[str, Any] = json.loads(resource.read_text(encoding="utf-8"))
    return content
