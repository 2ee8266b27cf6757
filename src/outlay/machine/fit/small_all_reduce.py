"""Fit a :class:`~outlay.machine.small_all_reduce.SmallAllReduceCurve` to the all-reduces that serving engines time.

Tables count elements of 16 bits. Only messages that the engine's own kernel carries are fitted, up to
:data:`MOST_BYTES`; larger ones are NCCL's. There are some 50 messages for each chip and engine and six coefficients: every
third message is held out. ``python -m outlay.machine.fit`` writes the catalog's file and prints the errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from outlay.catalog import accelerator
from outlay.machine.attention import Array
from outlay.machine.cluster import cluster_for
from outlay.machine.collective_curve import collective_curve
from outlay.machine.fit.collectives import CHIPS
from outlay.machine.fit.decode import summary
from outlay.machine.fit.kernel_tables import data_folder, package_version
from outlay.machine.small_all_reduce import SmallAllReduceCurve, small_all_reduce_seconds

MOST_BYTES = {"vllm": 8.0 * 2**20, "trtllm": 8.0 * 2**20}
"""Where each engine hands over to NCCL on NVLink (vLLM's `max_size`; the step in the tables at the next size)."""

START = {
    "start_seconds": 4e-6,
    "rank_seconds": 1e-7,
    "one_shot_share": 0.6,
    "pair_share": 0.5,
    "two_shot_seconds": 3e-6,
    "two_shot_share": 0.7,
}
LOW = (1e-6, 1e-9, 0.05, 0.05, 1e-8, 0.05)
HIGH = (4e-5, 1e-5, 1.0, 1.0, 3e-5, 1.0)


def rows_of(folder: str, engine: str) -> dict[str, Array]:
    """Bytes, ranks and seconds of an engine's own all-reduce inside a captured graph; empty where there is none."""
    import pandas as pd

    paths = sorted((data_folder() / folder / "comm" / engine).glob("*/custom_allreduce_perf.parquet"))
    if not paths:
        return {}
    frame = pd.read_parquet(paths[-1])
    if engine == "vllm":
        frame = frame[frame["backend"] == "vllm_graph"]
    if "implementation" in frame:
        frame = frame[frame["implementation"] == "trtllm"]
    size = frame["message_size"].to_numpy(dtype=float) * 2.0
    chosen = (size <= MOST_BYTES[engine]) & (frame["num_gpus"].to_numpy() <= 8)
    return {
        "bytes": size[chosen],
        "ranks": frame["num_gpus"].to_numpy(dtype=float)[chosen],
        "seconds": frame["latency"].to_numpy(dtype=float)[chosen] * 1e-3,
    }


def fit_rows(name: str, engine: str) -> dict[str, Any] | None:
    """One record: the coefficients of a chip and an engine, and their errors."""
    from scipy.optimize import least_squares

    folder, catalog_name = CHIPS[name]
    rows = rows_of(folder, engine)
    if not rows:
        return None
    chip = accelerator(catalog_name)
    cluster, collective = cluster_for(chip, 8, gpus_per_node=8), collective_curve(chip)
    held = np.random.default_rng(5).random(len(rows["bytes"])) < 1 / 3

    def log_errors(vector: Array, chosen: Any) -> Array:
        curve = _curve(_values(vector), MOST_BYTES[engine])
        seconds = small_all_reduce_seconds(
            rows["bytes"][chosen], rows["ranks"][chosen], cluster=cluster, curve=curve, collective=collective
        )
        return np.asarray(np.log(seconds) - np.log(rows["seconds"][chosen]))

    home, low, high = np.log(list(START.values())), np.log(LOW), np.log(HIGH)
    random = np.random.default_rng(3)
    starts = [home, *(np.clip(home + random.normal(0, 0.5, len(home)), low + 1e-3, high - 1e-3) for _ in range(5))]
    tries = [
        least_squares(
            lambda vector: log_errors(vector, ~held),
            start,
            bounds=(low, high),
            loss="soft_l1",
            f_scale=0.1,
            diff_step=1e-2,
        )
        for start in starts
    ]
    found = min(tries, key=lambda result: float(result.cost))
    values = {key: float(f"{value:.4g}") for key, value in _values(found.x).items()}
    library = np.log(
        small_all_reduce_seconds(
            rows["bytes"],
            rows["ranks"],
            cluster=cluster,
            curve=SmallAllReduceCurve(most_bytes=0.0),
            collective=collective,
        )
    ) - np.log(rows["seconds"])
    return {
        "chip": name,
        "engine": engine,
        "rows": len(rows["bytes"]),
        "coefficients": {**values, "most_bytes": MOST_BYTES[engine]},
        "errors": {
            "held": summary(log_errors(found.x, held)),
            "all": summary(log_errors(found.x, slice(None))),
            "library": summary(library),
        },
    }


def _curve(values: dict[str, Any], most_bytes: float) -> SmallAllReduceCurve:
    return SmallAllReduceCurve(**values, most_bytes=most_bytes)


def _values(vector: Array) -> dict[str, float]:
    return dict(zip(START, map(float, np.exp(vector)), strict=True))


def document() -> dict[str, Any]:
    """The content of the catalog's `small_all_reduce.json`."""
    found = [fit_rows(name, engine) for name in CHIPS for engine in ("vllm", "trtllm")]
    return {"source": package_version(), "curves": [record for record in found if record]}


def error_table(content: dict[str, Any]) -> list[str]:
    """Errors by chip and engine as a Markdown table, and those of taking the library's kernel instead."""
    lines = [
        "| chip | engine | rows | held out: median | p90 | bias | as NCCL: median | bias |",
        "| --- | --- |" + " --: |" * 6,
    ]
    for record in content["curves"]:
        held, library = record["errors"]["held"], record["errors"]["library"]
        figures = [held["median"], held["p90"], held["bias"], library["median"], library["bias"]]
        cells = " | ".join(f"{100 * figure:.1f} %" for figure in figures)
        lines.append(f"| {record['chip']} | {record['engine']} | {record['rows']} | {cells} |")
    return lines
