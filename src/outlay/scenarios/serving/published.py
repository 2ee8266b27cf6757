"""In which number format a model was published: what its configuration says, else its paper, else 16 bits."""

from __future__ import annotations

from collections.abc import Mapping

from outlay import catalog
from outlay.errors import InputError
from outlay.serving import format_for
from outlay.statement import Receipt
from outlay.workload import Architecture, load_config

PUBLISHED = {
    "deepseek_v3": ("fp8-block", "https://arxiv.org/abs/2412.19437", "2024-12"),
    "gpt_oss": ("mxfp4", "https://arxiv.org/abs/2508.10925", "2025-08"),
    "minimax_m2": ("fp8-block", "https://huggingface.co/MiniMaxAI/MiniMax-M2/blob/main/config.json", "2025-10"),
}
"""Model types whose checkpoints are published in another format than bf16, with what says so, for configurations that do
not say it themselves."""
METHODS = {"fp8": "fp8", "awq": "w4a16", "gptq": "w4a16", "mxfp4": "mxfp4"}
"""`quant_method` of a configuration → the format."""


def published_format(config: Mapping[str, object] | None) -> tuple[str, Receipt]:
    """The format of a model's checkpoint, by its configuration.

    >>> published_format({"model_type": "deepseek_v3"})[0], published_format({"model_type": "llama"})[0]
    ('fp8-block', 'bf16')
    >>> published_format({"model_type": "llama", "quantization_config": {"quant_method": "awq"}})[0]
    'w4a16'
    """
    name, source, date = PUBLISHED.get(
        str((config or {}).get("model_type")), ("bf16", "checkpoints are published in 16 bits unless they say else", "")
    )
    said = _said((config or {}).get("quantization_config"))
    if said is not None:
        name, source, date = said, "`quantization_config` of its configuration", ""
    basis = "quoted" if date or said is not None else "assumed"
    return name, Receipt(name, unit="", source=source, date=date, basis=basis)  # type: ignore[arg-type]


def published_for(model: str | Mapping[str, object] | Architecture) -> tuple[str, Receipt]:
    """The same of a model by name, path, configuration or architecture, whose name the catalog may know.

    >>> published_for("gpt-oss-20b")[0], published_for("minimax-m2")[0], published_for("llama-3-8b")[0]
    ('mxfp4', 'fp8-block', 'bf16')
    """
    return published_format(_config(model))


def _said(quantized: object) -> str | None:
    if not isinstance(quantized, Mapping):
        return None
    method = str(quantized.get("quant_method", "")).lower()
    if method == "fp8" and quantized.get("weight_block_size"):
        return "fp8-block"
    if method in METHODS:
        return METHODS[method]
    try:
        return format_for(method).name
    except InputError:
        return None


def _config(model: str | Mapping[str, object] | Architecture) -> Mapping[str, object] | None:
    if isinstance(model, Mapping):
        return model
    name = model.name if isinstance(model, Architecture) else model
    try:
        return catalog.model_config(name).config
    except InputError:
        return None if isinstance(model, Architecture) else load_config(name)
