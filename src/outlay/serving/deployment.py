"""What is served and how: a model in a number format, an engine, a layout of devices; and what one step works on.

One *instance* is a group of devices that holds the model once (or, with data-parallel attention, holds its experts once)
and runs one step at a time. Replicas of an instance share nothing, so everything here is about one of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from outlay.layout import Layout
from outlay.machine import Cluster
from outlay.serving.adapters import Adapters
from outlay.serving.engines import Engine, engine_for
from outlay.serving.formats import CACHE_BYTES, Format, format_for
from outlay.workload import Architecture, Number

SKEW = 0.6
"""Power with which the popularity of experts falls: that of the kernel tables' uneven routing."""
DEGREES = ("tensor", "pipeline", "data", "expert", "expert_tensor")
"""Degrees of a layout that serving has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One instance of an engine that serves a model. Degrees of `layout` are numbers or arrays.

    Of the layout, `tensor` splits heads and feed-forwards, `pipeline` layers, `data` the sequences of attention (each
    device its own, with all heads), `expert` the experts over `tensor × data` devices, `expert_tensor` columns of experts.
    """

    architecture: Architecture
    cluster: Cluster
    layout: Layout = field(default_factory=Layout)
    engine: Engine = field(default_factory=lambda: engine_for(None))
    weights: Format = field(default_factory=lambda: format_for("bf16"))
    cache: str = "bf16"
    """The number format of the key-value cache: one of :data:`~outlay.serving.formats.CACHE_BYTES`."""
    imbalance: float = 1.0
    """Fullest expert-parallel device's tokens over the mean."""
    skew: float = SKEW
    """Power with which the popularity of experts falls with their rank."""
    eager: bool = False
    """Graphs are switched off (`--enforce-eager`)."""
    truncated: bool = False
    """Answers are drawn from the likeliest tokens alone (top-k, top-p), as most models' own settings have it."""
    held: Number = 0.0
    """Bytes of each device that stand beside this model and its caches: adapters, a model that drafts."""
    adapters: Adapters | None = None
    """Low-rank adapters that sequences use; their bytes are in `held`."""
    beyond: Deployment | None = None
    """The layers that other devices hold, which work after these on every token (llama.cpp's layers on the processor)."""

    @property
    def devices(self) -> Number:
        """Devices of one instance."""
        return self.layout.tensor * self.layout.pipeline * self.layout.data

    @property
    def cache_bytes(self) -> float:
        """Bytes of one number in the cache."""
        return CACHE_BYTES[self.cache]

    @property
    def widened(self) -> bool:
        """Weights are brought to 16 bits before each product: their format says so, or the chip cannot multiply in it."""
        return self.weights.dequantized or not self.cluster.accelerator.has(self.weights.compute)

    @property
    def compute_type(self) -> str:
        """The type in which the products of quantized layers run."""
        plain = self.weights.compute in ("fp32", "fp16", "bf16") or not self.widened
        return self.weights.compute if plain else "bf16"

    @property
    def base_type(self) -> str:
        """The type of what quantized formats leave alone (head, router, attention)."""
        return self.weights.compute if self.weights.compute in ("fp32", "fp16") else "bf16"

    @property
    def weight_bytes(self) -> float | None:
        """Bytes of a stored weight where it is narrower than the product that reads it; None where it is not."""
        return self.weights.weight_bytes if self.widened and self.weights.weight_bits < 16 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one step of an instance works on: numbers or arrays that broadcast with the layout's degrees."""

    decoding: Number = 0.0
    """Sequences that get their next token."""
    context: Number = 0.0
    """Mean tokens that each of them has in the cache."""
    prefill: Number = 0.0
    """Prompt tokens that are computed, of all prompts of the step together."""
    prompts: Number = 1.0
    """Prompts (or chunks of them) that those belong to."""
    past: Number = 0.0
    """Mean tokens of each such prompt that are in the cache already: a shared prefix, or its earlier chunks."""
    drafted: Number = 0.0
    """Tokens beyond the next one that are verified for each decoding sequence (speculative decoding)."""
    absent: Number = 0.0
    """Of `prefill`, tokens that stand for devices with fewer than the fullest: no expert sees them."""

    @property
    def tokens(self) -> Number:
        """Tokens that pass the layers in this step."""
        return self.prefill + self.decoding * (1.0 + self.drafted)

    @property
    def logits(self) -> Number:
        """Tokens whose next token is predicted.

        >>> float(Work(decoding=8, prefill=1000, prompts=2).logits)
        10.0
        """
        return self.decoding * (1.0 + self.drafted) + np.where(np.greater(self.prefill, 0), self.prompts, 0.0)
