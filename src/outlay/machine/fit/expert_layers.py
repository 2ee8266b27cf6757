"""Fit the layers of experts of each serving engine to the tables of its kernels: `expert_layers.json`.

The rows are gated layers on one device with routing that follows power laws, as that of models does, and (TensorRT-LLM's)
parts of layers that are divided among devices with even routing. Of several kernels for one shape the fastest counts, as engines
choose theirs by measuring. Every version of an engine is fitted apart: which kernels it runs is what differs. Overlap,
power limit and cost of splitting are those of the chip's plain products. A third of the layers is held out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from outlay.machine.fit.gemm import BOUNDED, Rows, peak_of, summary
from outlay.machine.fit.grouped import FEW_TOKENS, layers_of
from outlay.machine.fit.kernel_tables import CHIPS, MeasuredChip, package_version, tables
from outlay.machine.gemm import Array, GemmCurve
from outlay.machine.gemm_curve import curve_from_fractions
from outlay.machine.grouped import MOVED_FRACTION, GroupedCurve, active_experts, grouped_gemm_seconds, moved_bytes

FORMS: Final[dict[str, tuple[tuple[str, ...], str, float | None]]] = {
    "bf16": (("bfloat16",), "bf16", None),
    "fp8": (("fp8",), "fp8", None),
    "fp8-block": (("fp8_block",), "fp8-block", None),
    "nvfp4": (("nvfp4",), "nvfp4", None),
    "w4a16": (("int4_wo",), "bf16", 0.5625),
    "mxfp4": (("w4a16_mxfp4", "w4a8_mxfp4_mxfp8"), "bf16", 0.53125),
}
"""Our formats of weights: the tables' names, the type of the products, and bytes of a stored weight that is widened."""

YEARS: Final = {
    "vllm": {
        "0.14.0": 2026.05,
        "0.19.0": 2026.3,
        "0.20.0": 2026.33,
        "0.22.0": 2026.4,
        "0.24.0": 2026.5,
        "0.26.0": 2026.5,
    },
    "sglang": {"0.5.6.post2": 2025.95, "0.5.10": 2026.27, "0.5.14": 2026.45, "0.5.16": 2026.5},
    "trtllm": {"1.0.0": 2025.7, "1.3.0rc10": 2026.25, "1.3.0rc20": 2026.4, "1.3.0rc23": 2026.5},
}
"""Since when the versions of the tables are out, from the order of the projects' releases."""

NEVER: Final = {("vllm", "fp8_block", "blackwell"): "vllm_fused_moe"}
"""Engine, the tables' format and generation → kernels that no version takes by itself there: FlashInfer's and DeepGEMM's go
before Triton's (https://github.com/vllm-project/vllm/issues/50332 lists the order)."""
DIVIDED: Final = ("trtllm",)
"""Engines whose tables give a device of n its part of the tokens' experts. Those of the others have devices that get all
tokens: a layer of 8,192 tokens and 256 experts takes SGLang as long on two devices as on one."""
UNGATED = "nongated"
"""In the name of a kernel: it has one product on the way up, not two."""
DATACENTER = ("b200-sxm", "b300-sxm", "gb200", "gb300")
MOST_ROWS = 1200
MOST_TOKENS = 16384.0
FEW_COUNT = 2.0
"""What a layer of few tokens counts against one of many."""
LEAST_ROWS = 100
"""Layers of a version and format that make a fit."""
ASTRAY = 2.0
"""A version that takes this many times as long as another engine's newest on the same chip fell back to kernels that nobody
would run (an emulation, products out of tune): it is left out."""

UNEXPLAINED = 0.35
"""Median error on held-out layers of few tokens from which on a fit is none."""

START: Final = {
    "fraction": 0.6,
    "middle_tile": 0.9,
    "small_tile": 0.6,
    "quantisation": 0.5,
    "bandwidth_fraction": 0.8,
    "tile_seconds": 0.3e-6,
    "moved": 1.0,
    "layer_seconds": 10e-6,
}
UNEVEN: Final = ("power_law_1.01", "power_law_1.2")
SKEW: Final = 0.6
"""As the popularity of experts falls in :func:`~outlay.machine.grouped.active_experts`."""
SHAPE: Final = [
    "distribution",
    "num_tokens",
    "topk",
    "hidden_size",
    "inter_size",
    "num_experts",
    "moe_tp_size",
    "moe_ep_size",
]


