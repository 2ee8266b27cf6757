"""Fit a :class:`~outlay.machine.gemm.GemmCurve` to the measured matrix products of each chip and data type.

The mean absolute log error is what is made small (a smooth stand-in for it), by a least-squares search from three fixed
starts. Shapes of training (m ≥ 1024, n and k ≥ 512) carry 70 % of the weight, larger m more of it. A third of the
shapes is never fitted to and gives the errors that are reported. Tables of several frameworks time the same library
calls in 16 bits: their geometric median is the target, each table first shifted to the middle one, because timings of
one shape differ by 3 to 8 %; tables whose operands hold no numbers (:data:`UNWRITTEN`) are left out. In 8 and 4 bits
each framework brings other kernels, with the quantisation of the left operand inside: the fastest is the target.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from outlay.machine.fit.kernel_tables import CHIPS, MeasuredChip, package_version, tables
from outlay.machine.gemm import SHORT_ROWS, Array, GemmCurve, gemm_seconds
from outlay.machine.gemm_curve import ELEMENT_BYTES, curve_from_fractions, gemm_curve

KINDS = {"bfloat16": "bf16", "fp8": "fp8", "fp8_block": "fp8-block", "nvfp4": "nvfp4"}
"""The tables' names of data types and ours."""

UNWRITTEN = "vllm"
"""The framework whose 16-bit weights were allocated and never written. Zeros switch few transistors: its products of 20 ms
run at the clock of those of 0.2 ms on every chip, where numbers cost the others 10 % (A100) to 25 % (GB200), so that its
tables say nothing of the power limit. Used where a chip has no other table."""

START = {
    "fraction": 0.8,
    "middle_tile": 0.95,
    "small_tile": 0.8,
    "quantisation": 0.4,
    "tile_seconds": 0.3e-6,
    "split_depth": 500.0,
    "split_seconds": 2.5e-6,
    "bandwidth_fraction": 0.85,
    "overlap": 2.0,
    "exposed_output": 0.15,
    "throttle": 0.12,
    "launch_seconds": 2.3e-6,
    "quantise_bytes": 4.0,
}
"""What the search starts from, and what a coefficient stays near when the rows do not speak about it."""

BOUNDED = {
    "fraction": 1.0,
    "middle_tile": 1.1,
    "small_tile": 1.1,
    "quantisation": 1.0,
    "bandwidth_fraction": 1.05,
    "throttle": 0.5,
}
"""Coefficients that physics holds between 0 and this (a little above 1 where the data sheet rounds)."""

THROTTLE_SECONDS = 2e-3
"""Time in which half of the power limit's slow-down has set in: what 16-bit fits on Hopper and Blackwell find by themselves
(1 to 4 ms); held there, so that the limit is read off kernels of 1 to 30 ms and never extrapolated."""

PRIOR_WIDTH = 2.0
"""A coefficient e² times away from its start costs as much as 0.5 % of the rows being wrong: only breaks ties."""

Rows = dict[str, Array]


def measured(chip: MeasuredChip) -> dict[str, Rows]:
    """Shapes and seconds of a chip by our data type: columns m, n, k, seconds, and the number of rows behind them.

    Left out: 16 bits of vllm (:data:`UNWRITTEN`) and its block-scaled fp8, whose small products wait for the host (0.15 ms
    each), and small batches whose weights stayed in the cache.
    """
    import pandas as pd

    frames = []
    for framework, columns in tables(chip.folder, "gemm"):
        frame = pd.DataFrame({name: columns[name] for name in ("gemm_dtype", "m", "n", "k", "latency")})
        frame["latency"] = frame["latency"].astype(float) * 1e-3
        frames.append(frame[(frame["latency"] > 0)].assign(framework=framework))
    everything = pd.concat(frames)
    answer = {}
    for theirs, ours in KINDS.items():
        if peak_of(chip, ours) is None:
            continue
        chosen = everything[everything["gemm_dtype"] == theirs]
        unwritten = chosen["framework"].str.startswith(UNWRITTEN)
        if ours == "fp8-block" or (ours == "bf16" and not unwritten.all()):
            chosen = chosen[~unwritten]
        weights = chosen["n"] * chosen["k"] * ELEMENT_BYTES[ours]
        chosen = chosen[(weights > chip.resident_bytes) | (weights < 1e6) | (chosen["m"] >= 1024)]
        if not len(chosen):
            continue
        chosen = chosen.assign(log=np.log(chosen["latency"]))
        if ours == "bf16":
            chosen["log"] -= chosen["framework"].map(offsets(chosen))
        logs = chosen.groupby(["m", "n", "k"])["log"]
        shapes = (logs.median() if ours == "bf16" else logs.min()).reset_index()
        answer[ours] = {name: shapes[name].to_numpy(dtype=float) for name in ("m", "n", "k")}
        answer[ours]["seconds"] = np.exp(shapes["log"].to_numpy(dtype=float))
        answer[ours]["rows"] = np.array([float(len(chosen))])
    return answer


