"""The columns of a record of a whole run: a model, its tokens, the devices; and the device-hours that it took.

The same table is documented for readers in `docs/reference/records.md`; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from outlay.accuracy.columns import MEASURED as STEP_MEASURED
from outlay.accuracy.columns import Kind

METRIC: Final = "device_hours"

MEASURED: Final = ("device_hours", "days")
"""What was measured. `days` × `count` × 24 stands in for device-hours where a row has none."""

COLUMNS: Final[dict[str, Kind]] = {
    "id": "text",
    "source": "text",
    "source_url": "text",
    "date": "text",
    "task": "text",
    "model": "text",
    "family": "text",
    "layers": "count",
    "hidden": "count",
    "ffn_hidden": "count",
    "heads": "count",
    "kv_heads": "count",
    "head_dim": "count",
    "vocab": "count",
    "gated_mlp": "flag",
    "experts": "whole",
    "experts_per_token": "whole",
    "expert_ffn_hidden": "whole",
    "shared_experts": "whole",
    "params_total_b": "positive",
    "params_active_b": "positive",
    "tokens_b": "positive",
    "samples_seen_m": "positive",
    "seq_len": "count",
    "global_batch_tokens": "positive",
    "accelerator": "text",
    "count": "count",
    "precision": "text",
    "optimizer": "text",
    "framework": "text",
    "device_hours": "positive",
    "days": "positive",
    "hours_kind": "text",
    "notes": "text",
}

_SEEN = frozenset(COLUMNS) - {*MEASURED, "hours_kind", "notes"}
CONFIGURATION: Final = tuple(name for name in COLUMNS if name in _SEEN)
"""All that a prediction may see."""


def is_runs(columns: Collection[str]) -> bool:
    """Whether a file with these columns holds whole runs: tokens and device-hours or days, and no speed of a step.

    >>> is_runs(["model", "tokens_b", "device_hours"]), is_runs(["model", "step_time_s", "days"])
    (True, False)
    """
    there = set(columns)
    return bool(there & set(MEASURED)) and not there & set(STEP_MEASURED)
