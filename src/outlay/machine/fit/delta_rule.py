"""Fit a :class:`~outlay.machine.delta_rule.DeltaCurve` to the chunked kernels that engines run over prompts, by chip and engine.

Three numbers for each, by a soft loss on log errors; a third of the shapes is held out. ``python -m outlay.machine.fit`` writes
the catalog's file and prints the errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from outlay.machine.attention import Array
from outlay.machine.delta_rule import DeltaCurve, delta_rule_seconds
from outlay.machine.fit.decode import summary
from outlay.machine.fit.kernel_tables import CHIPS, MeasuredChip, data_folder, package_version

ENGINES = ("sglang", "vllm")
START = {"start_seconds": (2e-5, 1e-6, 2e-4), "share": (0.4, 0.01, 1.0), "chunk_seconds": (2.5e-6, 1e-8, 1e-4)}
"""Of each coefficient: where the fit starts, and its bounds."""


def rows_of(folder: str, engine: str) -> dict[str, Array]:
    """Sizes and seconds of the kernels over prompts, and whether all is one kernel; empty where an engine was not timed."""
    import pandas as pd

    paths = sorted((data_folder() / folder / "linear_attention" / engine).glob("*/gdn_perf.parquet"))
    if not paths:
        return {}
    frame = pd.read_parquet(paths[-1])
    frame = frame[frame["kernel_source"].str.startswith("chunk_gated_delta_rule")]
    columns = ("num_tokens", "seq_len", "num_v_heads", "head_k_dim", "head_v_dim", "latency")
    one = frame["kernel_source"].str.endswith("flashinfer")
    fused = bool(one.all())
    # A shape was timed once for each model that has it.
    frame = frame[one == fused].groupby(list(columns[:-1]))["latency"].median().reset_index()
    return {"fused": np.array(fused), **{name: frame[name].to_numpy(dtype=float) for name in columns}}


def fit_rows(chip: MeasuredChip, engine: str) -> dict[str, Any] | None:
    """One record: the coefficients of a chip and an engine, and their errors."""
    from scipy.optimize import least_squares

    rows = rows_of(chip.folder, engine)
    if not rows or not len(rows["latency"]):
        return None
    fused = bool(rows["fused"].all())
    held = np.random.default_rng(5).random(len(rows["latency"])) < 1 / 3

    def log_errors(vector: Array, chosen: Any) -> Array:
        values = _values(vector)
        curve = DeltaCurve(
            bandwidth=chip.memory_bandwidth,
            cores=chip.cores,
            start_seconds=values["start_seconds"],
            share=values["share"],
            chunk_seconds=values["chunk_seconds"],
            fused=fused,
        )
        sizes = (rows[name][chosen] for name in ("num_tokens", "seq_len", "num_v_heads", "head_k_dim", "head_v_dim"))
        return np.asarray(np.log(delta_rule_seconds(*sizes, curve=curve)) - np.log(rows["latency"][chosen] * 1e-3))

    home, low, high = (np.log([bounds[place] for bounds in START.values()]) for place in range(3))
    found = least_squares(
        lambda vector: log_errors(vector, ~held), home, bounds=(low, high), loss="soft_l1", f_scale=0.1
    )
    values = {name: float(f"{value:.4g}") for name, value in _values(found.x).items()}
    return {
        "chip": chip.name,
        "engine": engine,
        "memory_bandwidth": chip.memory_bandwidth,
        "cores": chip.cores,
        "shapes": len(held),
        "fused": fused,
        "coefficients": values,
        "errors": summary(log_errors(np.log(list(values.values())), held)),
    }


def _values(vector: Array) -> dict[str, float]:
    return dict(zip(START, map(float, np.exp(vector)), strict=True))


def document() -> dict[str, Any]:
    """The content of the catalog's `delta_rule.json`."""
    found = [fit_rows(chip, engine) for chip in CHIPS for engine in ENGINES]
    return {"source": package_version(), "curves": [record for record in found if record]}


def error_table(content: dict[str, Any]) -> list[str]:
    """Coefficients and errors by chip and engine as a Markdown table."""
    lines = [
        "| chip | engine | shapes | share | a chunk | held out: median | p90 | bias |",
        "| --- | --- |" + " --: |" * 6,
    ]
    for record in content["curves"]:
        values = record["coefficients"]
        cells = " | ".join(f"{100 * record['errors'][figure]:.0f} %" for figure in ("median", "p90", "bias"))
        chunk = f"{values['chunk_seconds'] * 1e6:.1f} µs"
        lines.append(
            f"| {record['chip']} | {record['engine']} | {record['shapes']} | {values['share']:.2f} | {chunk} | {cells} |"
        )
    return lines
