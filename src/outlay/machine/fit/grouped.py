"""Fit the :class:`~outlay.machine.grouped.GroupedCurve` of each chip and data type to measured fused expert layers.

The rows are CUTLASS and DeepGEMM layers of trtllm with gated experts and perfectly even routing: the kernels that
resemble those of training most. Bandwidth, overlap, power limit and quantisation are those of the chip's plain products;
tiles, waves, the fraction of the peak, and what the layer does beside its products are fitted. Layers of training (64 rows
or more for each expert, 1,024 tokens, experts 256 wide) carry 80 % of the weight, and a third of the layers is held out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from outlay.machine.fit.gemm import BOUNDED, KINDS, PRIORS, Rows, peak_of, pooled, summary
from outlay.machine.fit.kernel_tables import CHIPS, MeasuredChip, package_version, tables
from outlay.machine.gemm import Array
from outlay.machine.gemm_curve import curve_from_fractions
from outlay.machine.grouped import MOVED_FRACTION, GroupedCurve, grouped_gemm_seconds, moved_bytes

KERNELS = {"moe_torch_flow", "moe_torch_flow_cutlass", "deepgemm"}

START = {
    "fraction": 0.7,
    "middle_tile": 0.9,
    "small_tile": 0.6,
    "quantisation": 0.5,
    "tile_seconds": 0.3e-6,
    "moved": 1.2,
    "layer_seconds": 10e-6,
}
"""What the search starts from."""


def measured(chip: MeasuredChip) -> dict[str, Rows]:
    """Layers of a chip by our data type: tokens, rows, hidden, width, experts of one device, and seconds."""
    import pandas as pd

    frames = [pd.DataFrame(columns) for name, columns in tables(chip.folder, "moe") if name.startswith("trtllm")]
    answer: dict[str, Rows] = {}
    for theirs, ours in KINDS.items():
        if peak_of(chip, ours) is None or not frames:
            continue
        layers = pd.concat(frames)
        layers = layers[(layers["moe_dtype"] == theirs) & layers["kernel_source"].isin(KERNELS)]
        even = layers["distribution"] == "balanced"
        # Older tables have no even routing: the mildest uneven one on a single device comes nearest.
        mild = (layers["distribution"] == "power_law_1.01") & (layers["moe_ep_size"] == 1)
        layers = layers[even if even.any() else mild]
        layers = layers[layers["inter_size"] >= 64 * layers["moe_tp_size"]]
        if len(layers) < 200:
            continue
        answer[ours] = layers_of(layers)
    return answer


def layers_of(layers: Any) -> Rows:
    """Rows of a table as what one device computes."""
    columns = {
        "tokens": layers["num_tokens"],
        "rows": layers["num_tokens"] * layers["topk"] / layers["moe_ep_size"],
        "hidden": layers["hidden_size"],
        "width": layers["inter_size"] / layers["moe_tp_size"],
        "experts": layers["num_experts"] / layers["moe_ep_size"],
        "seconds": layers["latency"].astype(float) * 1e-3,
    }
    return {name: column.to_numpy(dtype=float) for name, column in columns.items()}


def is_training(rows: Rows) -> Any:
    """Layers as training has them."""
    return (rows["rows"] >= 64 * rows["experts"]) & (rows["tokens"] >= 1024) & (rows["width"] >= 256)


def layer_seconds(
    values: Mapping[str, float],
    chip: MeasuredChip,
    dtype: str,
    rows: Rows,
    *,
    stored: Array | None = None,
    narrow_fraction: float = 1.0,
    unpack_rate: float = np.inf,
) -> Array:
    """A fused expert layer: two products, what is moved between them, and a constant (seconds)."""
    peak = peak_of(chip, dtype)
    assert peak is not None
    curve = GroupedCurve(
        gemm=replace(
            curve_from_fractions(
                values,
                peak=peak,
                memory_bandwidth=chip.memory_bandwidth,
                cores=chip.cores,
                dtype=dtype,
                basis="fitted",
                source="",
            ),
            narrow_fraction=narrow_fraction,
            unpack_rate=unpack_rate,
        )
    )
    count, hidden, width, experts = rows["rows"], rows["hidden"], rows["width"], rows["experts"]
    product = partial(
        grouped_gemm_seconds, count, experts=experts, curve=curve, even=True, quantised=True, weight_bytes=stored
    )
    up, down = product(n=2 * width, k=hidden), product(n=hidden, k=width)
    moved = moved_bytes(rows["tokens"], count, hidden, width) / (chip.memory_bandwidth * MOVED_FRACTION)
    return np.asarray(up + down + values["moved"] * moved + values["layer_seconds"])


def fit_layer(
    plain: Mapping[str, float], chip: MeasuredChip, dtype: str, rows: Rows, weights: Array
) -> dict[str, float]:
    """Coefficients that make the weighted mean absolute log error of the layers small."""
    from scipy.optimize import least_squares

    def encode(name: str, value: float) -> float:
        return float(np.log(value / (BOUNDED[name] - value)) if name in BOUNDED else np.log(value))

    def decode(vector: Array) -> dict[str, float]:
        return {
            name: float(BOUNDED[name] / (1 + np.exp(-x)) if name in BOUNDED else np.exp(x))
            for name, x in zip(START, np.clip(vector, -20.0, 20.0), strict=True)
        }

    home = np.array([encode(name, value) for name, value in START.items()])
    root, pull = np.sqrt(weights), 0.001 * np.sqrt(len(weights))

    def residuals(vector: Array) -> Array:
        values = dict(plain) | {"throttle": 0.0} | decode(vector)
        errors = (np.log(layer_seconds(values, chip, dtype, rows)) - np.log(rows["seconds"])) * root
        return np.concatenate([errors, (vector - home) * pull])

    random = np.random.default_rng(7)
    starts = (home, home + random.normal(0, 0.4, len(home)))
    found = [least_squares(residuals, x, loss="soft_l1", f_scale=0.05, diff_step=2e-2, max_nfev=60) for x in starts]
    return decode(min(found, key=lambda result: float(result.cost)).x)


def split(rows: Rows, *, seed: int = 2026) -> tuple[Rows, Array, Rows]:
    """Layers to fit with their weights, and the third that is held out."""
    random = np.random.default_rng(seed)
    held, training = random.random(len(rows["rows"])) < 1 / 3, is_training(rows)
    some = random.permutation(np.flatnonzero(training & ~held))[:4000]
    others = random.permutation(np.flatnonzero(~training & ~held))[:2500]
    chosen = np.concatenate([some, others])
    weights = np.where(training[chosen], 0.8 / max(len(some), 1), 0.2 / max(len(others), 1))
    return (
        {name: column[chosen] for name, column in rows.items()},
        weights / weights.mean(),
        {name: column[held] for name, column in rows.items()},
    )


FEW_TOKENS = 256.0
"""Tokens up to which a layer counts as one of decoding."""


def serving(kept: Mapping[str, float], chip: MeasuredChip, dtype: str, rows: Rows) -> dict[str, Any]:
    """What a layer of few tokens takes beside its products, read off all such layers, and the errors on them.

    The one number that makes the median absolute log error smallest, to half a microsecond.
    """
    few = {name: column[rows["tokens"] <= FEW_TOKENS] for name, column in rows.items()}
    products = layer_seconds(dict(kept) | {"throttle": 0.0, "moved": 1.0, "layer_seconds": 0.0}, chip, dtype, few)
    tries = np.arange(0.0, 100.0, 0.5) * 1e-6
    found = min(tries, key=lambda extra: float(np.median(np.abs(np.log((products + extra) / few["seconds"])))))
    return {
        "layer_seconds": float(f"{found:.3g}"),
        "with": summary(np.log((products + found) / few["seconds"])),
        "without": summary(np.log(products / few["seconds"])),
    }


NARROW = {"int4_wo": 0.5625, "w4a16_mxfp4": 0.53125}
"""The tables' names of 16-bit layers with 4-bit weights, and bytes of a weight: scales for each 32 elements."""


