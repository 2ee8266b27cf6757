"""Fit a :class:`~outlay.machine.collective_curve.KindCurve` to the measured NCCL collectives inside one node of each chip.

Tables give seconds by kind, group (2, 4, 8) and message. A third of the messages, drawn once, is never fitted to and gives
the errors. What no table tells (other makers' links, the network) is in `collectives_published.json`, each with its source.
``python -m outlay.machine.fit`` writes the catalog's file and prints the errors.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import outlay.catalog
from outlay.catalog import accelerator
from outlay.machine.attention import Array
from outlay.machine.cluster import Cluster, cluster_for
from outlay.machine.collective_curve import CollectiveCurve, KindCurve
from outlay.machine.collectives import collective_seconds
from outlay.machine.fit.kernel_tables import data_folder, package_version

PUBLISHED = Path(__file__).with_name("collectives_published.json")

CHIPS = {
    "a100-sxm": ("a100_sxm", "a100-sxm-80gb"),
    "h100-sxm": ("h100_sxm", "h100-sxm-80gb"),
    "h200-sxm": ("h200_sxm", "h200-sxm-141gb"),
    "b200-sxm": ("b200_sxm", "b200-sxm-180gb"),
    "b300-sxm": ("b300_sxm", "b300-sxm-288gb"),
    "gb200": ("gb200", "gb200-192gb"),
    "gb300": ("gb300", "gb300-288gb"),
    "pcie": ("rtx_pro_6000_server", "rtx-pro-6000-server"),
}
"""Our name of the curve → folder of the tables, and the catalog's name. RTX PRO 6000 stands for boxes of PCIe cards; the tables
of L40S come from a machine whose cards cannot reach each other (1.4 GB/s among eight) and are left out."""

SENDS = Path(outlay.catalog.__path__[0]).parents[2] / "validation" / "kernels" / "collectives.csv"
"""Send and receive between two devices of one board, by size: what the tables of NCCL leave out."""

KINDS = {
    "all_reduce": "all-reduce",
    "all_gather": "all-gather",
    "reduce_scatter": "reduce-scatter",
    "alltoall": "all-to-all",
}

LARGE = 2.0**20
"""Bytes from which a message counts as one of training."""


def rows_of(folder: str) -> dict[str, dict[str, Array]]:
    """Bytes, ranks and seconds by kind, in 16 bits: the tables count elements of the whole buffer."""
    import pandas as pd

    path = sorted((data_folder() / folder / "comm" / "nccl").glob("*/nccl_perf.parquet"))[-1]
    frame = pd.read_parquet(path)
    frame = frame[frame["nccl_dtype"] == "half"]
    answer = {}
    for theirs, ours in KINDS.items():
        chosen = frame[frame["op_name"] == theirs]
        answer[ours] = {
            "bytes": chosen["message_size"].to_numpy(dtype=float) * 2.0,
            "ranks": chosen["num_gpus"].to_numpy(dtype=float),
            "seconds": chosen["latency"].to_numpy(dtype=float) * 1e-3,
        }
    return answer


def curve_of(kind: str, vector: Array, sizes: tuple[float, ...]) -> CollectiveCurve:
    """A curve with one kind, from logarithms: start, per rank, large start, small share, large per rank, then shares by size."""
    numbers = np.exp(vector)
    own = KindCurve(
        sizes=sizes,
        share=tuple(map(float, numbers[5:])),
        start_seconds=float(numbers[0]),
        rank_seconds=float(numbers[1]),
        large_start_seconds=float(numbers[2]),
        small_share=float(numbers[3]),
        large_rank_seconds=float(numbers[4]),
    )
    kinds = {kind: own, "all-gather": own}
    return CollectiveCurve(link=kinds, host=kinds, network_share=dict.fromkeys((kind, "all-gather"), 1.0))


def log_errors(kind: str, curve: CollectiveCurve, rows: dict[str, Array], cluster: Cluster) -> Array:
    """log(predicted / measured) of every row."""
    seconds = collective_seconds(kind, rows["bytes"], rows["ranks"], cluster=cluster, curve=curve)
    return np.asarray(np.log(seconds) - np.log(rows["seconds"]))


def fit_kind(kind: str, rows: dict[str, Array], cluster: Cluster) -> tuple[KindCurve, dict[str, Any]]:
    """One kind's curve and its errors on messages that were not fitted."""
    from scipy.optimize import least_squares

    held = np.random.default_rng(11).random(len(rows["bytes"])) < 1 / 3
    held &= rows["bytes"] < rows["bytes"].max()  # the largest message anchors the rate
    fitted = {name: column[~held] for name, column in rows.items()}
    sizes = tuple(sorted(set(rows["ranks"])))
    weight = np.where(fitted["bytes"] >= LARGE, 1.5, 0.7)

    def residuals(vector: Array) -> Array:
        return log_errors(kind, curve_of(kind, vector, sizes), fitted, cluster) * weight

    low = np.log([1e-6, 1e-8, 1e-7, 0.05, 1e-8, *([0.005] * len(sizes))])
    high = np.log([5e-5, 1e-5, 3e-4, 1.0, 5e-5, *([1.3] * len(sizes))])
    best = min(
        (
            least_squares(
                residuals,
                np.log([7e-6, 1e-6, extra, small, extra / 3, *([0.6] * len(sizes))]),
                bounds=(low, high),
                loss="soft_l1",
                f_scale=0.1,
            )
            for extra, small in ((3e-6, 0.4), (1e-5, 0.3), (1e-5, 0.6))
        ),
        key=lambda found: found.cost,
    )
    curve = curve_of(kind, best.x, sizes)
    log = log_errors(kind, curve, rows, cluster)
    large = rows["bytes"] >= LARGE
    return curve.link[kind], {
        name: {
            "rows": int(chosen.sum()),
            "median": round(float(np.median(np.abs(log[chosen]))), 4),
            "p90": round(float(np.quantile(np.abs(log[chosen]), 0.9)), 4),
            "bias": round(float(np.median(log[chosen])), 4),
        }
        for name, chosen in (("large", held & large), ("small", held & ~large))
    }


