"""In which number format a model was published."""

from __future__ import annotations

from collections.abc import Mapping

from outlay.statement import Receipt

PUBLISHED = {
    "deepseek_v3": ("fp8-block", "https://arxiv.org/abs/2412.19437", "2024-12"),
    "gpt_oss": ("mxfp4", "https://arxiv.org/abs/2508.10925", "2025-08"),
}
"""Model types whose checkpoints are published in another format than bf16, with the paper that says so."""


def published_format(config: Mapping[str, object] | None) -> tuple[str, Receipt]:
    """The format of a model's checkpoint, by its configuration.

    >>> published_format({"model_type": "deepseek_v3"})[0], published_format({"model_type": "llama"})[0]
    ('fp8-block', 'bf16')
    """
    name, source, date = PUBLISHED.get(
        str((config or {}).get("model_type")), ("bf16", "checkpoints are published in 16 bits unless they say else", "")
    )
    quantized = (config or {}).get("quantization_config")
    if isinstance(quantized, Mapping):
        method = str(quantized.get("quant_method", "")).lower()
        block = bool(quantized.get("weight_block_size"))
        name = {"fp8": "fp8-block" if block else "fp8", "awq": "w4a16", "gptq": "w4a16", "mxfp4": "mxfp4"}.get(
            method, name
        )
        source, date = "`quantization_config` of its configuration", ""
    return name, Receipt(name, unit="", source=source, date=date, basis="quoted" if date else "assumed")