def measured(chip: MeasuredChip) -> Iterator[tuple[str, str, str, Rows]]:
    """Engine, version, our format, and the layers of that table."""
    import pandas as pd

    for name, columns in tables(chip.folder, "moe"):
        engine, version = name.split()
        rows = pd.DataFrame(dict(columns))
        even = (rows["distribution"] == "balanced") & (rows["moe_ep_size"] > 1) & (engine in DIVIDED)
        uneven = rows["distribution"].isin(UNEVEN) & (rows["moe_ep_size"] == 1)
        rows = rows[(even | uneven) & (rows["num_tokens"] <= MOST_TOKENS)]
        rows = rows[~rows["kernel_source"].str.contains(UNGATED)]
        rows = rows[rows["inter_size"] >= 64 * rows["moe_tp_size"]]
        for (whose, kind, generation), kernel in NEVER.items():
            if (whose, generation) == (engine, chip.generation) and chip.name in DATACENTER:
                rows = rows[(rows["moe_dtype"] != kind) | ~rows["kernel_source"].str.startswith(kernel)]
        for form, (theirs, dtype, _) in FORMS.items():
            own = rows[rows["moe_dtype"].isin(theirs)]
            if len(own) < LEAST_ROWS or peak_of(chip, dtype) is None:
                continue
            yield engine, version, form, _parts(own.groupby(SHAPE, as_index=False)["latency"].min())


def _parts(layers: Any) -> Rows:
    """Rows of a table as what one device computes, and the experts that its tokens hit."""
    found = layers_of(layers)
    found["even"] = (layers["distribution"] == "balanced").to_numpy(dtype=float)
    hit = active_experts(found["tokens"], layers["topk"], layers["num_experts"], local=found["experts"], skew=SKEW)
    found["active"] = np.where(found["even"] > 0, np.minimum(found["experts"], found["rows"]), hit)
    return found


def curve_of(values: Mapping[str, float], chip: MeasuredChip, form: str, core_rate: float) -> GemmCurve:
    """Coefficients applied to a chip's data sheet."""
    dtype, stored = FORMS[form][1:]
    peak = peak_of(chip, dtype)
    assert peak is not None
    curve = curve_from_fractions(
        values,
        peak=peak,
        memory_bandwidth=chip.memory_bandwidth,
        cores=chip.cores,
        dtype=dtype,
        basis="fitted",
        source="",
    )
    return replace(curve, unpack_rate=core_rate * chip.cores) if stored else curve


def layer_seconds(values: Mapping[str, float], chip: MeasuredChip, form: str, rows: Rows, core_rate: float) -> Array:
    """Two products, what is moved between them, and a constant (seconds)."""
    curve = GroupedCurve(gemm=curve_of(values, chip, form, core_rate))
    count, hidden, width = rows["rows"], rows["hidden"], rows["width"]
    product = partial(
        grouped_gemm_seconds,
        count,
        experts=rows["experts"],
        active=rows["active"],
        curve=curve,
        quantised=True,
        weight_bytes=FORMS[form][2],
    )
    moved = moved_bytes(rows["tokens"], count, hidden, width) / (chip.memory_bandwidth * MOVED_FRACTION)
    products = np.where(
        rows["even"] > 0,
        product(n=2 * width, k=hidden, even=True) + product(n=hidden, k=width, even=True),
        product(n=2 * width, k=hidden) + product(n=hidden, k=width),
    )
    return np.asarray(products + values["moved"] * moved + values["layer_seconds"])


def fit_layers(
    plain: Mapping[str, float], chip: MeasuredChip, form: str, rows: Rows, core_rate: float
) -> dict[str, float]:
    """Coefficients that make the mean absolute log error of the layers small."""
    from scipy.optimize import least_squares

    def encode(name: str, value: float) -> float:
        return float(np.log(value / (BOUNDED[name] - value)) if name in BOUNDED else np.log(value))

    def decode(vector: Array) -> dict[str, float]:
        return {
            name: float(BOUNDED[name] / (1 + np.exp(-x)) if name in BOUNDED else np.exp(x))
            for name, x in zip(START, np.clip(vector, -20.0, 20.0), strict=True)
        }

    home = np.array([encode(name, value) for name, value in START.items()])
    pull = 0.02 * np.sqrt(len(rows["rows"]))
    counts = np.where(rows["tokens"] <= FEW_TOKENS, FEW_COUNT, 1.0)

    def residuals(vector: Array) -> Array:
        values = dict(plain) | {"throttle": 0.0} | decode(vector)
        errors = np.log(layer_seconds(values, chip, form, rows, core_rate)) - np.log(rows["seconds"])
        return np.concatenate([errors * counts, (vector - home) * pull])

    found = least_squares(residuals, home, loss="soft_l1", f_scale=0.05, diff_step=2e-2, max_nfev=30)
    return decode(found.x)


