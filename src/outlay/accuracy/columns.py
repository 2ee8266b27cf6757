"""The columns of a training record: which hold numbers, and which numbers they may hold.

The same table is documented for readers in `docs/reference/records.md`; a test holds the two together.
"""

from __future__ import annotations

from typing import Final, Literal

Kind = Literal["text", "count", "whole", "flag", "positive"]
"""`count` is a whole number ≥ 1, `whole` one ≥ 0, `flag` yes or no, `positive` any number from 1e-12 to 1e15."""

MEASURED: Final = (
    "step_time_s",
    "tokens_per_s_per_gpu",
    "samples_per_s",
    "peak_mem_gb",
)
"""What is predicted and compared. Nothing that is predicted may look at these."""

SCORED_ELSEWHERE: Final = ("model_tflops_per_gpu", "mfu_pct")
"""Measured, but counted differently by every source: neither read nor compared."""

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
    "seq_len": "count",
    "global_batch": "count",
    "micro_batch": "count",
    "accelerator": "text",
    "gpus": "count",
    "gpus_per_node": "count",
    "interconnect": "text",
    "tp": "count",
    "pp": "count",
    "vpp": "count",
    "cp": "count",
    "ep": "count",
    "dp": "count",
    "sequence_parallel": "flag",
    "zero_stage": "text",
    "activation_recompute": "text",
    "precision": "text",
    "optimizer": "text",
    "framework": "text",
    "step_time_s": "positive",
    "tokens_per_s_per_gpu": "positive",
    "samples_per_s": "positive",
    "model_tflops_per_gpu": "positive",
    "mfu_pct": "positive",
    "peak_mem_gb": "positive",
    "method": "text",
    "rank": "count",
    "targets": "text",
    "quantization": "text",
    "trainable_params": "positive",
    "dataset": "text",
    "examples": "positive",
    "epochs": "positive",
    "mean_tokens": "positive",
    "max_tokens": "count",
    "packed": "flag",
    "decode_passes": "positive",
    "evaluation_passes": "positive",
    "notes": "text",
}

EXPECTED: Final[dict[Kind, str]] = {
    "text": "text",
    "count": "a positive whole number",
    "whole": "a whole number, 0 or more",
    "flag": "0 or 1",
    "positive": "a positive number (1e-12 to 1e15)",
}
