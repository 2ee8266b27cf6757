"""Fit a :class:`~outlay.machine.decode.DecodeCurve` to the measured decode kernels of each chip, engine and type of cache.

A loop that times one kernel again and again leaves a small cache of keys in the chip's own cache, which no model does:
between two visits its weights pass through. So the size and the speed of that cache are fitted beside the kernel and left
out of what the catalog keeps. A third of the shapes, drawn once, is never fitted to and gives the errors.
``python -m outlay.machine.fit`` writes the catalog's file and prints the errors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from outlay.machine.attention import attention_seconds
from outlay.machine.attention_curve import attention_curve
from outlay.machine.decode import Array, DecodeCurve, decode_attention_seconds, mla_decode_seconds
from outlay.machine.decode_curve import KV_BYTES
from outlay.machine.fit.kernel_tables import CHIPS, MeasuredChip, data_folder, package_version

Rows = dict[str, Array]

PUBLISHED = Path(__file__).with_name("decode_published.json")
"""Kinds of chips without tables: the share of their bandwidth, each with its source or reason."""

ENGINES = ("vllm", "trtllm")

KV_DTYPES = {"bfloat16": "bf16", "fp8": "fp8"}

COLUMNS = ("batch_size", "num_heads", "num_key_value_heads", "step", "head_dim", "window_size")

MOST_SHARED = 32
"""Query heads to a head of the cache: beyond this one engine's tables fall back to a kernel of prompts, 4 to 20 times slower."""

ON_CHIP = {
    "a100-sxm": 40e6,
    "h100-sxm": 50e6,
    "h200-sxm": 50e6,
    "b200-sxm": 126e6,
    "b300-sxm": 126e6,
    "gb200": 126e6,
    "gb300": 126e6,
    "l40s": 96e6,
    "rtx-pro-6000-server": 128e6,
    "arc-pro-b60": 18e6,
}
"""Bytes of the last cache before memory, from the makers' architecture papers: what the fit starts from."""

START = {
    "bandwidth_fraction": (0.9, 0.3, 1.0),
    "efficiency": (0.3, 0.01, 0.9),
    "tile_seconds": (1e-6, 1e-8, 2e-4),
    "split_keys": (200.0, 16.0, 1e6),
    "split_seconds": (3e-6, 1e-8, 4e-5),
    "overlap": (1.8, 1.05, 6.0),
    "ramp_seconds": (5e-6, 1e-8, 1e-4),
    "ramp_bytes": (2e8, 1e7, 2e9),
    "launch_seconds": (6e-6, 5e-7, 2e-4),
}
"""What the search starts from, and what holds it. A tile that is never split has a `split_keys` beyond any context."""

WINDOWED = {"skipped_share": (0.02, 1e-4, 1.0)}
"""The same of tables with windows."""

CACHE = {"held": (0.8, 0.2, 2.0), "gain": (2.5, 1.0, 8.0)}
"""Of the loop's cache: its size over the data sheet's, and its speed over the memory's."""

WIDEST = 256.0
"""Head dimension beyond which one engine takes other kernels, up to twice slower."""


def heads_rows(chip: MeasuredChip, engine: str) -> dict[str, Rows]:
    """Shapes and seconds of ordinary attention by type of cache, from the newest table of an engine."""
    import pandas as pd

    paths = sorted((data_folder() / chip.folder / "attention" / engine).glob("*/generation_attention_perf.parquet"))
    if not paths:
        return {}
    frame = pd.read_parquet(paths[-1])
    frame = frame.assign(window_size=frame.get("window_size", 0))
    kv_heads = frame["num_key_value_heads"].where(frame["num_key_value_heads"] > 0, frame["num_heads"])
    frame = frame.assign(num_key_value_heads=kv_heads)
    frame = frame[
        (frame["num_heads"] <= MOST_SHARED * kv_heads) & (frame["step"] >= 15) & (frame["head_dim"] <= WIDEST)
    ]
    frame = frame[~frame["kernel_source"].str.contains("triton")]
    if chip.name == "a100-sxm":  # its flash-attention 2 cannot split the cache of heads that nothing shares
        frame = frame[frame["num_heads"] > frame["num_key_value_heads"]]
    return _by_dtype(frame, COLUMNS)


