"""Fit an :class:`~outlay.machine.attention.AttentionCurve` to the measured attention kernels of each chip.

Tables of prompts (causal, sliding windows too) give efficiency and overhead by head dimension, one launch time and one
imbalance; tables of image encoders give the gain of a full square; the same shapes in 8 bits give the gain of fp8. A third
of the shapes, drawn once, is never fitted to and gives the errors. The tables come from an inference engine that also
copies keys and values into its cache: that copy is fitted beside the kernel, and left out of what the catalog keeps.
``python -m outlay.machine.fit`` writes the catalog's file and prints the errors.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from outlay.machine.attention import Array, AttentionCurve, attention_seconds
from outlay.machine.attention_curve import attention_curve
from outlay.machine.fit.kernel_tables import CHIPS, MeasuredChip, data_folder, package_version

KERNELS = ("vllm_flash_attn", "vllm_flashinfer_trtllmprefill")
"""Kernels that training runs too: flash-attention 2 (Ampere, Ada), 3 (Hopper) and the maker's own (Blackwell)."""

HEAD_DIMS = (64.0, 128.0, 192.0, 256.0, 512.0)

PUBLISHED = Path(__file__).with_name("attention_published.json")
"""What no table tells: backward passes, other libraries and other makers, each with its source."""

COLUMNS = ("batch_size", "num_heads", "num_key_value_heads", "isl", "head_dim", "window_size")


def rows_of(
    folder: str, stem: str, *, framework: str, kernels: tuple[str, ...] = (), dtype: str = "bfloat16"
) -> dict[str, Array]:
    """Columns of the newest table of a framework as numbers, `seconds` among them; empty where there is none."""
    import pandas as pd

    kind = "encoder_attention" if stem == "encoder_attention" else "attention"
    paths = sorted((data_folder() / folder / kind / framework).glob(f"*/{stem}_perf.parquet"))
    if not paths:
        return {}
    frame = pd.read_parquet(paths[-1])
    for name, default in (("window_size", 0), ("num_key_value_heads", frame["num_heads"]), ("kv_cache_dtype", dtype)):
        if name not in frame:
            frame[name] = default
    frame = frame[(frame["attn_dtype"] == dtype) & (frame["kv_cache_dtype"] == dtype) & (frame["isl"] >= 64)]
    if kernels:
        frame = frame[frame["kernel_source"].str.startswith(kernels)]
    frame = frame.groupby(list(COLUMNS), as_index=False)["latency"].median()
    columns = {name: frame[name].to_numpy(dtype=float) for name in COLUMNS}
    columns["seconds"] = frame["latency"].to_numpy(dtype=float) * 1e-3
    return columns


def predicted(curve: AttentionCurve, rows: dict[str, Array], *, causal: bool, copies: float = 0.0) -> Array:
    """Seconds of every row by the curve, and of passing keys and values through memory `copies` times more."""
    batch, heads, kv_heads, length, head_dim, window = (rows[name] for name in COLUMNS)
    limit = np.where(window > 0, window, np.inf)
    kernel = attention_seconds(
        batch, heads, kv_heads, length, length, head_dim, head_dim, causal=causal, window=limit, curve=curve
    )
    return kernel + copies * 2.0 * batch * length * kv_heads * head_dim * curve.element_bytes / curve.bandwidth


def is_training(rows: dict[str, Array], cores: float) -> Any:
    """Shapes as training has them: long sequences and more tiles than processors."""
    tiles = rows["batch_size"] * rows["num_heads"] * rows["isl"] / 128
    return (rows["isl"] >= 1024) & (tiles >= 2 * cores) & (rows["head_dim"] <= 256)


def errors(
    curve: AttentionCurve, rows: dict[str, Array], chosen: Any, *, causal: bool = True, copies: float = 0.0
) -> dict[str, float]:
    """Median and 90th percentile of the absolute log error, and its median with sign, on some rows."""
    log = (np.log(predicted(curve, rows, causal=causal, copies=copies)) - np.log(rows["seconds"]))[chosen]
    if not len(log):
        return {"shapes": 0}
    return {
        "shapes": len(log),
        "median": round(float(np.median(np.abs(log))), 4),
        "p90": round(float(np.quantile(np.abs(log), 0.9)), 4),
        "bias": round(float(np.median(log)), 4),
    }