def offsets(rows: Any) -> dict[str, float]:
    """How much slower (log) each framework's table is than the middle one, over the shapes that all of them hold.

    They time the same library on different days and boards. A table with more shapes than the others would otherwise
    decide alone, with its own board, in most of the plane.
    """
    wide = rows.pivot_table(index=["m", "n", "k"], columns="framework", values="log").dropna()
    middle = wide.median(axis=1)
    return {name: float((wide[name] - middle).median()) for name in wide.columns}


def peak_of(chip: MeasuredChip, dtype: str) -> float | None:
    """Dense FLOP/s of the data sheet for one of our data types; None where the chip has no such units."""
    return chip.peaks.get("fp8" if dtype == "fp8-block" else dtype)


def is_training(rows: Rows) -> Any:
    """Shapes as training has them."""
    return (rows["m"] >= 1024) & (rows["n"] >= 512) & (rows["k"] >= 512)


def pick(rows: Rows, chosen: Any) -> Rows:
    """Some of the rows: `chosen` is a mask or indices."""
    return {name: rows[name][chosen] for name in ("m", "n", "k", "seconds")}


def split(rows: Rows, *, size: int = 8000, seed: int = 2026) -> tuple[Rows, Array, Rows]:
    """Rows to fit with their weights, and the third of the shapes that is held out."""
    random = np.random.default_rng(seed)
    held = random.random(len(rows["m"])) < 1 / 3
    training = is_training(rows)
    fitted = []
    for group, share in ((training & ~held, 0.6), (~training & ~held, 0.4)):
        indices = random.permutation(np.flatnonzero(group))
        fitted.append(indices[: int(size * share)])
    parts = [pick(rows, indices) for indices in fitted]
    weights = [np.sqrt(part["m"] / 1024) if index == 0 else np.ones_like(part["m"]) for index, part in enumerate(parts)]
    weights = [weight / max(weight.sum(), 1e-9) * share for weight, share in zip(weights, (0.7, 0.3), strict=True)]
    together = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    weight = np.concatenate(weights)
    return together, weight / weight.mean(), pick(rows, held)


def encode(values: dict[str, float]) -> Array:
    """Coefficients as unbounded numbers: logits of bounded ones, logarithms of the others."""
    return np.array(
        [np.log(v / (BOUNDED[name] - v)) if name in BOUNDED else np.log(v) for name, v in values.items()], dtype=float
    )


def decode(vector: Array) -> dict[str, float]:
    """The inverse of :func:`encode`, with the constant that is not searched for."""
    numbers = np.clip(vector, -20.0, 20.0)
    values = {
        name: float(BOUNDED[name] / (1 + np.exp(-x)) if name in BOUNDED else np.exp(x))
        for name, x in zip(START, numbers, strict=True)
    }
    return values | {"throttle_seconds": THROTTLE_SECONDS}


def curve_of(chip: MeasuredChip, dtype: str, values: dict[str, float]) -> GemmCurve:
    """The curve of a chip's data sheet and a set of coefficients."""
    peak = peak_of(chip, dtype)
    assert peak is not None
    return curve_from_fractions(
        values,
        peak=peak,
        memory_bandwidth=chip.memory_bandwidth,
        cores=chip.cores,
        dtype=dtype,
        basis="fitted",
        source="",
    )


def log_errors(curve: GemmCurve, rows: Rows) -> Array:
    """log(predicted / measured) of every row."""
    return np.log(gemm_seconds(rows["m"], rows["n"], rows["k"], curve=curve)) - np.log(rows["seconds"])