def narrow(records: list[dict[str, Any]], core_rate: float) -> dict[str, Any]:
    """By chip, the rate at which vLLM's newest kernels read 4-bit weights over that of 16-bit ones, and the errors with it.

    Even layers of few tokens; of several kernels for one shape the fastest. One number for each chip: the median of what
    every layer asks for, among those that are mostly weights.
    """
    import pandas as pd

    fractions, errors = {}, {}
    for chip in CHIPS:
        own = next((one for one in records if (one["chip"], one["dtype"]) == (chip.name, "bf16")), None)
        frames = [pd.DataFrame(columns) for name, columns in tables(chip.folder, "moe") if name.startswith("vllm")]
        if own is None or not frames:
            continue
        rows = frames[-1]
        even = (rows["distribution"] == "balanced") & (rows["num_tokens"] <= FEW_TOKENS)
        rows = rows[rows["moe_dtype"].isin(NARROW) & even & (rows["inter_size"] >= 64 * rows["moe_tp_size"])]
        if len(rows) < 100:
            continue
        shape = [
            "moe_dtype",
            "num_tokens",
            "topk",
            "hidden_size",
            "inter_size",
            "num_experts",
            "moe_tp_size",
            "moe_ep_size",
        ]
        rows = rows.groupby(shape, as_index=False)["latency"].min()
        layers = layers_of(rows)
        stored = rows["moe_dtype"].map(NARROW).to_numpy(dtype=float)
        busy = np.minimum(layers["experts"], layers["rows"])
        large = busy * layers["hidden"] * layers["width"] > 5e7
        values = dict(own["coefficients"]) | {"throttle": 0.0, "moved": 1.0}
        values["layer_seconds"] = own["serving"]["layer_seconds"]

        def errors_at(
            fraction: float,
            values: dict[str, float] = values,
            chip: MeasuredChip = chip,
            layers: Rows = layers,
            stored: Array = stored,
        ) -> Array:
            seconds = layer_seconds(
                values,
                chip,
                "bf16",
                layers,
                stored=stored,
                narrow_fraction=fraction,
                unpack_rate=core_rate * chip.cores,
            )
            return np.asarray(np.log(seconds / layers["seconds"]))

        tries = np.arange(0.1, 1.01, 0.02)
        misses = [float(np.median(np.abs(errors_at(float(fraction))[large]))) for fraction in tries]
        found = tries[int(np.argmin(misses))]
        fractions[chip.name] = round(float(found), 2)
        log = errors_at(float(found))
        errors[chip.name] = {"large": summary(log[large]), "small": summary(log[~large])}
    return {"core_rate": core_rate, "fractions": fractions, "errors": errors}


