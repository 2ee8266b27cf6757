"""Fit the share of the memory bandwidth that memory-bound kernels draw, by chip.

Two sources meet. Matrix products of at most 16 rows over weights far larger than any cache do nothing but read: their speed
on every chip of the kernel tables gives the share of the data sheet that a stream of reads gets. GELU, layer norm and
softmax, measured on two chips (`validation/kernels/elementwise.csv` of the repository), give what a kernel that reads and
writes gets beside that. ``python -m outlay.machine.fit`` writes the catalog's file and prints the errors.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import outlay.catalog
from outlay.machine.fit.kernel_tables import CHIPS, MeasuredChip, package_version, tables

ELEMENTWISE = Path(outlay.catalog.__path__[0]).parents[2] / "validation" / "kernels" / "elementwise.csv"

BEYOND_CACHE = 2.5e8
"""Bytes of weights that no measured chip's cache holds a large part of."""

KERNEL_SECONDS = 2.5e-6
"""Start and end of a kernel inside a captured graph: what the smallest matrix products of the tables leave (2 to 3.5 µs)."""


def read_share(chip: MeasuredChip) -> tuple[float, int]:
    """Share of the data sheet's bandwidth that reading large weights gets, and the number of shapes it comes from."""
    import pandas as pd

    frames = []
    for _, columns in tables(chip.folder, "gemm"):
        frame = pd.DataFrame({name: columns[name] for name in ("gemm_dtype", "m", "n", "k", "latency")})
        size = 2.0 * frame["n"] * frame["k"]
        frames.append(frame[(frame["gemm_dtype"] == "bfloat16") & (frame["m"] <= 16) & (size > BEYOND_CACHE)])
    fastest = pd.concat(frames).groupby(["m", "n", "k"])["latency"].min().reset_index()
    moved = 2.0 * (fastest["n"] * fastest["k"] + fastest["m"] * (fastest["n"] + fastest["k"]))
    share = moved / (fastest["latency"] * 1e-3) / chip.memory_bandwidth
    return float(share.median()), len(share)


def elementwise_shares(path: Path = ELEMENTWISE) -> dict[str, dict[str, list[float]]]:
    """Bytes/s of large kernels (2 bytes read and 2 written per element, ≥ 128 MiB moved), by chip and operator."""
    answer: dict[str, dict[str, list[float]]] = {}
    with path.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            moved = 4.0 * float(row["rows"]) * float(row["columns"])
            if moved >= 2**27:
                rates = answer.setdefault(row["accelerator"], {}).setdefault(row["operator"], [])
                rates.append(moved / float(row["seconds"]))
    return answer


def document() -> dict[str, Any]:
    """The content of the catalog's `memory_bound.json`."""
    reads = {chip.name: read_share(chip) for chip in CHIPS}
    streams = elementwise_shares()
    a100 = next(chip for chip in CHIPS if chip.name == "a100-sxm")
    one_pass = [
        rate / a100.memory_bandwidth for name in ("gelu", "layernorm") for rate in streams["a100-sxm-80gb"][name]
    ]
    beside = float(np.quantile(one_pass, 0.75)) / reads["a100-sxm"][0]
    source = f"reads of large weights ({package_version()}) × {beside:.3f} for writing too (LLMCompass artifact, ISCA 2024, A100)"
    chips: list[dict[str, Any]] = [
        {
            "prefixes": [chip.name],
            "fraction": round(min(reads[chip.name][0] * beside, 0.92), 4),
            "kernel_seconds": KERNEL_SECONDS,
            "basis": "fitted",
            "source": source,
            "shapes": reads[chip.name][1],
        }
        for chip in CHIPS
    ]
    slow = [rate / 1.6384e12 for rate in streams["mi210"]["gelu"]]
    chips.append(
        {
            "prefixes": ["mi210"],
            "fraction": round(float(np.median(slow)), 4),
            "kernel_seconds": 5e-6,
            "basis": "fitted",
            "source": "GELU in PyTorch on MI210 (LLMCompass artifact, ISCA 2024)",
            "shapes": len(slow),
        }
    )
    typical = float(np.median([chip["fraction"] for chip in chips[: len(CHIPS)]]))
    relatives = (
        (["a100", "a30", "a800"], "a100-sxm"),
        (["h200"], "h200-sxm"),
        (["h100", "h800", "h20", "gh200"], "h100-sxm"),
        (["b100", "b200", "b300"], "b200-sxm"),
        (["gb"], "gb200"),
        (["rtx-50", "rtx-pro"], "rtx-pro-6000-server"),
        (["rtx-40", "rtx-30", "rtx-6000-ada", "rtx-a", "l4", "a10", "a40", "rtx-20", "rtx-8000"], "l40s"),
    )
    own = {chip["prefixes"][0]: chip for chip in chips}
    chips += [
        {
            "prefixes": prefixes,
            "fraction": own[name]["fraction"],
            "kernel_seconds": KERNEL_SECONDS,
            "basis": "assumed",
            "source": f"carried over from {name}",
        }
        for prefixes, name in relatives
    ]
    chips.append(
        {
            "prefixes": ["mi3", "mi4", "mi25"],
            "fraction": 0.65,
            "kernel_seconds": 5e-6,
            "basis": "assumed",
            "source": "between MI210's measured kernels and the stream rate of MI300X (about 0.8 of the data sheet)",
        }
    )
    return {
        "source": package_version(),
        "chips": chips,
        "default": {
            "prefixes": [],
            "fraction": round(typical, 4),
            "kernel_seconds": 4e-6,
            "basis": "assumed",
            "source": "median of the measured chips",
        },
    }


def error_table(content: Mapping[str, Any]) -> list[str]:
    """Shares of the data sheet's bandwidth as a Markdown table, one row a kind of chip."""
    lines = ["| chips | share | basis |", "| --- | --: | --- |"]
    lines += [
        f"| {', '.join(chip['prefixes'])} | {chip['fraction']:.2f} | {chip['basis']} |" for chip in content["chips"]
    ]
    return lines