def fit_curve(chip: MeasuredChip, dtype: str, rows: Rows, weights: Array) -> dict[str, float]:
    """Coefficients that make the weighted mean absolute log error small: the best of three starts."""
    from scipy.optimize import least_squares

    home = encode(START)
    root = np.sqrt(weights)
    pull = 0.03 * np.sqrt(0.005 * len(weights)) / PRIOR_WIDTH

    def residuals(vector: Array) -> Array:
        errors = log_errors(curve_of(chip, dtype, decode(vector)), rows) * root
        return np.concatenate([errors, (vector - home) * pull])

    random = np.random.default_rng(7)
    best = None
    for start in (home, home + random.normal(0, 0.4, len(home)), home + random.normal(0, 0.4, len(home))):
        found = least_squares(residuals, start, loss="soft_l1", f_scale=0.03, diff_step=2e-2, max_nfev=60)
        if best is None or found.cost < best.cost:
            best = found
    assert best is not None
    return decode(best.x)


def summary(errors: Array) -> dict[str, float]:
    """Median and 90th percentile of |e^error − 1|, and the median of e^error − 1."""
    relative = np.expm1(errors)
    if not len(relative):
        return {"shapes": 0}
    return {
        "shapes": len(relative),
        "median": round(float(np.median(np.abs(relative))), 4),
        "p90": round(float(np.quantile(np.abs(relative), 0.9)), 4),
        "bias": round(float(np.median(relative)), 4),
    }


def fit_all() -> list[dict[str, Any]]:
    """One record a chip and data type: coefficients, the data sheet behind them, rows, errors on held-out shapes."""
    records, shapes = [], []
    for chip in CHIPS:
        for dtype, rows in measured(chip).items():
            fitted, weights, held = split(rows)
            values = fit_curve(chip, dtype, fitted, weights)
            errors, training = log_errors(curve_of(chip, dtype, values), held), is_training(held)
            shapes.append((chip, dtype, pick(held, training)))
            records.append(
                {
                    "chip": chip.name,
                    "dtype": dtype,
                    "generation": chip.generation,
                    "peak_flops": peak_of(chip, dtype),
                    "memory_bandwidth": chip.memory_bandwidth,
                    "cores": chip.cores,
                    "tdp": chip.tdp,
                    "rows": int(rows["rows"][0]),
                    "coefficients": {name: float(f"{value:.4g}") for name, value in values.items()},
                    "all": summary(errors),
                    "training": summary(errors[training]),
                    "other": summary(errors[~training]),
                }
            )
    for record, (chip, dtype, rows) in zip(records, shapes, strict=True):
        record["left_out"] = summary(log_errors(left_out(chip, dtype, records), rows))
    return records


def left_out(chip: MeasuredChip, dtype: str, records: list[dict[str, Any]]) -> GemmCurve:
    """The curve that a chip would get if it had never been measured."""
    others = [record for record in records if record["chip"] != chip.name]
    return gemm_curve(chip, dtype, {"curves": others, "pooled": pooled(others), "priors": []})


PRIORS = (
    ("mi300", 0.51, "best bf16 product measured on MI300X: 51 % of the peak"),
    ("mi325", 0.51, "as MI300X, the same silicon"),
    ("mi350", 0.68, "as MI355X, the same silicon"),
    ("mi355", 0.68, "best bf16 product measured on MI355X: 68 % of the peak"),
    ("mi2", 0.66, "bf16 products of 8192³ and more measured on MI210: 120 of 181 TFLOP/s"),
    ("tpu", 0.88, "whole training steps on TPU v5p reach 71 % of the peak (MaxText): products reach well above"),
    ("v100", 0.80, "fp16 products of 8192³ on V100 reach about 100 of 125 TFLOP/s"),
)
"""Chips without tables of which the best fraction of the peak is published: prefix of the name, fraction, source."""


def pooled(records: list[dict[str, Any]]) -> dict[str, float]:
    """The median of each coefficient over the 16-bit curves of datacenter chips."""
    chosen = [r["coefficients"] for r in records if r["dtype"] == "bf16" and r["memory_bandwidth"] > 1e12]
    return {name: float(f"{np.median([values[name] for values in chosen]):.4g}") for name in chosen[0]}


WEIGHT_ONLY = {"int8_wo": 1.0, "int4_wo": 0.5}
"""The tables' names of 16-bit products with narrower weights, and bytes of a weight; scales are one for each column."""


