"""Fit an :class:`~outlay.machine.expert_exchange.ExchangeCurve` to DeepEP's kernels as vLLM calls them, by chip.

Two numbers for each way and phase, by a soft loss on log errors; a third of the messages is held out. The tables give
microseconds, of 16-bit tokens. ``python -m outlay.machine.fit`` writes the catalog's file and prints the errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from outlay.catalog import accelerator
from outlay.machine.expert_exchange import PHASES, Array, ExchangeCurve, expert_exchange_seconds
from outlay.machine.fit.collectives import CHIPS
from outlay.machine.fit.decode import summary
from outlay.machine.fit.kernel_tables import data_folder, package_version

BACKENDS = {"low-latency": "deepep_ll", "throughput": "deepep_ht"}


def fit_chip(name: str) -> dict[str, Any] | None:
    """The coefficients of one chip and their errors; None where it was not measured."""
    import pandas as pd
    from scipy.optimize import least_squares

    folder, catalog_name = CHIPS[name]
    paths = sorted((data_folder() / folder / "comm" / "vllm").glob("*/moe_a2a_perf.parquet"))
    if not paths:
        return None
    table, link = pd.read_parquet(paths[-1]), accelerator(catalog_name).link_bandwidth
    starts, shares, errors = {}, {}, {}
    for way, backend in BACKENDS.items():
        for phase in PHASES:
            kind = f"{way} {phase}"
            rows = table[(table["comm_backend"] == backend) & (table["phase"] == phase)]
            sizes = [rows[column].to_numpy(dtype=float) for column in ("num_tokens", "topk", "hidden_size", "ep_size")]
            measured = np.log(rows["latency"].to_numpy(dtype=float) * 1e-6)
            held = np.random.default_rng(5).random(len(rows)) < 1 / 3

            def log_errors(
                vector: Array,
                kind: str = kind,
                way: str = way,
                phase: str = phase,
                sizes: list[Array] = sizes,
                measured: Array = measured,
            ) -> Array:
                start, share = map(float, np.exp(vector))
                curve = ExchangeCurve(start_seconds={kind: start}, share={kind: share})
                seconds = expert_exchange_seconds(phase, *sizes, way=way, link_bandwidth=link, curve=curve)
                return np.asarray(np.log(seconds) - measured)

            found = least_squares(
                lambda vector, held=held, log_errors=log_errors: log_errors(vector)[~held],
                np.log([5e-5, 0.4]),
                bounds=(np.log([1e-6, 0.01]), np.log([1e-3, 1.0])),
                loss="soft_l1",
                f_scale=0.1,
            )
            starts[kind], shares[kind] = (float(f"{number:.4g}") for number in np.exp(found.x))
            errors[kind] = summary(log_errors(found.x)[held])
    return {"chip": name, "start_seconds": starts, "share": shares, "errors": errors}


def document() -> dict[str, Any]:
    """The content of the catalog's `expert_exchange.json`."""
    found = [fit_chip(name) for name in CHIPS]
    return {"source": package_version(), "curves": [record for record in found if record]}


def error_table(content: dict[str, Any]) -> list[str]:
    """Start, share and errors by chip, way and phase as a Markdown table."""
    lines = ["| chip | way | start | share | held out: median | p90 | bias |", "| --- | --- |" + " --: |" * 5]
    for record in content["curves"]:
        for kind, own in record["errors"].items():
            cells = " | ".join(f"{100 * own[figure]:.0f} %" for figure in ("median", "p90", "bias"))
            start, share = record["start_seconds"][kind] * 1e6, record["share"][kind]
            lines.append(f"| {record['chip']} | {kind} | {start:.0f} µs | {share:.2f} | {cells} |")
    return lines