def fit_chip(name: str) -> dict[str, Any]:
    """The coefficients of one chip, by kind, and their errors."""
    folder, catalog_name = CHIPS[name]
    chip = accelerator(catalog_name)
    cluster = cluster_for(chip, 8, gpus_per_node=8)
    kinds, errors = {}, {}
    for kind, rows in rows_of(folder).items():
        curve, errors[kind] = fit_kind(kind, rows, cluster)
        kinds[kind] = {
            "sizes": list(curve.sizes),
            "share": [round(share, 4) for share in curve.share],
            "start_seconds": float(f"{curve.start_seconds:.4g}"),
            "rank_seconds": float(f"{curve.rank_seconds:.4g}"),
            "large_start_seconds": float(f"{curve.large_start_seconds:.4g}"),
            "large_rank_seconds": float(f"{curve.large_rank_seconds:.4g}"),
            "small_share": round(curve.small_share, 4),
        }
    switched = 8.0 if cluster.in_switch_reduction else None
    return {
        "chip": name,
        "switched_size": switched,
        "source": f"NCCL on {catalog_name} ({package_version()})",
        "kinds": kinds,
        "errors": errors,
    }


def send_share() -> float:
    """Share of the link that one send of 4 MiB or more draws: the median of both chips that were measured."""
    import csv

    shares = []
    with SENDS.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["kind"] == "send" and row["ranks_per_node"] == "2" and float(row["bytes"]) >= 4 * LARGE:
                shares.append(
                    float(row["bytes"]) / float(row["seconds"]) / accelerator(row["accelerator"]).link_bandwidth
                )
    return float(np.median(shares))


def one_way_kinds(kinds: dict[str, Any], share: float | None) -> dict[str, Any]:
    """A broadcast and a send after the all-gather: nothing waits for a whole ring, so that the largest group's rate holds."""
    gather = kinds["all-gather"]
    best = max(gather["share"])
    flat = {**gather, "sizes": [2.0], "share": [best]}
    return {
        **kinds,
        "broadcast": flat,
        "send": {
            **flat,
            "share": [round(share or best, 4)],
            "rank_seconds": 0.0,
            "large_start_seconds": 2e-6,
            "large_rank_seconds": 0.0,
            "small_share": 0.6,
        },
    }


def document() -> dict[str, Any]:
    """The content of the catalog's `collectives.json`."""
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    chips = [fit_chip(name) for name in CHIPS]
    by_name = {chip["chip"]: chip for chip in chips}
    for name, lender in (("gb200", "b200-sxm"), ("gb300", "b300-sxm")):
        # Measured on the four devices of a tray; eight and more gain what they gain on the same chip behind one board's switch.
        for kind, own in by_name[name]["kinds"].items():
            whole = by_name[lender]["kinds"][kind]
            if own["sizes"][-1] == 4.0:
                own["sizes"].append(8.0)
                own["share"].append(round(own["share"][-1] * whole["share"][2] / whole["share"][1], 4))
    assumed = [chip for chip in chips if chip["chip"] == "pcie"]
    for entry in published["assumed"]:
        source = by_name[entry["from"]]
        kinds = {
            kind: {
                **values,
                "share": [
                    round(share * entry["scale"].get(kind, entry["scale"]["default"]), 4) for share in values["share"]
                ],
            }
            for kind, values in source["kinds"].items()
        }
        for values in kinds.values():
            if entry.get("flat"):
                values["share"] = [max(values["share"])] * len(values["share"])
        assumed.append({"chip": entry["chip"], "source": entry["source"], "kinds": kinds})
    share = send_share()
    for chip in (*chips, *assumed):
        chip["kinds"] = one_way_kinds(
            chip["kinds"], share if str(chip["chip"]).endswith(("sxm", "200", "300")) else None
        )
    return {
        "source": package_version(),
        "chips": [chip for chip in chips if chip["chip"] != "pcie"],
        "assumed": assumed,
        "relatives": published["relatives"],
        "network_share": published["network_share"],
        "published": published["sources"],
    }


def error_table(content: dict[str, Any]) -> list[str]:
    """Errors by chip on messages of 1 MiB and more, as a Markdown table: median, 90th percentile, bias; small ones' median."""
    names = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all")
    lines = ["| chip | " + " | ".join(names) + " | below 1 MiB |", "| --- |" + " --- |" * 4 + " --: |"]
    for record in [*content["chips"], *(entry for entry in content["assumed"] if "errors" in entry)]:
        cells = []
        for kind in names:
            own = record["errors"][kind]["large"]
            cells.append(f"{100 * own['median']:.0f} % · {100 * own['p90']:.0f} % · {100 * own['bias']:+.0f} %")
        small = np.median([record["errors"][kind]["small"]["median"] for kind in names])
        lines.append(f"| {record['chip']} | {' | '.join(cells)} | {100 * small:.0f} % |")
    return lines
