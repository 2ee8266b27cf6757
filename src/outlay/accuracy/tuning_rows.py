"""Rows of tables of tuning runs as records: their columns have other names, their times other units, their cells remarks.

A table may call the accelerator `gpu`, count time in `time_value` with a `time_unit` in words (`min per 1000 iterations`,
`s for 5000 steps`, `min total`), write `2048 packed` or `max sample 1044` under `seq_len`, and name its data in its notes.
What is measured stays measured: a total becomes the time of a step only where epochs, samples and batch are there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from outlay.training.lengths import data_set

ALIASES: Final = {
    "gpu": "accelerator",
    "gpu_count": "gpus",
    "params_b": "params_total_b",
    "quant": "quantization",
    "lora_r": "rank",
    "target_modules": "targets",
    "num_gpus": "gpus",
    "data": "dataset",
    "data_set": "dataset",
}
"""Names of columns elsewhere → ours."""

SECONDS: Final = {"ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0, "h": 3600.0, "hour": 3600.0, "day": 86400.0}
_RATE = re.compile(r"\s*(token|tok|sample|sequence|example|it|iter|step|batch)\w*\s*(?:/|per)\s*(s|min)")
_UNIT = re.compile(r"\s*(ms|sec|s|min|hour|h|day)[a-z]*\b")
_PER = re.compile(r"(?:per|/)\s*([\d,]*)\s*(iter|it\b|micro|step|batch|sample|example|epoch)")
_FOR = re.compile(r"(?:for|in)\s*([\d,]+)\s*(iter|micro|step|batch|sample)")
_FAILED = re.compile(r"^(oom|n/?a|-|out of memory|xx.*)$")
_NUMBERS = ("peak_mem_gb", "time_value", "tokens_per_s", "trainable_params", "cost_usd")
_FACTS = (
    ("quantization", re.compile(r"quant(?:ization)?=([\w.\-]+)")),
    ("trainable_params", re.compile(r"trainable=([\d,]+)")),
    ("max_tokens", re.compile(r"(?:longest|max sample)\s+(\d+)")),
    ("epochs", re.compile(r"for (\d+(?:\.\d+)?) epoch")),
)
"""Facts of the configuration that remarks hold, and how they are written."""
EVALUATED: Final = ("method_comparison", 27 * 300)
"""PEFT's comparison of methods adds to its training time the answers to 1,319 questions, in batches of 50, up to 300 tokens
each: so many passes of one token (method_comparison/MetaMathQA/run.py, 2026-11)."""
DATES: Final = {
    "resource-tables": "2023-10",
    "finetune_lora.md": "2023-10",
    "config_hub": "2024-06",
    "method_comparison": "2025-11",
    "torchtune": "2025-01",
    "peft readme": "2023-02",
}
"""When tables that say no date were measured: that of their last change."""
CONFIG_HUB: Final = (8, 100, 100, 100)
"""LitGPT's published files of tuning (config_hub/finetune, 2024-06): samples of a step, steps between evaluations, and the
held-out samples and generated tokens of one; what is timed includes them."""
HELD_BACK: Final = 0.05
"""Share of a small data set that is kept for validation, where nothing is said (LitGPT's Alpaca2k)."""


def is_table(columns: Mapping[str, object] | list[str]) -> bool:
    """Whether a header is that of a table of tuning runs."""
    return bool({"gpu", "time_unit", "method"} & set(columns))


def normalised(cells: Mapping[str, str]) -> dict[str, str]:
    """A row under the names, and in the units, of records.

    >>> row = {"gpu": "A100", "method": "lora", "micro_batch": "4", "time_value": "1.5", "time_unit": "min per 1000 iterations"}
    >>> found = normalised(row)
    >>> found["accelerator"], found["task"], found["step_time_s"]
    ('A100', 'lora', '0.09')
    """
    row = {ALIASES.get(name, name): text.strip() for name, text in cells.items()}
    for name in _NUMBERS:
        if _FAILED.match(row.get(name, "").lower()):
            row[name] = ""
    if not row.get("date"):
        where = f"{row.get('source', '')} {row.get('source_url', '')}".lower()
        row["date"] = next((date for words, date in DATES.items() if words in where), "")
    if "config_hub" in row.get("source_url", "") + row.get("source", "") and re.match(
        r"q?lora", row.get("method", "") or row.get("task", "")
    ):
        row["gpus"] = row["dp"] = row["gpus_per_node"] = "1"  # its files say `devices: 1`, on machines with more too
    _task(row)
    _techniques(row)
    _lengths(row)
    _facts(row)
    _framework(row)
    _times(row)
    return {name: text for name, text in row.items() if text}


def _task(row: dict[str, str]) -> None:
    """The task, where the method says it."""
    method = row.get("method", "").lower()
    if row.get("task") or not method:
        return
    full = re.match(r"\W*(full|sft|freeze|all param|galore|apollo|badam|lomo|fira|contin)", method) is not None
    row["task"] = "sft" if full else "qlora" if re.match(r"q(lora|adapter)", method) else "lora"


def _lengths(row: dict[str, str]) -> None:
    """`2048 packed` and `max sample 1044` under `seq_len`."""
    text = row.get("seq_len", "").lower()
    if "pack" in text or re.search(r"\+\s*packed", row.get("method", "").lower()):
        row.setdefault("packed", "1")
    number = re.search(r"\d[\d,]*", text)
    if text and not re.fullmatch(r"[\d.,]+", text):
        column = "max_tokens" if re.search(r"max|longest", text) else "seq_len"
        row["seq_len"] = ""
        if number:
            row[column] = number.group().replace(",", "")


TECHNIQUES: Final = (
    ("packed", r"pack"),
    ("compile", r"compile"),
    ("chunked", r"chunk"),
    ("activation_recompute", r"checkpoint"),
    ("in_backward", r"in backward"),
    ("offload", r"offload"),
    ("optimizer", r"8-?bit"),
)
"""What a table may add to a run, one row after the other, in the order in which torchtune's README does."""


def _techniques(row: dict[str, str]) -> None:
    """What a row adds to those above it, where they are cumulative."""
    method = row.get("method", "")
    if "cumulative" not in row.get("notes", ""):
        return
    last = max((place for place, (_, words) in enumerate(TECHNIQUES) if re.search(words, method.lower())), default=-1)
    if re.match(r"q?lora", method.lower()):
        last = len(TECHNIQUES) - 1
    added = {name for name, _ in TECHNIQUES[: last + 1]}
    if "compile" not in added:
        row["framework"] = f"{row.get('framework') or row.get('source', '')} (eager)"
    if "packed" in added:
        row["packed"] = "1"
    elif not row.get("dataset"):
        row["dataset"] = "alpaca"
    row["activation_recompute"] = "full" if "activation_recompute" in added else "none"
    if "optimizer" in added:
        row["optimizer"] = "8-bit"
    if "in_backward" in added and "in backward" not in method:
        row["method"] = f"{method}, optimizer in backward"


def _facts(row: dict[str, str]) -> None:
    """What the remarks say of data, quantization and trained parameters, where no column does."""
    said = f"{row.get('notes', '')} ; {row.get('model', '')}"
    for column, pattern in _FACTS:
        found = pattern.search(said)
        if found and not row.get(column):
            row[column] = found.group(1).replace(",", "")
    where = f"{row.get('dataset', '')} {said} {row.get('source', '')} {row.get('source_url', '')}"
    known = data_set(where)
    if known is not None and not row.get("dataset"):
        row["dataset"] = known.name
    if not row.get("dataset") and not row.get("seq_len") and "litgpt" in where.lower().replace("-", ""):
        row["dataset"] = "alpaca"  # what LitGPT tunes on unless told otherwise
    if re.search(r"\bpacked\b", said.lower()) and not row.get("packed"):
        row["packed"] = "1"


def _framework(row: dict[str, str]) -> None:
    """The software, where only the source's name says it."""
    if not row.get("framework"):
        found = re.search(
            r"lit-?gpt|torchtune|peft|llama-?factory|unsloth|axolotl|trl|nemo", row.get("source", "").lower()
        )
        if found:
            row["framework"] = found.group()


def _times(row: dict[str, str]) -> None:
    """Seconds of a step, tokens a second of a device."""
    tokens, devices = row.pop("tokens_per_s", ""), _number(row.get("gpus")) or 1.0
    if _number(tokens) and not row.get("tokens_per_s_per_gpu"):
        row["tokens_per_s_per_gpu"] = f"{(_number(tokens) or 0.0) / devices:.6g}"
    value, unit = _number(row.pop("time_value", "")), row.pop("time_unit", "").lower()
    size = _UNIT.match(unit)
    rate = _RATE.match(unit)
    if rate and value and not row.get("step_time_s"):
        _rates(row, value * (1.0 if rate.group(2)[0] == "s" else 1.0 / 60.0), rate.group(1), devices)
        return
    if row.get("step_time_s") or value is None or size is None:
        return
    seconds = value * SECONDS[size.group(1)]
    per, for_ = _PER.search(unit), _FOR.search(unit)
    micro = _number(row.get("micro_batch"))
    if (per or for_) and micro is None and re.search("iter|micro", unit):
        row["micro_batch"], micro = "1", 1.0
    if per or for_:
        found = per or for_
        assert found is not None
        count = _number(found.group(1)) or 1.0
        if found.group(2) in ("sample", "example"):
            count /= _number(row.get("global_batch")) or (micro or 1.0) * devices
        if found.group(2) in ("iter", "it", "micro"):
            row["global_batch"] = ""  # an iteration is one micro-batch
        if found.group(2) != "epoch":
            row["step_time_s"] = f"{seconds / count:.6g}"
            where = f"{row.get('source', '')} {row.get('source_url', '')}"
            if for_ and EVALUATED[0] in where:
                row["decode_passes"] = f"{EVALUATED[1] / count:g}"
            return
    steps = _steps(row, micro, devices)
    if steps and "config_hub" in row.get("source_url", "") + row.get("source", "") and micro:
        batch, interval, samples, generated = CONFIG_HUB
        between = interval * batch / (micro * devices)
        row["evaluation_passes"] = f"{samples / micro / devices / between:.4g}"
        row["decode_passes"] = f"{generated / between:.4g}"
    if steps:
        row["global_batch"] = ""
        row["step_time_s"] = f"{seconds / steps:.6g}"


def _rates(row: dict[str, str], value: float, what: str, devices: float) -> None:
    """A rate a second, under what it counts."""
    if what.startswith("tok"):
        row.setdefault("tokens_per_s_per_gpu", f"{value / devices:.6g}")
    elif what in ("sample", "sequence", "example"):
        row.setdefault("samples_per_s", f"{value:.6g}")
    else:
        row["step_time_s"] = f"{1.0 / value:.6g}"
        if what in ("it", "iter"):
            row["global_batch"] = ""


def _steps(row: Mapping[str, str], micro: float | None, devices: float) -> float | None:
    """Micro-batches of a whole run, by its epochs and its data."""
    known = data_set(row.get("dataset", ""))
    examples = _number(row.get("examples")) or (known.samples * (1.0 - HELD_BACK) if known else None)
    epochs = _number(row.get("epochs"))
    if not (examples and epochs and micro):
        return None
    return examples * epochs / (micro * devices)


def _number(text: str | None) -> float | None:
    try:
        return float((text or "").replace(",", ""))
    except ValueError:
        return None
