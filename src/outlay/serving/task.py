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
    wave: Number
    """Share of a cycle in which its requests are sent: 1 where they come evenly. Those of a run that began together, with
    lengths nearly alike, end nearly together too, and so come again."""
    polled: Number
    """Decoding steps between two looks for new requests."""
    devices: Number
    """Data-parallel devices, each with a chunk of its own."""
    verified: Number
    """Tokens of a decoding sequence in a step."""
    stages: Number
    """Stages of a pipeline, which a step's work passes in as many groups."""

    away: Number = 0.0
    """Seconds in which a client's next request is on its way, of clients that keep requests open."""
    each: Number = 0.0
    """Seconds that each other request adds to that which is sent at the same time."""

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
            wave=1.0 if load.rate is not None else wave(load.variation, load.rounds),
            polled=float(deployment.engine.poll_steps),
            devices=deployment.layout.data,
            verified=1.0 if speculation is None else 1.0 + np.asarray(speculation.drafted),
            stages=1.0 if deployment.engine.sequential_layers else deployment.layout.pipeline,
        )

    def through(self, excess: Number, prompts: Number) -> Number:
        """Seconds that a prompt takes longer than its steps, whose prompts make them longer by `excess`: a step stands for one of
        the groups that stages work on at a time, as if each had its share of the prompts; few are in fewer of them, and those
        pass all stages one after another."""
        return np.maximum(excess, 0.0) * np.maximum(self.stages / np.maximum(prompts, 1.0) - 1.0, 0.0)

    def come_in(self, n: Number) -> Number:
        """Share of a cycle in which n requests come: the wave, longer by the steps that their prompts took from each other."""
        took = n * self.prompt / (self.chunk * self.devices) / np.maximum(self.decodes, 1.0)
        return np.minimum(self.wave + took, 1.0)

    @property
    def room(self) -> Number:
        """How far several prompts share a step: 0 where one fills it, 1 where two and more fit."""
        return np.clip(self.chunk * self.devices / self.prompt - 1.0, 0.0, 1.0)

    def past(self, each: Number) -> Number:
        """Mean tokens before a chunk of `each` tokens; where prompts differ, most tokens are in long ones."""
        return self.cached + self.queueing * self.prompt - each / 2.0


def wave(variation: Number, rounds: Number | None) -> Number:
    r"""Share of a cycle in which the requests of a run are sent again, over all of its rounds but the first.

    After k rounds of lengths that vary by c, requests that began together are spread over a width of
    :math:`\sqrt{12\,k}\,c` cycles (that of an even distribution). What it does grows with the rate at which they come,
    so that the harmonic mean over rounds counts.

    >>> round(float(wave(0.064, 10.0)), 2), float(wave(0.8, 10.0)), float(wave(0.064, None))
    (0.42, 1.0, 1.0)
    """
    if rounds is None:
        return 1.0
    again = np.maximum(np.minimum(np.asarray(rounds, dtype=np.float64), MANY_ROUNDS) - 1.0, 1.0)
    k = np.arange(1.0, MANY_ROUNDS)
    width = np.minimum(np.multiply.outer(np.sqrt(12.0) * np.asarray(variation), np.sqrt(k)), 1.0)
    counted = np.clip(again[..., None] - k + 1.0, 0.0, 1.0)
    return np.asarray(again / np.sum(counted / np.maximum(width, 1e-9), axis=-1))


MANY_ROUNDS = 100
"""Rounds after which the beginning of a run is forgotten."""