def latent_rows(chip: MeasuredChip, engine: str) -> dict[str, Rows]:
    """The same of latent attention; one engine alone times the kernel without the products around it."""
    import pandas as pd

    paths = sorted((data_folder() / chip.folder / "mla" / engine).glob("*/generation_mla_perf.parquet"))
    if not paths:
        return {}
    frame = pd.read_parquet(paths[-1])
    return _by_dtype(frame[frame["step"] >= 15], ("batch_size", "num_heads", "step"))


def _by_dtype(frame: Any, columns: tuple[str, ...]) -> dict[str, Rows]:
    answer = {}
    for theirs, ours in KV_DTYPES.items():
        own = frame[frame["kv_cache_dtype"] == theirs].groupby(list(columns), as_index=False)["latency"].median()
        if len(own):
            answer[ours] = {name: own[name].to_numpy(dtype=float) for name in columns}
            answer[ours]["seconds"] = own["latency"].to_numpy(dtype=float) * 1e-3
    return answer


def heads_seconds(curve: DecodeCurve, rows: Rows) -> Array:
    """Seconds of every row of ordinary attention by a curve."""
    batch, heads, kv_heads, step, head_dim, window = (rows[name] for name in COLUMNS)
    limit = np.where(window > 0, window, np.inf)
    return decode_attention_seconds(batch, heads, kv_heads, step + 1.0, head_dim, head_dim, window=limit, curve=curve)


def latent_seconds(curve: DecodeCurve, rows: Rows) -> Array:
    """Seconds of every row of latent attention by a curve."""
    return mla_decode_seconds(rows["batch_size"], rows["num_heads"], rows["step"] + 1.0, curve=curve)


def heads_bytes(rows: Rows, element: float) -> Array:
    """Bytes of the caches of a row."""
    batch, _, kv_heads, step, head_dim, window = (rows[name] for name in COLUMNS)
    seen = np.minimum(step + 1.0, np.where(window > 0, window, np.inf))
    return np.asarray(batch * kv_heads * seen * 2.0 * head_dim * element)


def latent_bytes(rows: Rows, element: float) -> Array:
    """Bytes of the latent caches of a row (512 + 64 elements a token)."""
    return np.asarray(rows["batch_size"] * (rows["step"] + 1.0) * 576.0 * element)


Kind = tuple[
    Callable[[MeasuredChip, str], dict[str, Rows]],
    Callable[[DecodeCurve, Rows], Array],
    Callable[[Rows, float], Array],
]
KINDS: dict[str, Kind] = {
    "heads": (heads_rows, heads_seconds, heads_bytes),
    "latent": (latent_rows, latent_seconds, latent_bytes),
}


def curve_of(chip: MeasuredChip, dtype: str, numbers: dict[str, float]) -> DecodeCurve:
    """The curve of a chip's data sheet and a set of coefficients."""
    return DecodeCurve(
        flops=chip.peaks["bf16"],
        bandwidth=chip.memory_bandwidth * numbers["bandwidth_fraction"],
        cores=float(chip.cores),
        efficiency=numbers["efficiency"],
        tile_seconds=numbers["tile_seconds"],
        split_keys=numbers["split_keys"],
        split_seconds=numbers["split_seconds"],
        window_splits=bool(numbers["window_splits"]),
        skipped_share=numbers["skipped_share"],
        overlap=numbers["overlap"],
        ramp_seconds=numbers["ramp_seconds"],
        ramp_bytes=numbers["ramp_bytes"],
        launch_seconds=numbers["launch_seconds"],
        kv_bytes=KV_BYTES[dtype],
    )


def warm_seconds(
    seconds: Callable[[DecodeCurve, Rows], Array], curve: DecodeCurve, rows: Rows, size: Array, held: float, gain: float
) -> Array:
    """Seconds in a loop whose first `held` bytes stay on the chip, and are read `gain` times as fast."""
    kept = 1.0 / (1.0 + (size / held) ** 8.0)  # what does not fit drives out what would
    cold = seconds(curve, rows)
    warm = seconds(replace(curve, bandwidth=curve.bandwidth * gain), rows)
    return np.asarray(kept * warm + (1.0 - kept) * cold)