def document(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that `grouped.json` holds; `plain` is the content of `gemm.json`.

    The tables' inputs draw less power than those of a model: some layers run faster than the chip sustains in plain
    products of random numbers. So the fraction that is kept is the smaller of both, with the plain products' power limit.
    """
    coefficients = {
        (record["chip"], record["dtype"]): {
            name: value for name, value in record["coefficients"].items() if name != "short_saving"
        }
        for record in plain["curves"]
    }
    records = []
    for chip in CHIPS:
        for dtype, rows in measured(chip).items():
            base = coefficients[chip.name, dtype]
            fitted, weights, held = split(rows)
            values = fit_layer(base, chip, dtype, fitted, weights)
            full = dict(base) | {"throttle": 0.0} | values
            errors = np.log(layer_seconds(full, chip, dtype, held)) - np.log(held["seconds"])
            training = is_training(held)
            kept = dict(base) | values | {"fraction": min(values["fraction"], base["fraction"])}
            records.append(
                {
                    "chip": chip.name,
                    "dtype": dtype,
                    "generation": chip.generation,
                    "peak_flops": peak_of(chip, dtype),
                    "memory_bandwidth": chip.memory_bandwidth,
                    "cores": chip.cores,
                    "tdp": chip.tdp,
                    "rows": len(rows["rows"]),
                    "fraction_in_tables": round(values["fraction"], 4),
                    "coefficients": {name: float(f"{value:.4g}") for name, value in kept.items()},
                    "all": summary(errors),
                    "training": summary(errors[training]),
                    "other": summary(errors[~training]),
                    "serving": serving(kept, chip, dtype, rows),
                }
            )
    priors = [{"prefix": prefix, "fraction": fraction, "source": source} for prefix, fraction, source in PRIORS]
    return {
        "source": package_version(),
        "curves": records,
        "pooled": pooled(records),
        "priors": priors,
        "weight_only": narrow(records, plain["weight_only"]["core_rate"]),
    }


def serving_table(content: Mapping[str, Any]) -> list[str]:
    """Layers of few tokens by chip and data type as a Markdown table."""
    lines = ["| chip | type | layers | beside the products | median | p90 | bias | products alone: bias |"]
    lines.append("| --- | --- |" + " --: |" * 6)
    for record in content["curves"]:
        own = record["serving"]
        with_it, without = own["with"], own["without"]
        figures = [with_it["median"], with_it["p90"], with_it["bias"], without["bias"]]
        cells = " | ".join(f"{100 * figure:.0f} %" for figure in figures)
        names = f"{record['chip']} | {record['dtype']} | {with_it['shapes']:,}"
        lines.append(f"| {names} | {own['layer_seconds'] * 1e6:.0f} µs | {cells} |")
    return lines


def narrow_table(content: Mapping[str, Any]) -> list[str]:
    """Layers of 4-bit experts by chip as a Markdown table."""
    lines = ["| chip | rate | large layers: median | bias | small: median | bias |", "| --- |" + " --: |" * 5]
    for chip, fraction in content["weight_only"]["fractions"].items():
        own = content["weight_only"]["errors"][chip]
        cells = " | ".join(
            f"{100 * own[size][name]:.0f} %" for size in ("large", "small") for name in ("median", "bias")
        )
        lines.append(f"| {chip} | {fraction:.2f} | {cells} |")
    return lines
