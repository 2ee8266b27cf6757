"""A load as a running batch sees it: tokens to compute, steps to decode, and what a step may hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.serving.deployment import Deployment
from outlay.serving.load import Load
from outlay.serving.speculation import Speculation
from outlay.workload import Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A load as the batch sees it."""

    prompt: Number
    """P: tokens to compute."""
    cached: Number
    decodes: Number
    """N: steps after the first token."""
    context: Number
    loose: Number
    """Lengths differ, so requests do not stay in groups."""
    independent: bool
    """Requests come at times of their own, more of them in a long step than in a short one."""
    queueing: Number
    """Half of 1 + c²: how long a queue of such prompts is over that of equal service times' double."""
    chunk: Number
    """Tokens of a step of one data-parallel device."""
    devices: Number
    """Data-parallel devices, each with a chunk of its own."""
    verified: Number
    """Tokens of a decoding sequence in a step."""

    @staticmethod
    def of(deployment: Deployment, load: Load, speculation: Speculation | None) -> Task:
        per_step = 1.0 if speculation is None else speculation.tokens_per_step
        # Independent arrivals have no groups; prompts without answers stay in theirs.
        scattered = True if load.rate is not None else np.greater(load.variation, 0)
        return Task(
            prompt=load.computed,
            cached=load.input - load.computed,
            decodes=np.maximum(np.subtract(load.output, 1.0), 0.0) / per_step,
            context=load.context,
            loose=np.logical_and(scattered, np.greater(load.output, 1)),
            independent=load.rate is not None,
            queueing=(1.0 + np.square(load.variation)) / 2.0,
            chunk=deployment.engine.chunk_tokens,
            devices=deployment.layout.data,
            verified=1.0 if speculation is None else 1.0 + np.asarray(speculation.drafted),
        )

    def past(self, each: Number) -> Number:
        """Mean tokens before a chunk of `each` tokens."""
        return self.cached + (self.prompt - each) / 2.0