def fit_rows(chip: MeasuredChip, kind: str, dtype: str, rows: Rows) -> tuple[dict[str, float], dict[str, float], Any]:
    """Coefficients, those of the loop's cache, and the errors on shapes that were not fitted."""
    random = np.random.default_rng(17)
    held = random.random(len(rows["seconds"])) < 1 / 3
    chosen = random.permutation(np.flatnonzero(~held))[:4000]
    few = {name: column[chosen] for name, column in rows.items()}
    windows = "window_size" in rows and bool((rows["window_size"] > 0).any())
    best = min(
        (search(chip, kind, dtype, few, splits=splits) for splits in ((1.0, 0.0) if windows else (1.0,))), key=cost
    )
    values, cache = best[1], best[2]
    size = KINDS[kind][2](rows, KV_BYTES[dtype])
    log = np.log(warm_of(chip, kind, dtype, values, cache, rows)) - np.log(rows["seconds"])
    cold = size > 1.5 * cache["bytes"]
    errors = {"serving": summary(log[held & cold]), "small": summary(log[held & ~cold])}
    return {name: float(f"{value:.4g}") for name, value in values.items()}, cache, errors


Found = tuple[float, dict[str, float], dict[str, float]]


def cost(found: Found) -> float:
    """What the search made small."""
    return found[0]


def warm_of(
    chip: MeasuredChip, kind: str, dtype: str, values: dict[str, float], cache: dict[str, float], rows: Rows
) -> Array:
    """Seconds of rows as the tables' loop has them."""
    _, seconds, bytes_of = KINDS[kind]
    curve = curve_of(chip, dtype, values)
    return warm_seconds(seconds, curve, rows, bytes_of(rows, KV_BYTES[dtype]), cache["bytes"], cache["gain"])


def search(chip: MeasuredChip, kind: str, dtype: str, rows: Rows, *, splits: float) -> Found:
    """The best of three starts by a soft loss on log errors; rows beyond the chip's cache carry twice the weight."""
    from scipy.optimize import least_squares

    bounds = {**START, **(WINDOWED if "window_size" in rows and (rows["window_size"] > 0).any() else {}), **CACHE}
    home, low, high = (np.log([triple[place] for triple in bounds.values()]) for place in range(3))
    size = KINDS[kind][2](rows, KV_BYTES[dtype])
    weight = np.where(size > 1.5 * ON_CHIP[chip.name], 1.5, 0.8)
    measured = np.log(rows["seconds"])

    def decode(vector: Array) -> tuple[dict[str, float], dict[str, float]]:
        values = {
            "skipped_share": 0.0,
            "window_splits": splits,
            **dict(zip(bounds, map(float, np.exp(vector)), strict=True)),
        }
        cache = {"bytes": values.pop("held") * ON_CHIP[chip.name], "gain": values.pop("gain")}
        return values, cache

    def residuals(vector: Array) -> Array:
        return np.asarray((np.log(warm_of(chip, kind, dtype, *decode(vector), rows)) - measured) * weight)

    random = np.random.default_rng(7)
    starts = [home, *(home + random.normal(0.0, 0.4, len(home)) for _ in range(2))]
    tries = [
        least_squares(
            residuals,
            np.clip(start, low + 1e-3, high - 1e-3),
            bounds=(low, high),
            loss="soft_l1",
            f_scale=0.05,
            diff_step=1e-2,
            max_nfev=60,
        )
        for start in starts
    ]
    found = min(tries, key=lambda result: float(result.cost))
    values, cache = decode(found.x)
    return float(found.cost), values, {"bytes": float(f"{cache['bytes']:.3g}"), "gain": round(cache["gain"], 2)}


def impossible(chip: MeasuredChip, kind: str, dtype: str, rows: Rows) -> bool:
    """Whether a table reads caches of gigabytes faster than the data sheet's memory: then it did not read them all."""
    size = KINDS[kind][2](rows, KV_BYTES[dtype])
    large = size > 1e9
    return bool(large.any()) and float(np.median((size / rows["seconds"])[large])) > 1.02 * chip.memory_bandwidth


def summary(log: Array) -> dict[str, float]:
    """Median and 90th percentile of the absolute log error, and its median with sign."""
    if not len(log):
        return {"shapes": 0}
    return {
        "shapes": len(log),
        "median": round(float(np.median(np.abs(log))), 4),
        "p90": round(float(np.quantile(np.abs(log), 0.9)), 4),
        "bias": round(float(np.median(log)), 4),
    }


