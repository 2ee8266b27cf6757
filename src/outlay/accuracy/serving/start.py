"""Where the fit of serving steps begins: priors, none of them fitted to a measured row of this project.

Kernels are as their tables have them, engines alike; of llama.cpp's backends, orders of magnitude from their kernels' design.
"""

from __future__ import annotations

from typing import Any, Final

from outlay.serving.coefficients import StepCoefficients

GGML: Final[dict[str, dict[str, Any]]] = {
    "cuda": {
        "bandwidth_share": 0.933,
        "stream": {"float": 7.6, "block": 5.2, "k": 6.5},
        "layer_seconds": 7.6e-05,
        "hop_seconds": 0.0005,
        "cache_share": 0.64,
        "passes": 4.0,
        "attention_share": 0.1,
        "matmul_share": {"float": 0.6, "block": 0.5, "k": 0.5},
    },
    "metal": {
        "bandwidth_share": 0.94,
        "stream": {"float": 9.0, "block": 13.5, "k": 6.5},
        "layer_seconds": 0.00015,
        "hop_seconds": 0.0045,
        "cache_share": 0.2,
        "passes": 4.0,
        "attention_share": 0.1,
        "matmul_share": {"float": 0.6, "block": 0.6, "k": 0.6},
    },
    "cpu": {
        "bandwidth_share": 0.74,
        "stream": {"float": 50.0, "block": 70.0, "k": 17.0},
        "layer_seconds": 0.0008,
        "hop_seconds": 0.001,
        "cache_share": 0.2,
        "passes": 4.0,
        "attention_share": 0.1,
        "matmul_share": {"float": 0.13, "block": 0.13, "k": 0.13},
    },
    "other": {
        "bandwidth_share": 0.9,
        "stream": {"float": 1.5, "block": 2.6, "k": 3.3},
        "layer_seconds": 0.0001,
        "hop_seconds": 0.001,
        "cache_share": 0.1,
        "passes": 4.0,
        "attention_share": 0.1,
        "matmul_share": {"float": 0.2, "block": 0.2, "k": 0.2},
    },
}
"""Fields of :class:`~outlay.serving.ggml.Backend` by backend; others stream half of CUDA's packed weights a processor, as theirs
have half as many lanes, and less of plain ones, which reach a library that is tuned for batches."""

START: Final = StepCoefficients(
    launch={"eager": 8e-6, "compiled": 3e-6, "graph": 1e-6},
    step_fixed={"other": 1e-3, "llamacpp": 0.0},
    step_sequence={"other": 1e-5, "llamacpp": 0.0},
    projections={"other": 1.0},
    widening={"other": 1.0, "exllama": 2.5, "transformers": 2.5},
    attention_slowdown={"other": 1.0},
    request_gap=4e-3,
    front_end={"other": 0.02},
    framework_bytes={"tables": 1.5e9, "ggml": 0.5e9},
    ggml=GGML,
)
"""Seconds a kernel, seconds of a step and of each of its sequences, factors on kernels, bytes."""