def document(plain: Mapping[str, Any], *, seed: int = 2026) -> dict[str, Any]:
    """Everything that `expert_layers.json` holds; `plain` is the content of `gemm.json`."""
    base = {
        (record["chip"], record["dtype"]): {k: v for k, v in record["coefficients"].items() if k != "short_saving"}
        for record in plain["curves"]
    }
    core_rate = plain["weight_only"]["core_rate"]
    records = []
    for chip in CHIPS:
        random = np.random.default_rng(seed)
        for engine, version, form, rows in measured(chip):
            dtype = FORMS[form][1]
            if (chip.name, dtype) not in base:
                continue
            plain_values = base[chip.name, dtype]
            found = _record(plain_values, chip, form, rows, core_rate, random)
            records.append(
                {"chip": chip.name, "engine": engine, "version": version, "since": YEARS[engine][version], **found}
            )
    return {"source": package_version(), "core_rate": core_rate, "curves": _sound(records)}


def _record(
    plain: Mapping[str, float],
    chip: MeasuredChip,
    form: str,
    rows: Rows,
    core_rate: float,
    random: np.random.Generator,
) -> dict[str, Any]:
    """One fit, and its errors on the third of the layers that it has not seen."""
    held = random.random(len(rows["rows"])) < 1 / 3
    some = random.permutation(np.flatnonzero(~held))[:MOST_ROWS]
    values = fit_layers(plain, chip, form, {name: column[some] for name, column in rows.items()}, core_rate)
    full = dict(plain) | {"throttle": 0.0} | values
    left = {name: column[held] for name, column in rows.items()}
    errors = np.log(layer_seconds(full, chip, form, left, core_rate)) - np.log(left["seconds"])
    few = left["tokens"] <= FEW_TOKENS
    dtype = FORMS[form][1]
    return {
        "form": form,
        "dtype": dtype,
        "generation": chip.generation,
        "peak_flops": peak_of(chip, dtype),
        "memory_bandwidth": chip.memory_bandwidth,
        "cores": chip.cores,
        "tdp": chip.tdp,
        "rows": len(rows["rows"]),
        "coefficients": {name: float(f"{value:.4g}") for name, value in full.items()},
        "few": summary(errors[few]),
        "many": summary(errors[~few]) if (~few).any() else None,
        "usual": float(f"{_usual(full, chip, form, core_rate):.4g}"),
    }


def _usual(values: Mapping[str, float], chip: MeasuredChip, form: str, core_rate: float) -> float:
    """Seconds of a layer of 32 tokens and 128 experts, to compare engines by."""
    one = {
        "tokens": 32.0,
        "rows": 256.0,
        "hidden": 4096.0,
        "width": 768.0,
        "experts": 128.0,
        "active": 96.0,
        "even": 0.0,
    }
    rows = {name: np.array([value]) for name, value in one.items()}
    return float(layer_seconds(values, chip, form, rows, core_rate)[0])


def _sound(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without versions that fell back to kernels that nobody would run, and those that the closed form does not describe."""

    def best(record: Mapping[str, Any]) -> float:
        alike = [one for one in records if (one["chip"], one["form"]) == (record["chip"], record["form"])]
        return float(min(one["usual"] for one in alike))

    return [
        record
        for record in records
        if record["few"]["median"] < UNEXPLAINED and record["usual"] < ASTRAY * best(record)
    ]


def error_table(content: Mapping[str, Any]) -> list[str]:
    """Layers held out, by chip, engine, version and format, as a Markdown table."""
    lines = ["| chip | engine | format | layers | to 256 tokens: median | bias | beyond: median | bias |"]
    lines.append("| --- | --- | --- |" + " --: |" * 5)
    for record in content["curves"]:
        cells = []
        for size in ("few", "many"):
            own = record[size]
            cells += [f"{100 * own[name]:.0f} %" for name in ("median", "bias")] if own else ["–", "–"]
        names = f"{record['chip']} | {record['engine']} {record['version']} | {record['form']} | {record['rows']:,}"
        lines.append(f"| {names} | {' | '.join(cells)} |")
    return lines


def engines_table(content: Mapping[str, Any]) -> list[str]:
    """The same by engine and format, over chips and versions, as a Markdown table."""
    lines = ["| engine | format | chips | layers | to 256 tokens: median | bias | beyond: median | bias |"]
    lines.append("| --- | --- |" + " --: |" * 6)
    kinds = sorted({(record["engine"], record["form"]) for record in content["curves"]})
    for engine, form in kinds:
        own = [record for record in content["curves"] if (record["engine"], record["form"]) == (engine, form)]
        cells = [
            f"{100 * float(np.median([record[size][name] for record in own if record[size]])):.0f} %"
            for size in ("few", "many")
            for name in ("median", "bias")
        ]
        chips = len({record["chip"] for record in own})
        layers = sum(record["rows"] for record in own)
        lines.append(f"| {engine} | {form} | {chips} | {layers:,} | {' | '.join(cells)} |")
    return lines