def weight_only(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Elements that one processor widens in a second, from the only chip whose tables hold such products (A100, trtllm).

    Its engine starts a kernel outside a captured graph: that start is fitted beside the rate and left out.
    """
    import pandas as pd
    from scipy.optimize import least_squares

    chip = next(chip for chip in CHIPS if chip.name == "a100-sxm")
    own = next(record for record in records if record["chip"] == chip.name and record["dtype"] == "bf16")
    curve = curve_of(chip, "bf16", own["coefficients"])
    frames = [
        pd.DataFrame({name: columns[name] for name in ("gemm_dtype", "m", "n", "k", "latency")})
        for _, columns in tables(chip.folder, "gemm")
    ]
    rows = pd.concat(frames)
    rows = rows[rows["gemm_dtype"].isin(WEIGHT_ONLY) & (rows["n"] >= 512) & (rows["k"] >= 512)]
    m, n, k = (rows[name].to_numpy(dtype=float) for name in ("m", "n", "k"))
    stored = rows["gemm_dtype"].map(WEIGHT_ONLY).to_numpy(dtype=float)
    measured = rows["latency"].to_numpy(dtype=float) * 1e-3
    held = np.random.default_rng(3).random(len(m)) < 1 / 3

    def errors(vector: Array) -> Array:
        rate, start = map(float, np.exp(vector))
        seconds = gemm_seconds(m, n, k, weight_bytes=stored, curve=replace(curve, unpack_rate=rate * chip.cores))
        return np.asarray(np.log(seconds + start) - np.log(measured))

    found = least_squares(
        lambda vector: errors(vector)[~held],
        np.log([1e11, 8e-6]),
        bounds=(np.log([1e9, 1e-7]), np.log([1e14, 5e-5])),
        loss="soft_l1",
        f_scale=0.1,
        diff_step=1e-2,
    )
    log, few = errors(found.x), m <= SHORT_ROWS
    return {
        "chip": chip.name,
        "core_rate": float(f"{np.exp(found.x[0]):.3g}"),
        "start_in_tables": float(f"{np.exp(found.x[1]):.3g}"),
        "rows": len(m),
        "few_rows": summary(log[held & few]),
        "many_rows": summary(log[held & ~few]),
        "large_weights": summary(log[held & few & (n * k > 3e7)]),
    }


def serving(records: list[dict[str, Any]]) -> None:
    """Adds to every record its errors on products of few rows by the size of their weights, and what short products save.

    That is one number for each type of 8 and 4 bits, at most 0.8 of the launch: the one that leaves the smallest median
    absolute log error, to a twentieth of a microsecond. Products of more rows do not feel it.
    """
    for chip in CHIPS:
        for dtype, rows in measured(chip).items():
            record = next(one for one in records if (one["chip"], one["dtype"]) == (chip.name, dtype))
            values = dict(record["coefficients"]) | {"short_saving": 0.0}
            few = pick(rows, (rows["m"] <= SHORT_ROWS) & (rows["n"] >= 512) & (rows["k"] >= 512))
            if ELEMENT_BYTES[dtype] < 2.0:
                tries = np.arange(0.0, 0.8 * values["launch_seconds"], 5e-8)
                errors = [log_errors(curve_of(chip, dtype, values | {"short_saving": float(x)}), few) for x in tries]
                best = int(np.argmin([float(np.median(np.abs(log))) for log in errors]))
                values["short_saving"] = float(f"{tries[best]:.3g}")
                record["coefficients"] = values
            log, weights = log_errors(curve_of(chip, dtype, values), few), few["n"] * few["k"]
            record["serving"] = {
                "large": summary(log[weights >= 3e7]),
                "middle": summary(log[(weights >= 4e6) & (weights < 3e7)]),
                "small": summary(log[weights < 4e6]),
            }


def serving_table(content: dict[str, Any]) -> list[str]:
    """Errors on products of few rows as a Markdown table."""
    lines = ["| chip | type | 30 M weights and more: median | bias | 4 to 30 M: median | bias | below: median | bias |"]
    lines.append("| --- | --- |" + " --: |" * 6)
    for record in content["curves"]:
        figures = [
            record["serving"][size].get(figure)
            for size in ("large", "middle", "small")
            for figure in ("median", "bias")
        ]
        cells = " | ".join("–" if figure is None else f"{100 * figure:.0f} %" for figure in figures)
        lines.append(f"| {record['chip']} | {record['dtype']} | {cells} |")
    return lines


def document() -> dict[str, Any]:
    """Everything that `gemm.json` holds: curves, pooled coefficients, priors, and where they come from."""
    records = fit_all()
    serving(records)
    priors = [{"prefix": prefix, "fraction": fraction, "source": source} for prefix, fraction, source in PRIORS]
    return {
        "source": package_version(),
        "curves": records,
        "pooled": pooled(records),
        "priors": priors,
        "weight_only": weight_only(records),
    }
