"""What a training framework does for you: facts that differ between software stacks and their years.

Each entry is a fact about a family of frameworks (its documentation or release notes), not a fitted number; fitted
magnitudes are in :mod:`outlay.training.coefficients`. An unknown framework gets the entry of its year.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """A framework family as the cost model sees it."""

    name: str
    fused_attention: bool = True
    """Attention never writes its score matrix (FlashAttention and kin)."""
    host: Literal["eager", "compiled", "graph"] = "eager"
    """Who launches kernels: Python, a compiled program, or a captured graph."""
    gradient_bytes: float = 4.0
    """Bytes of an accumulated gradient in memory."""
    reduce_bytes: float = 4.0
    """Bytes of a gradient on the wire."""
    overlap_data: bool = True
    """Gradients are reduced (and sharded weights gathered) while layers compute."""
    overlap_tensor: bool = False
    """Tensor-parallel collectives run inside the matrix products (user buffers, collective matmul)."""
    sequence_parallel: bool = True
    fused_loss: bool = False
    """Cross-entropy without fp32 logits in memory."""
    zero: int = 1
    """ZeRO stage where nothing is said."""
    family: str = "other"
    """The group that shares fitted factors."""


_TABLE: tuple[tuple[str, float, float, Software], ...] = (
    # pattern, from year, to year (exclusive), facts
    (r"maxtext|jax|xla|paxml|praxis|t5x|tpu", 0, 9999, Software(name="jax", host="compiled", gradient_bytes=4.0, reduce_bytes=4.0,
        overlap_tensor=True, fused_loss=True, zero=3, family="jax")),
    (r"llm-?foundry|composer|mosaic", 0, 9999, Software(name="composer", gradient_bytes=2.0, reduce_bytes=2.0, sequence_parallel=False,
        zero=3, family="fsdp")),
    (r"torchtitan", 0, 9999, Software(name="torchtitan", host="compiled", gradient_bytes=4.0, reduce_bytes=4.0, zero=3, family="fsdp")),
    (r"vtrain|megatron\(-deepspeed\)", 0, 9999, Software(name="vtrain", fused_attention=False, gradient_bytes=2.0, reduce_bytes=2.0,
        overlap_data=False, sequence_parallel=False, zero=0, family="megatron-deepspeed")),
    (r"megatron-deepspeed|gpt-neox", 0, 9999, Software(name="megatron-deepspeed", fused_attention=False, gradient_bytes=4.0,
        reduce_bytes=2.0, overlap_data=False, sequence_parallel=False, zero=1, family="megatron-deepspeed")),
    (r"bridge|megatron-core|mcore|nemo|megatron-lm 0\.1", 2025, 9999, Software(name="megatron-core", overlap_tensor=True, fused_loss=True,
        family="megatron-core")),
    (r"nemo|megatron-core|mcore|bridge|transformer engine|megatron-lm 0\.", 2023, 9999, Software(name="nemo", overlap_tensor=True,
        family="megatron-core")),
    (r"megatron", 2023, 9999, Software(name="megatron-lm", family="megatron-core")),
    (r"megatron", 0, 2023, Software(name="megatron-lm-2021", fused_attention=False, gradient_bytes=4.0, reduce_bytes=4.0,
        overlap_data=False, sequence_parallel=False, zero=0, family="megatron-lm")),
    (r"litgpt|lightning|transformers|hugging|hf|accelerate|trl|unsloth|axolotl", 0, 9999, Software(name="pytorch", gradient_bytes=2.0,
        reduce_bytes=2.0, sequence_parallel=False, zero=0, family="pytorch")),
    (r"deepspeed", 0, 9999, Software(name="deepspeed", gradient_bytes=2.0, reduce_bytes=2.0, sequence_parallel=False, zero=2,
        family="fsdp")),
    (r"ngc|nvidia release|mxnet|merlin|mlperf", 2023, 9999, Software(name="mlperf", host="graph", gradient_bytes=2.0, reduce_bytes=2.0,
        fused_loss=True, zero=1, family="mlperf")),
    (r"", 2023, 9999, Software(name="pytorch", gradient_bytes=4.0, reduce_bytes=2.0, zero=1, family="other")),
    (r"", 0, 2023, Software(name="pytorch-2022", fused_attention=False, gradient_bytes=2.0, reduce_bytes=2.0, sequence_parallel=False,
        zero=0, family="other")),
)  # fmt: skip


def software_for(framework: str | None, year: float | None) -> Software:
    """The facts for a framework's free-text name and the year it ran in.

    >>> software_for("Megatron-LM 2021", 2021).fused_attention
    False
    >>> software_for("NeMo 24.07 (Megatron-Core)", 2024).overlap_data
    True
    """
    text, when = (framework or "").lower(), year or 2025.0
    return next(facts for pattern, first, last, facts in _TABLE if first <= when < last and re.search(pattern, text))