def fit_chip(chip: MeasuredChip) -> Iterator[dict[str, Any]]:
    """One record for each engine, kind of attention and type of cache that the chip was measured with."""
    for kind, (rows_of, _, _) in KINDS.items():
        for engine in ENGINES:
            for dtype, rows in rows_of(chip, engine).items():
                if len(rows["seconds"]) < 300 or impossible(chip, kind, dtype, rows):
                    continue
                values, cache, errors = fit_rows(chip, kind, dtype, rows)
                yield {
                    "chip": chip.name,
                    "generation": chip.generation,
                    "kind": kind,
                    "engine": engine,
                    "kv_dtype": dtype,
                    "memory_bandwidth": chip.memory_bandwidth,
                    "peak_flops": chip.peaks["bf16"],
                    "cores": chip.cores,
                    "rows": len(rows["seconds"]),
                    "coefficients": values,
                    "tables_cache": cache,
                    "errors": errors,
                }


def pooled(records: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The median of each coefficient over the curves of one kind and type of cache."""
    answer = {}
    for key in sorted({(record["kind"], record["kv_dtype"]) for record in records}):
        chosen = [record["coefficients"] for record in records if (record["kind"], record["kv_dtype"]) == key]
        answer[" ".join(key)] = {
            name: float(f"{np.median([values[name] for values in chosen]):.4g}") for name in chosen[0]
        }
    return answer


def latent_prefill() -> list[dict[str, Any]]:
    """By chip, how much longer than :func:`~outlay.machine.attention.attention_seconds` latent attention of prompts takes.

    Heads of 192 and 128 in 16 bits, 1,024 tokens and more; copying into the cache is inside. The median, and the errors
    once it is taken out.
    """
    import pandas as pd

    answer = []
    for chip in CHIPS:
        paths = sorted((data_folder() / chip.folder / "mla" / "trtllm").glob("*/context_mla_perf.parquet"))
        if not paths:
            continue
        frame = pd.read_parquet(paths[-1])
        frame = frame[(frame["kv_cache_dtype"] == "bfloat16") & (frame["isl"] >= 1024)]
        batch, heads, length = (frame[name].to_numpy(dtype=float) for name in ("batch_size", "num_heads", "isl"))
        seconds = attention_seconds(
            batch, heads, heads, length, length, 192, 128, causal=True, curve=attention_curve(chip)
        )
        log = np.log(frame["latency"].to_numpy(dtype=float) * 1e-3 / seconds)
        middle = float(np.median(log))
        answer.append({"chip": chip.name, "ratio": round(float(np.exp(middle)), 3), "errors": summary(middle - log)})
    return answer


def document() -> dict[str, Any]:
    """The content of the catalog's `decode.json`."""
    records = [record for chip in CHIPS for record in fit_chip(chip)]
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    return {
        "source": package_version(),
        "curves": records,
        "pooled": pooled(records),
        "priors": published["priors"],
        "latent_prefill": latent_prefill(),
    }


def error_table(content: dict[str, Any]) -> list[str]:
    """Errors by chip, kind of attention, engine and type of cache as a Markdown table."""
    lines = ["| chip | cache | engine | type | rows | serving: median | p90 | bias | small: median | p90 |"]
    lines.append("| --- | --- | --- | --- |" + " --: |" * 6)
    for record in content["curves"]:
        serving, small = record["errors"]["serving"], record["errors"]["small"]
        figures = [serving["median"], serving["p90"], serving["bias"], small["median"], small["p90"]]
        cells = " | ".join(f"{100 * figure:.1f} %" for figure in figures)
        names = " | ".join(record[name] for name in ("chip", "kind", "engine", "kv_dtype"))
        lines.append(f"| {names} | {record['rows']:,} | {cells} |")
    return lines


def prefill_table(content: dict[str, Any]) -> list[str]:
    """Latent attention of prompts by chip as a Markdown table."""
    lines = ["| chip | shapes | over `attention_seconds` | median error with it | p90 |", "| --- |" + " --: |" * 4]
    for record in content["latent_prefill"]:
        own = record["errors"]
        figures = f"{100 * own['median']:.0f} % | {100 * own['p90']:.0f} %"
        lines.append(f"| {record['chip']} | {own['shapes']:,} | {record['ratio']:.2f} | {figures} |")
    return lines
