"""The columns of a serving record: which hold numbers, and which of them were measured.

The same table is documented for readers in `docs/reference/serving-records.md`; a test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from outlay.accuracy.columns import MEASURED as STEP_MEASURED
from outlay.accuracy.columns import Kind
from outlay.accuracy.records import Record

ENERGY: Final = "joules_per_token"
"""Measured energy, as it is compared: joules of the accelerators for each token of an answer."""

MEASURED: Final = (
    "ttft_ms",
    "tpot_ms",
    "e2e_latency_ms",
    "output_tokens_per_s",
    "total_tokens_per_s",
    "prefill_tokens_per_s",
    "decode_tokens_per_s",
)
"""What is predicted and compared, beside energy. Nothing that is predicted may look at these."""

REQUESTS: Final = "requests_per_s"
"""Measured `samples_per_s` of a language model, as it is compared where a row says nothing of tokens."""

HIDDEN: Final = frozenset({*MEASURED, "samples_per_s", "energy", "peak_mem_gb", "notes"})
"""Columns that a prediction never sees."""

COLUMNS: Final[dict[str, Kind]] = {
    "id": "text",
    "source": "text",
    "source_url": "text",
    "date": "text",
    "model": "text",
    "family": "text",
    "layers": "count",
    "hidden": "count",
    "ffn_hidden": "count",
    "heads": "count",
    "kv_heads": "count",
    "vocab": "count",
    "experts": "whole",
    "experts_per_token": "whole",
    "params_total_b": "positive",
    "params_active_b": "positive",
    "engine": "text",
    "engine_version": "text",
    "accelerator": "text",
    "gpus": "count",
    "tp": "count",
    "pp": "count",
    "ep": "count",
    "weight_precision": "text",
    "kv_precision": "text",
    "input_len": "whole",
    "output_len": "text",
    "batch_or_concurrency": "text",
    "request_rate": "text",
    "ttft_ms": "positive",
    "tpot_ms": "positive",
    "e2e_latency_ms": "positive",
    "output_tokens_per_s": "positive",
    "total_tokens_per_s": "positive",
    "prefill_tokens_per_s": "positive",
    "decode_tokens_per_s": "positive",
    "samples_per_s": "positive",
    "peak_mem_gb": "positive",
    "energy": "text",
    "notes": "text",
}

_OWN: Final = frozenset({"ttft_ms", "tpot_ms", "e2e_latency_ms", "output_tokens_per_s", "total_tokens_per_s"}) | {
    "prefill_tokens_per_s",
    "decode_tokens_per_s",
}


def is_serving(columns: Collection[str]) -> bool:
    """Whether a file with these columns holds serving records: a latency or a rate of tokens, and no speed of training.

    >>> is_serving(["model", "engine", "ttft_ms"]), is_serving(["model", "step_time_s", "ttft_ms"])
    (True, False)
    """
    there = set(columns)
    return bool(there & _OWN) and not there & (set(STEP_MEASURED) - {"samples_per_s", "peak_mem_gb"})


def measured(record: Record) -> dict[str, float]:
    """What was measured of this row, by metric; energy only where it is stated for a token of the answer."""
    found = {column: record.numbers[column] for column in MEASURED if column in record.numbers}
    joules = joules_per_token(record.word("energy"))
    if joules is not None:
        found[ENERGY] = joules
    if not found and "samples_per_s" in record.numbers:
        found[REQUESTS] = record.numbers["samples_per_s"]
    return found


def joules_per_token(text: str) -> float | None:
    """Joules of an answer's token in the words of an `energy` cell; None where it says none.

    >>> joules_per_token("0.8259 J/output token; 721 J/request"), joules_per_token("peak wall power 6W")
    (0.8259, None)
    """
    found = re.search(
        r"(\d+(?:\.\d+)?(?:e-?\d+)?)\s*(m?)j(?:oules?)?\s*(?:/|per)\s*(?:output |generated )?tok", text.lower()
    )
    if not found:
        return None
    value = float(found.group(1)) * (1e-3 if found.group(2) else 1.0)
    return value if value > 0 else None


def configuration(record: Record) -> Record:
    """The row without anything that was measured, and without its notes."""
    return replace(
        record,
        words={key: text for key, text in record.words.items() if key not in HIDDEN},
        numbers={key: value for key, value in record.numbers.items() if key not in HIDDEN},
    )
