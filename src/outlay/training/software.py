"""What a training framework does for you: facts that differ between software stacks and their years.

The catalog's `software.csv` holds them, each row with its source: facts from a family's documentation, not fitted numbers
(those are :class:`~outlay.training.coefficients.StepCoefficients`). An unknown framework gets the row of its year.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import importlib.resources
import re
from dataclasses import dataclass
from typing import Literal, cast

TODAY = 2026.5
"""The year of software of which nobody says when it ran: that of the kernel tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """A framework family as the cost model sees it."""

    name: str
    family: str
    """The group that shares a fitted factor."""
    fused_attention: bool
    """Attention never writes its score matrix (FlashAttention and kin)."""
    fused_elementwise: bool
    """Neighbours among elementwise operations run as one kernel: scale, mask and softmax; dropout and residual; the parts
    of a gated activation, of a root-mean-square norm, and of rotary positions."""
    attention_library: str
    """The library of its fused attention where that is not the newest (`flash-2`, `triton`, `sdpa`), else empty."""
    host: Literal["python", "eager", "compiled", "graph"]
    """Who launches kernels: Python and many small ones, Python and fused ones, a compiled program, or a captured graph."""
    gradient_bytes: float
    """Bytes of an accumulated gradient in memory."""
    gradient_copy_bytes: float
    """Bytes of a second, 16-bit gradient that training in bf16 keeps beside it."""
    reduce_bytes: float
    """Bytes of a gradient on the wire."""
    overlap_data: bool
    """Gradients are reduced (and sharded weights gathered) while layers compute."""
    overlap_tensor: bool
    """Tensor-parallel collectives run inside the matrix products (user buffers, collective matmul)."""
    sequence_parallel: bool
    """Norms and dropout between tensor-parallel regions are split too, where nothing is said."""
    overlap_expert: Literal["never", "domain", "always"]
    """Where tokens travel to and from experts while something else computes: nowhere, inside a scale-up domain, or over
    the network too."""
    deduplicated_dispatch: bool
    """A token that several experts of one node (or rank) want is sent there once."""
    grouped_experts: Literal["never", "blackwell", "always"]
    """On which chips all experts of a layer are one kernel; elsewhere there is a product for each expert."""
    fused_loss: bool
    """Cross-entropy is one kernel and keeps no fp32 copy of the logits."""
    layer_units: bool
    """Weights are sharded, gathered and reduced a layer at a time (FSDP), whatever the ZeRO stage."""
    stops_early: bool
    """Recomputing a layer ends with what its backward pass needs: the last product is not made again."""
    zero: int
    """ZeRO stage where nothing is said."""
    dropout: float
    """Probability of dropout where neither run nor model says one."""
    logit_bytes: float
    """Bytes of a logit at the peak of the loss, its copies and gradients included, where that is known; else 0."""
    pure_states: bool
    """Tuning keeps trained weights, gradients and moments in 16 bits, without an fp32 copy, where nothing is said."""
    adapter_bytes: float
    """Bytes of an adapter's weight; where that is not an activation's, inputs of adapters are copied in its type."""
    coded_head: bool
    """Where the base model is quantized, so is its head."""
    coded_input_bytes: float
    """Bytes that a product with a quantized weight keeps of each number of its input; none, where autograd needs none."""
    coded_rest_bytes: float
    """Bytes of a frozen weight that is not quantized, beside others that are: embedding, norms, head."""
    whole_projection: bool
    """Queries, keys and values are views of one product, which stays in memory whole."""
    flat_gradients: bool
    """Where weights are sharded, those of a layer are one flat parameter, frozen ones too: all of it has a gradient, which is
    whole while micro-batches accumulate (the first FSDP of PyTorch, under `no_sync`)."""
    source: str
    date: str
    note: str
    year: float = TODAY
    """The year of the run."""


WHOLE_NODE = 8
"""Datacenter GPUs from which on a framework made for clusters is the usual one."""


def usual_framework(category: str, devices: int) -> str | None:
    """The framework of a run that names none, by the kind of accelerator and their number; None is one of its year.

    >>> usual_framework("datacenter-gpu", 64), usual_framework("tpu", 1), usual_framework("consumer-gpu", 2)
    ('megatron-core', 'jax', None)
    """
    if category == "datacenter-gpu":
        return "megatron-core" if devices >= WHOLE_NODE else None
    return {"tpu": "jax", "trainium": "neuronx"}.get(category)


@functools.cache
def _table() -> tuple[tuple[re.Pattern[str], float, float, Software], ...]:
    text = (importlib.resources.files("outlay.catalog") / "software.csv").read_text(encoding="utf-8")
    return tuple(
        (
            re.compile(row["pattern"]),
            float(row["since"]),
            float(row["until"]),
            Software(
                name=row["name"],
                family=row["family"],
                fused_attention=row["fused_attention"] == "1",
                fused_elementwise=row["fused_elementwise"] == "1",
                attention_library=row["attention_library"],
                host=cast("Literal['python', 'eager', 'compiled', 'graph']", row["host"]),
                gradient_bytes=float(row["gradient_bytes"]),
                gradient_copy_bytes=float(row["gradient_copy_bytes"]),
                reduce_bytes=float(row["reduce_bytes"]),
                overlap_data=row["overlap_data"] == "1",
                overlap_tensor=row["overlap_tensor"] == "1",
                sequence_parallel=row["sequence_parallel"] == "1",
                overlap_expert=cast("Literal['never', 'domain', 'always']", row["overlap_expert"]),
                deduplicated_dispatch=row["deduplicated_dispatch"] == "1",
                grouped_experts=cast("Literal['never', 'blackwell', 'always']", row["grouped_experts"]),
                fused_loss=row["fused_loss"] == "1",
                layer_units=row["layer_units"] == "1",
                stops_early=row["stops_early"] == "1",
                zero=int(row["zero"]),
                dropout=float(row["dropout"]),
                logit_bytes=float(row["logit_bytes"]),
                pure_states=row["pure_states"] == "1",
                adapter_bytes=float(row["adapter_bytes"]),
                coded_head=row["coded_head"] == "1",
                coded_input_bytes=float(row["coded_input_bytes"]),
                coded_rest_bytes=float(row["coded_rest_bytes"]),
                whole_projection=row["whole_projection"] == "1",
                flat_gradients=row["flat_gradients"] == "1",
                source=row["source"],
                date=row["date"],
                note=row["note"],
            ),
        )
        for row in csv.DictReader(text.splitlines())
    )


@functools.lru_cache(maxsize=1024)
def software_for(framework: str | None, year: float | None) -> Software:
    """The facts for a framework's free-text name and the year it ran in; None is today's.

    >>> software_for("Megatron-LM 2021", 2021).fused_attention
    False
    >>> software_for("NeMo 24.07 (Megatron-Core)", 2024).name
    'nemo'
    """
    text, when = (framework or "").lower(), year or TODAY
    rows = _table()
    found = next(facts for pattern, since, until, facts in rows if since <= when < until and pattern.search(text))
    return dataclasses.replace(found, year=when)