def base_curve(chip: MeasuredChip, dims: tuple[float, ...]) -> AttentionCurve:
    """The data sheet of a chip, before any fit."""
    return AttentionCurve(
        flops=chip.peaks["bf16"],
        bandwidth=chip.memory_bandwidth * 0.75,
        cores=float(chip.cores),
        head_dims=dims,
        efficiency=(0.5,) * len(dims),
        tile_overhead=(200.0,) * len(dims),
        head_multiple=32.0 if chip.generation in ("ampere", "ada") or chip.name.startswith("rtx") else 16.0,
    )


def with_vector(curve: AttentionCurve, vector: Array) -> AttentionCurve:
    """A curve with the fitted numbers: logarithms of launch, imbalance, efficiencies and overheads.

    The last number, the copies, is no part of the curve.
    """
    numbers, count = np.exp(vector[:-1]), len(curve.head_dims)
    return replace(
        curve,
        launch_seconds=float(numbers[0]),
        imbalance=float(numbers[1]),
        efficiency=tuple(map(float, numbers[2 : 2 + count])),
        tile_overhead=tuple(map(float, numbers[2 + count :])),
    )


def fit_curve(
    curve: AttentionCurve, rows: dict[str, Array], *, size: int = 12000, seed: int = 2026
) -> tuple[AttentionCurve, float]:
    """Least squares on log errors with a soft loss; training shapes carry most of the weight. The curve and the copies."""
    from scipy.optimize import least_squares

    random = np.random.default_rng(seed)
    chosen = random.permutation(len(rows["isl"]))[:size]
    few = {name: column[chosen] for name, column in rows.items()}
    weight = np.where(is_training(few, curve.cores), 2.0, 0.6)
    measured = np.log(few["seconds"])
    count = len(curve.head_dims)
    start = np.log([5e-6, 0.7, *([0.5] * count), *([200.0] * count), 1.0])
    low = np.log([5e-7, 0.05, *([0.05] * count), *([1.0] * count), 0.01])
    high = np.log([6e-5, 2.0, *([0.95] * count), *([3000.0] * count), 20.0])

    def residuals(vector: Array) -> Array:
        seconds = predicted(with_vector(curve, vector), few, causal=True, copies=float(np.exp(vector[-1])))
        return (np.log(seconds) - measured) * weight

    found = least_squares(residuals, start, bounds=(low, high), loss="soft_l1", f_scale=0.1)
    return with_vector(curve, found.x), float(np.exp(found.x[-1]))


def fit_chip(chip: MeasuredChip) -> dict[str, Any]:
    """The coefficients of one chip and their errors on shapes that were not fitted."""
    rows = rows_of(chip.folder, "context_attention", framework="vllm", kernels=KERNELS)
    held = np.random.default_rng(7).random(len(rows["isl"])) < 1 / 3
    dims = tuple(dim for dim in HEAD_DIMS if (rows["head_dim"] == dim).sum() > 200)
    curve, copies = fit_curve(base_curve(chip, dims), {name: column[~held] for name, column in rows.items()})
    full = rows_of(chip.folder, "encoder_attention", framework="vllm")
    if full:
        busy = is_training(full, curve.cores)
        ratio = predicted(curve, full, causal=False)[busy] / full["seconds"][busy]
        curve = replace(curve, full_gain=float(np.median(ratio)))
    training = is_training(rows, curve.cores)
    answer: dict[str, Any] = {
        "chip": chip.name,
        "generation": chip.generation,
        "tables": f"{package_version()}, vllm context and encoder attention",
        "memory_bandwidth": chip.memory_bandwidth,
        "cores": chip.cores,
        "peak_flops": chip.peaks["bf16"],
        "tdp": chip.tdp,
        "coefficients": coefficients_of(curve, chip),
        "cache_copies": round(copies, 3),
        "errors": {
            "training": errors(curve, rows, held & training, copies=copies),
            "other": errors(curve, rows, held & ~training, copies=copies),
        },
    }
    if full:
        answer["errors"]["full"] = errors(curve, full, is_training(full, curve.cores), causal=False)
    gain = fp8_gain(chip)
    if gain:
        answer["coefficients"]["fp8_gain"] = gain
    if not full:
        answer["coefficients"].pop("full_gain")
    return answer


