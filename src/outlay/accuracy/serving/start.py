"""Where the fit of serving steps begins: priors, none of them fitted to a row that others measured.

What a front end takes and how long a layer's pieces are launched (`front_end`, `front_request`, `front_token`, `pieces`) was
read off the project's own runs (validation/serving/outlay_h200.csv), whose errors are therefore not blind to them; a layer of
`experts` is a guess at fifty launches by Python. Kernels are as their tables have them, engines alike; of llama.cpp's backends,
orders of magnitude from their kernels' design.
"""

from __future__ import annotations

import copy
from typing import Any, Final

from outlay.serving.coefficients import StepCoefficients

GGML: Final[dict[str, dict[str, Any]]] = {
    "cuda": {
        "bandwidth_share": 0.933,
        "stream": {"float": 7.6, "block": 6.5, "k": 6.5},
        "layer_seconds": 7.6e-05,
        "graph_seconds": 3.8e-05,
        "prompt_seconds": 3e-04,
        "hop_seconds": 0.0005,
        "overlap": 0.8,
        "copy_seconds": 1.5e-05,
        "link_share": 0.4,
        "cache_share": 0.64,
        "passes": 6.0,
        "attention_share": 0.35,
        "matmul_share": {"float": 0.6, "block": 0.3, "k": 0.3},
        "library": 1.0,
        "widen_clock": 3.0,
    },
    "metal": {
        "bandwidth_share": 0.94,
        "stream": {"float": 9.0, "block": 13.5, "k": 6.5},
        "layer_seconds": 0.00015,
        "graph_seconds": 0.0001,
        "prompt_seconds": 0.00015,
        "hop_seconds": 0.0045,
        "overlap": 0.8,
        "copy_seconds": 1.5e-05,
        "link_share": 0.4,
        "cache_share": 0.2,
        "passes": 6.0,
        "attention_share": 0.35,
        "matmul_share": {"float": 0.6, "block": 0.6, "k": 0.6},
        "library": 0.0,
        "widen_clock": 0.0,
    },
    "cpu": {
        "bandwidth_share": 0.74,
        "stream": {"float": 50.0, "block": 70.0, "k": 17.0},
        "layer_seconds": 0.0001,
        "graph_seconds": 0.0001,
        "prompt_seconds": 0.0003,
        "hop_seconds": 0.001,
        "overlap": 0.8,
        "copy_seconds": 1.5e-05,
        "link_share": 0.4,
        "cache_share": 0.5,
        "passes": 6.0,
        "attention_share": 0.1,
        "matmul_share": {"float": 0.3, "block": 0.3, "k": 0.3},
        "library": 0.0,
        "widen_clock": 0.0,
    },
    "other": {
        "bandwidth_share": 0.9,
        "stream": {"float": 1.5, "block": 2.6, "k": 3.3},
        "layer_seconds": 0.0001,
        "graph_seconds": 7e-05,
        "prompt_seconds": 0.0001,
        "hop_seconds": 0.001,
        "overlap": 0.8,
        "copy_seconds": 1.5e-05,
        "link_share": 0.4,
        "cache_share": 0.3,
        "passes": 6.0,
        "attention_share": 0.2,
        "matmul_share": {"float": 0.2, "block": 0.2, "k": 0.2},
        "library": 0.0,
        "widen_clock": 0.0,
    },
}
"""Fields of :class:`~outlay.serving.ggml.Backend` by backend. CUDA's library is as fast as its tables; own kernels on integers,
which sum in floats after each block, reach a third of the peak; copies between cards go over the link twice, through the host.
Processors end each of some thirty operations of a layer with a barrier of a few microseconds (timed with llama.cpp of 2026-11
on an AMD EPYC: a layer of next to no weights takes 45 µs on one thread and 69 on two), and spend a dozen instructions on 32
products of packed weights. Others stream half of CUDA's packed weights a processor, as theirs have half as many lanes, and
less of plain ones, which reach a library that is tuned for batches."""

AWQ: Final[dict[str, Any]] = {
    "bandwidth_share": {"gemm": 0.85, "gemv": 0.85},
    "tensor_share": 0.75,
    "weights_clock": {"few": 16.0, "many": 16.0},
    "block_bytes": 8.0,
}
"""Fields of :class:`~outlay.serving.awq.AwqKernels`: weights are read as by other long reads; a weight of a tile of 16 rows is
widened in some two instructions (four bit operations and four of arithmetic for eight weights, then zero and scale for two at a
time), which leaves tensor cores three quarters of the time; in the kernel for single rows it takes eight instructions of a lane
(shift, mask, conversion, scale, product and their addresses), of which a processor has 128; a block of 256 threads has few loads
under way."""

GGML["vulkan"] = copy.deepcopy(GGML["other"]) | {"layer_seconds": 1.5e-4, "graph_seconds": 1.5e-4}
GGML["vulkan-nvidia"] = copy.deepcopy(GGML["cuda"]) | {"graph_seconds": 7.6e-5, "library": 0.0, "widen_clock": 0.0}
"""Vulkan records its commands anew for every step, and calls no vendor's library; NVIDIA's driver gives it the same memory and
the same matrix instructions."""

START: Final = StepCoefficients(
    launch={"eager": 8e-6, "compiled": 3e-6, "graph": 1e-6, "pieces": 2e-4, "experts": 1e-3},
    step_fixed={"other": 1e-3, "llamacpp": 0.0, "llamacpp-server": 4e-4, "llamacpp-webui": 4e-3, "autoawq": 2e-4},
    step_sequence={"other": 1e-5, "llamacpp": 0.0, "llamacpp-server": 0.0, "llamacpp-webui": 0.0, "autoawq": 0.0},
    projections={"other": 1.0},
    widening={"other": 1.0, "exllama": 2.5, "transformers": 2.5},
    attention_slowdown={"other": 1.0},
    prompt_slowdown=1.0,
    request_gap=4e-3,
    front_end={"other": 0.01},
    front_request=2e-3,
    front_token=4e-6,
    framework_bytes={"tables": 1.5e9, "ggml": 0.5e9},
    ggml=GGML,
    awq=AWQ,
    first_call=0.04,
)
"""Seconds a kernel, seconds of a step and of each of its sequences, factors on kernels, bytes. A server draws each token from a
hundred thousand logits on its host; a library that is called in a bare loop waits for one number to come back, and for no
scheduler; its first pass loads about forty kernels of a millisecond each."""
