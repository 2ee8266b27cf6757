"""What a serving engine does for you: facts that differ between engines and their years.

The catalog's `engines.csv` holds them, each row with its source: facts from documentation, not fitted numbers (those are
:class:`~outlay.serving.coefficients.ServingCoefficients`). An engine that nobody listed gets the last row.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np

from outlay.catalog import Accelerator, rows
from outlay.statement import Basis
from outlay.workload import Number

TODAY = 2026.5
"""The year of an engine of which nobody says when it ran."""

USUAL = "vllm"
"""The engine on GPUs of which nothing is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A serving engine as the cost model sees it."""

    name: str
    family: str
    """The group that shares fitted magnitudes."""
    host: Literal["eager", "compiled", "graph"]
    """Who launches kernels of decoding: Python one by one, a compiled program, or a captured graph."""
    prompt_host: Literal["eager", "compiled", "graph", "pieces"]
    """Who launches those of steps with prompts, and of more sequences than were captured; `pieces`: Python, but few operators a
    layer, as they are fused or captured from one attention to the next."""
    batching: Literal["continuous", "static"]
    """Requests enter and leave a running batch, or a batch is begun and ended together."""
    block_tokens: int
    """Tokens of a block of the key-value cache; 1 is no paging."""
    memory_share: float
    """Share of the memory that the engine fills."""
    memory_of: Literal["device", "free"]
    """Whether that is a share of the whole device, or of what weights and activations leave free."""
    chunk_tokens: int
    """Most tokens of one step: a longer prompt is prefilled in chunks of this size."""
    most_sequences: int
    """Most sequences that decode together, unless told otherwise."""
    mixed: bool
    """Chunks of prompts and decoding sequences share a step; else prompts have steps of their own, and decoding waits."""
    overlap_schedule: bool
    """The next step is scheduled while the device works on this one."""
    graph_sequences: int
    """Sequences up to which decoding is a captured graph; 0 is any number."""
    sequential_layers: bool
    """Several devices hold layers and work one after another, not together, unless told otherwise."""
    kernels: Literal["tables", "ggml", "awq"]
    """Whose products it runs: vendor libraries like those of the kernel tables, llama.cpp's own, or AutoAWQ's."""
    front_end: bool
    """Clients talk to a server of its own, which hands their requests on; else the engine is a library or a program."""
    collection: float
    """Seconds that a request waits while the server's Python collects garbage: 0 where it does so for none. Some 0.5 µs an
    object, of which PyTorch, transformers and a web interface make 360,000 (timed on an AMD EPYC, Python 3.11, 2026-11)."""
    source: str
    date: str
    note: str
    evicts: bool = False
    """Told to admit what fits now and to compute a sequence again when blocks run out (TensorRT-LLM's `MAX_UTILIZATION`), where
    it would keep room for whole answers."""
    basis: Basis = "assumed"
    """`quoted` where the source was read, `assumed` where the facts were written down without reading it again."""
    year: float = TODAY
    """The year of the software."""
    poll_steps: int = 1
    """Decoding steps after which the engine looks for new requests (SGLang's `--scheduler-recv-interval`)."""
    expert_kernels: str | None = None
    """The format whose kernels multiply experts, where it was told to take others than it does by itself (vLLM's
    `VLLM_MXFP4_USE_MARLIN` takes those of `w4a16`)."""

    @property
    def lane(self) -> str:
        """Whose measured kernels it runs, or runs kernels like: `vllm`, `sglang` or `trtllm`."""
        return "trtllm" if self.family.startswith("trtllm") else "sglang" if self.family == "sglang" else "vllm"

    @property
    def scheduler(self) -> str:
        """Whose time between steps it has, in a family whose newer engines schedule a step while the device works."""
        return self.family if self.overlap_schedule else f"{self.family}/waits"

    @property
    def sorts_experts(self) -> bool:
        """Python sorts the tokens of prompts by experts, with kernels of its own for each part; TensorRT-LLM does all of it in
        one operator (`fused_moe`), vLLM in what it captures."""
        return self.family in ("sglang", "vllm-0")

    @property
    def sorts(self) -> bool:
        """Drawing from the likeliest tokens alone (top-k, top-p) sorts all logits first: vLLM until kernels that need no order
        took over (https://github.com/vllm-project/vllm/pull/40376, and pull request 32558 of 2026-01)."""
        return self.lane == "vllm" and self.year < 2026.1 and self.kernels == "tables"

    def pads(self, form: str, tensor: Number) -> Number:
        """Rows to which an expert's are filled up, by a degree of tensor parallelism: 1 is none.

        DeepGEMM gives each expert whole tiles of 128 rows. vLLM took it for block-scaled weights by default from 0.11 on
        (https://github.com/vllm-project/recipes/pull/120), not at a degree of 8 from 0.12 on (pull request 29346), and
        lets Triton's kernels go first since 2026 (pull request 39331).
        """
        if self.lane != "vllm" or form != "fp8-block" or not 2025.75 <= self.year < 2026.02:
            return 1.0
        return np.where(np.greater_equal(tensor, 8) & (self.year >= 2025.9), 1.0, 128.0)


@rows.cached
def engine_for(text: str | None, year: float | None = None) -> Engine:
    """The facts for an engine's free-text name and the year of its software; None is today's.

    >>> engine_for("vLLM 0.4.2", 2024.4).mixed, engine_for("vLLM").mixed
    (False, True)
    """
    words, when = (text or USUAL).strip().lower(), year or TODAY
    row = next(
        row
        for row in rows.read("engines")
        if float(row["since"]) <= when < float(row["until"]) and re.search(row["pattern"], words)
    )
    return replace(_facts(row), year=when)


def _facts(row: object) -> Engine:
    cell = cast("dict[str, str]", row)
    return Engine(
        name=cell["name"],
        family=cell["family"],
        host=cast("Literal['eager', 'compiled', 'graph']", cell["host"]),
        prompt_host=cast("Literal['eager', 'compiled', 'graph', 'pieces']", cell["prompt_host"]),
        batching=cast("Literal['continuous', 'static']", cell["batching"]),
        block_tokens=int(cell["block_tokens"]),
        memory_share=float(cell["memory_share"]),
        memory_of=cast("Literal['device', 'free']", cell["memory_of"]),
        chunk_tokens=int(cell["chunk_tokens"]),
        most_sequences=int(cell["most_sequences"]),
        mixed=cell["mixed"] == "1",
        overlap_schedule=cell["overlap_schedule"] == "1",
        graph_sequences=int(cell["graph_sequences"]),
        sequential_layers=cell["sequential_layers"] == "1",
        kernels=cast("Literal['tables', 'ggml', 'awq']", cell["kernels"]),
        front_end=cell["front_end"] == "1",
        collection=float(cell["collection"]),
        source=cell["source"],
        date=cell["date"],
        note=cell["note"],
        basis=cast("Basis", cell["basis"]),
    )


GIB = 2.0**30
VLLM_LIMITS = "vllm/engine/arg_utils.py, get_batch_defaults: below 70 GiB, and on A100"
SGLANG_LIMITS = "sglang/srt/server_args.py, chunked_prefill_size by the memory of the GPU"
SGLANG_CHUNKS = ((35.0, 2048), (60.0, 4096), (160.0, 8192), (math.inf, 16384))
"""GiB below which a chunk is of so many tokens."""


def engine_on(engine: Engine, chip: Accelerator) -> Engine:
    """The engine with the limits of a step that it sets itself by the memory of a device, unless told otherwise.

    >>> from outlay.catalog import accelerator
    >>> [engine_on(engine_for("vllm"), accelerator(name)).chunk_tokens for name in ("h100-sxm", "l4")]
    [8192, 2048]
    """
    if engine.name == "vllm" and (chip.memory < 70.0 * GIB or chip.silicon.name.startswith("a100")):
        return replace(engine, chunk_tokens=2048, most_sequences=256)
    if engine.kernels == "awq" and chip.category in ("cpu", "apple", "edge"):
        return engine_for(
            "transformers", engine.year
        )  # on processors the library hands its weights to Intel's extension
    if engine.name == "sglang":
        return replace(engine, chunk_tokens=next(size for below, size in SGLANG_CHUNKS if chip.memory < below * GIB))
    return engine
