"""Models and lengths of public benchmarks that records name without numbers, and that have no published config."""

from __future__ import annotations

from typing import Any, Final

MODELS: Final[dict[str, dict[str, Any]]] = {
    # NVIDIA DeepLearningExamples, PyTorch/LanguageModeling/Transformer-XL, WikiText-103 configs (2021-06).
    "transformer-xl-base": {
        "layers": 16,
        "hidden": 512,
        "heads": 8,
        "ffn_hidden": 2048,
        "vocab": 267735,
        "memory": 192,
    },
    "transformer-xl-large": {
        "layers": 18,
        "hidden": 1024,
        "heads": 16,
        "ffn_hidden": 4096,
        "vocab": 267735,
        "memory": 384,
    },
    # NVIDIA NeMo launcher, conf/training/gpt3/5b.yaml (2023-12).
    "gpt-5b": {"layers": 24, "hidden": 4096, "heads": 32, "ffn_hidden": 16384, "vocab": 51200},
    # https://huggingface.co/JackFram/llama-68m and llama-160m, config.json: drafts for Llama (read 2026-11).
    "llama-68m": {"layers": 2, "hidden": 768, "heads": 12, "ffn_hidden": 3072, "vocab": 32000, "gated": True},
    "llama-160m": {"layers": 12, "hidden": 768, "heads": 12, "ffn_hidden": 3072, "vocab": 32000, "gated": True},
}
"""Arguments of `workload.transformer` for each name."""

TARGET_LENGTH: Final = {"transformer-xl-base": 192, "transformer-xl-large": 384}
"""Tokens of a segment in those configs (the memory of earlier segments is as long)."""

PACKED_BERT: Final = 256
"""Mean length of a sample of MLPerf's BERT data, of at most 512 tokens: half of them would be padding.

M. Krell et al., "Efficient Sequence Packing without Cross-contamination", arXiv:2107.02027, section 3: packing factor 2.0.
"""

BINNED_BERT: Final = PACKED_BERT + 32
"""The same data in batches whose samples have like lengths, filled up to the longest in bins of 64 tokens: NVIDIA's
DeepLearningExamples since 2021-12 (LDDL, `phase2_bin_size`)."""

FINE_TUNING_LENGTH: Final = 512
"""What is taken where a fine-tuning run states no length: instruction data are short."""