def coefficients_of(curve: AttentionCurve, chip: MeasuredChip) -> dict[str, Any]:
    """What the catalog keeps of a fitted curve."""
    return {
        "head_dims": list(curve.head_dims),
        "efficiency": [round(share, 4) for share in curve.efficiency],
        "tile_overhead": [round(keys, 1) for keys in curve.tile_overhead],
        "full_gain": round(curve.full_gain, 4),
        "imbalance": round(curve.imbalance, 4),
        "head_multiple": curve.head_multiple,
        "launch_seconds": float(f"{curve.launch_seconds:.4g}"),
        "bandwidth_fraction": round(curve.bandwidth / chip.memory_bandwidth, 4),
    }


def fp8_gain(chip: MeasuredChip) -> float | None:
    """Share of the fp8 peak over the share of the bf16 peak, from the same large shapes timed in both."""
    import pandas as pd

    if "fp8" not in chip.peaks:
        return None
    wide, narrow = (
        pd.DataFrame(rows_of(chip.folder, "context_attention", framework="trtllm", dtype=dtype))
        for dtype in ("bfloat16", "fp8")
    )
    if wide.empty or narrow.empty:
        return None
    both = wide.merge(narrow, on=list(COLUMNS), suffixes=("_wide", "_narrow"))
    both = both[(both["isl"] >= 2048) & (both["batch_size"] * both["num_heads"] >= 64)]
    speed = float((both["seconds_wide"] / both["seconds_narrow"]).median())
    return round(speed * chip.peaks["bf16"] / chip.peaks["fp8"], 4)


def document() -> dict[str, Any]:
    """The content of the catalog's `attention.json`."""
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    curves = [fit_chip(chip) for chip in CHIPS]
    lender = next(curve for curve in curves if curve["chip"] == "l40s")["coefficients"]
    for curve in curves:
        values = curve["coefficients"]
        values.setdefault("full_gain", lender["full_gain"])
        if values["head_dims"] == [128.0]:  # the other widths after flash-attention 2 on the nearest generation
            index = lender["head_dims"].index(128.0)
            share, keys = values["efficiency"][0], values["tile_overhead"][0]
            values["head_dims"] = lender["head_dims"]
            values["efficiency"] = [round(share * x / lender["efficiency"][index], 4) for x in lender["efficiency"]]
            values["tile_overhead"] = [
                round(keys * x / lender["tile_overhead"][index], 1) for x in lender["tile_overhead"]
            ]
        values |= published["generations"].get(curve["generation"], published["generations"]["default"])
    content = {
        "source": package_version(),
        "curves": curves,
        "libraries": published["libraries"],
        "priors": published["priors"],
        "published": published["sources"],
    }
    for chip, own in zip(CHIPS, curves, strict=True):
        own["errors"]["left_out"] = left_out_errors(content, chip)
    return content


def left_out_errors(content: dict[str, Any], chip: MeasuredChip) -> dict[str, float]:
    """Errors on training shapes when the chip borrows as if it had never been measured."""
    others = {**content, "curves": [record for record in content["curves"] if record["chip"] != chip.name]}
    copies = next(record["cache_copies"] for record in content["curves"] if record["chip"] == chip.name)
    rows = rows_of(chip.folder, "context_attention", framework="vllm", kernels=KERNELS)
    return errors(attention_curve(chip, others), rows, is_training(rows, chip.cores), copies=copies)


def error_table(content: dict[str, Any]) -> list[str]:
    """Errors by chip as a Markdown table."""
    lines = [
        "| chip | training: median | p90 | bias | other: median | p90 | full square: median | left out: median | bias |"
    ]
    lines.append("| --- |" + " --: |" * 8)
    for record in content["curves"]:
        training, other, full, left = (
            record["errors"].get(name, {}) for name in ("training", "other", "full", "left_out")
        )
        figures = [
            training.get("median"),
            training.get("p90"),
            training.get("bias"),
            other.get("median"),
            other.get("p90"),
        ]
        figures += [full.get("median"), left.get("median"), left.get("bias")]
        cells = " | ".join("–" if figure is None else f"{100 * figure:.1f} %" for figure in figures)
        lines.append(f"| {record['chip']} | {cells} |")
    return lines
