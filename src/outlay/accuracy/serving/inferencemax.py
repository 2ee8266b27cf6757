"""How the InferenceMAX benchmark sets its engines, read from its scripts: what a row of it does not say of itself.

https://github.com/InferenceMAX/InferenceMAX and its successor https://github.com/SemiAnalysisAI/InferenceX, `benchmarks/`,
read 2026-11-26: `dsr1_fp4_b200_docker.sh`, `dsr1_fp8_b200_docker.sh`, `dsr1_fp8_h200_slurm.sh`, `dsr1_fp8_h200_trt_slurm.sh`,
`gptoss_fp4_b200_trt_slurm.sh`, `gptoss_fp4_h200_slurm.sh`, `single_node/gptoss_fp4_h200.sh`,
`single_node/qwen3.5_fp8_b200.sh`; and 2026-11-27: `single_node/qwen3.5_bf16_b200.sh`, `qwen3.5_fp4_b200.sh`, `glm5_fp8_b200.sh`,
`glm5_fp4_b200.sh`, `glm5_fp8_h200.sh`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from outlay.catalog import Accelerator
from outlay.serving import Engine, Format

NOMINAL: Final = 0.9
"""Mean over nominal length: prompts and answers are drawn evenly between 80 and 100 % of it (`random-range-ratio` 0.8)."""

POLLED: Final = ((16.0, 30), (0.0, 10))
"""Open requests from which on SGLang looks for new ones every so many steps (`--scheduler-recv-interval`)."""

POLLED_IN_4_BITS: Final = (("qwen35", 30), ("glm5", 10))
"""The same in the scripts of 4-bit checkpoints that do not look at how many there are."""


def as_set(engine: Engine, *, model: str, weights: Format, chip: Accelerator, prompt: float, batch: float) -> Engine:
    """The engine with the limits that the benchmark sets for a row.

    >>> from outlay.catalog import accelerator
    >>> from outlay.serving import engine_for, format_for
    >>> how = {"weights": format_for("fp8-block"), "chip": accelerator("b200-sxm"), "prompt": 1024, "batch": 64}
    >>> as_set(engine_for("sglang"), model="deepseek-r1", **how).poll_steps
    30
    >>> as_set(engine_for("tensorrt-llm", 2025.9), model="deepseek-r1", **how).chunk_tokens
    1152
    >>> how["weights"], how["chip"] = format_for("mxfp4"), accelerator("h200-sxm")
    >>> as_set(engine_for("vllm", 2025.9), model="gpt-oss-120b", **how).expert_kernels
    'w4a16'
    """
    name = re.sub(r"[^a-z0-9]", "", model.lower())
    latent = re.search(r"deepseek|dsr1", name) is not None
    if engine.name == "sglang" and "glm5" in name and not _blackwell(chip):
        return engine  # a script that sets nothing
    if engine.name == "sglang":
        narrow = weights.name == "nvfp4"
        chunk = 16384 if narrow and latent else 32768
        polled = _blackwell(chip) and (latent or "qwen35" in name)
        steps = next(steps for least, steps in POLLED if batch >= least) if polled else 1
        if narrow and _blackwell(chip):
            steps = next((steps for word, steps in POLLED_IN_4_BITS if word in name), steps)
        return replace(engine, chunk_tokens=chunk, poll_steps=steps)
    if engine.name == "trtllm":
        # One nominal prompt beside the batch, up to the next 64.
        tokens = int((batch + prompt + 127.0) // 64.0 * 64.0) if latent else 20000
        return replace(engine, chunk_tokens=tokens)
    if engine.name == "vllm" and weights.name == "mxfp4" and chip.generation == "hopper":
        return replace(engine, expert_kernels="w4a16")
    return engine


def cache_of(engine: Engine, chip: Accelerator, weights: Format) -> str | None:
    """The type of the cache that the scripts ask for; None where they leave it to the engine."""
    return "fp8" if engine.name == "sglang" and _blackwell(chip) and weights.weight_bits < 16 else None


def _blackwell(chip: Accelerator) -> bool:
    return "blackwell" in chip.generation
