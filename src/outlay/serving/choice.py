"""Sparse attention: when prompts take it, and the seconds in which an index scores all keys and chooses among them.

Engines attend densely to a prompt that has no more tokens than may be chosen, and score nothing then. Scores are 8-bit products
where the chip has them; they are written as 32-bit numbers, and read twice by the choice (a histogram of their leading bits, then
the ones above its threshold: https://github.com/sgl-project/sglang, sgl-kernel/csrc/elementwise/topk.cu, read 2026-11). Every
tensor-parallel device scores all keys.
"""

from __future__ import annotations

import numpy as np

from outlay.machine import Curves, curves_for, gemm_seconds, memory_seconds
from outlay.serving.deployment import Deployment, Work
from outlay.serving.kv_cache import index_bytes
from outlay.workload import Attention, Number

SCORE_BYTES = 12.0
"""Bytes that a score moves: written once, read twice."""


def sparse(mixer: Attention, work: Work) -> Number:
    """Whether prompts of a step attend to chosen keys: those that see more tokens than may be chosen."""
    if mixer.chosen is None:
        return False
    each = np.where(np.greater(work.prefill, 0), work.prefill / np.maximum(work.prompts, 1e-9), 0.0)
    return np.greater(work.past + each, mixer.chosen) & np.greater(each, 0)


def choosing(mixer: Attention, deployment: Deployment, work: Work, curves: Curves) -> Number:
    """Seconds to score the keys of decoding sequences and to choose among them: reading keys, and a kernel each."""
    if mixer.index is None:
        return 0.0
    sequences = work.decoding / deployment.layout.data
    keys = sequences * work.context * index_bytes(mixer.index, deployment)
    scores = sequences * (1.0 + work.drafted) * work.context
    return memory_seconds(keys + SCORE_BYTES * scores, kernels=2, curve=curves.memory)


def choosing_for_prompts(mixer: Attention, deployment: Deployment, work: Work, curves: Curves) -> Number:
    """Seconds to score, for every token of prompts, the keys before it, and to choose among them."""
    if mixer.index is None:
        return 0.0
    each = work.prefill / np.maximum(work.prompts, 1e-9)
    tokens, seen = work.prefill / deployment.layout.data, work.past + each / 2.0
    chip, base = curves.accelerator, deployment.base_type
    narrow = curves_for(chip, "fp8" if chip.has("fp8") else base, base, curves.coefficients)
    width = mixer.index.heads * mixer.index.head_dim
    products = gemm_seconds(tokens, np.maximum(seen, 1.0), width, curve=narrow.gemm)
    return products + memory_seconds(SCORE_BYTES * tokens * seen, kernels=2, curve=curves.memory)
