"""How requests of one kind fare in a measured session: a batch, a client that keeps requests open, or as many as fit.

Clients and full instances are those of :mod:`outlay.serving.batching`; a batch that begins and ends together, and a batch
of a stated number that runs on, are timed here from their steps.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.accuracy.serving.beams import RereadingSteps, read_of_prompt
from outlay.accuracy.serving.manner import Protocol
from outlay.accuracy.serving.played import played
from outlay.layout import Layout
from outlay.serving import (
    Deployment,
    Load,
    ServingCoefficients,
    Speculation,
    Work,
    iteration,
    memory,
    most_sequences,
    perform,
    timed,
)
from outlay.serving.deployment import DEGREES
from outlay.serving.ggml_step import backend_for
from outlay.serving.room import room
from outlay.serving.steps import Mixture, Steps

Floats = NDArray[np.float64]

VARIATION = 0.8
"""Standard deviation over mean of the lengths of a real data set: chats' prompts and answers scatter about so (ShareGPT)."""
RANDOM = 0.064
"""The same of lengths drawn evenly between 80 and 100 % of the nominal one."""
MANY = 1e6
TAIL = 1.16
"""The time between tokens of one answer in a hundred over the mean one, at the highest rate that an instance keeps up, where
lengths scatter (played: tests/serving/test_paced.py)."""
SERIAL = frozenset({"transformers", "exllama", "autoawq", "llamacpp", "llamacpp-server", "llamacpp-webui"})
"""Families of engines that batch no requests of different clients."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Rows of one deployment; every field but the first two has one number a row."""

    deployment: Deployment
    coefficients: ServingCoefficients
    input: Floats
    output: Floats
    batch: Floats
    """Requests on one instance; nan is as many as fit."""
    rate: Floats
    beams: Floats
    """Sequences that are kept of an answer. They share the blocks of their prompt: each is a sequence with its part of it
    (:mod:`~outlay.accuracy.serving.beams`)."""
    rounds: Floats
    """Requests that a client sends one after another."""
    sent: Floats
    """Requests of a whole run that come at a rate, to one instance."""
    pipelined: bool
    """Devices that hold layers work on chunks of a prompt at the same time."""
    cold: NDArray[np.bool_]
    """The first call of a process is timed."""
    unprompted: NDArray[np.bool_]
    """An answer begins without the prompt before it."""
    scattered: NDArray[np.bool_]
    """Lengths are those of a data set, not all alike."""
    random_lengths: NDArray[np.bool_]
    """Lengths are drawn near the nominal one."""
    alike: NDArray[np.bool_]
    """All prompts and answers are of one length."""
    slots: Floats
    """Tokens of a cache of one length, all of which is held and read; 0 where caches grow."""
    pace: Floats
    """Seconds between tokens that 99 of 100 answers keep, by the benchmark's rules; infinite where there are none."""
    speculation: Speculation | None = None

    def step(self, work: Work) -> tuple[Floats, Floats]:
        """Seconds of a step, and joules of the instance's devices."""
        found = iteration(self.deployment, work, self.coefficients)
        seconds = np.broadcast_to(np.asarray(found.seconds, dtype=float), self.input.shape)
        return seconds, seconds * found.device_watts * self.deployment.devices

    def token(self, count: Floats) -> tuple[Floats, Floats]:
        """Seconds between two tokens of each of `count` sequences that decode, and joules; drafting included."""
        if self.speculation is None:
            return self.step(Work(decoding=count, context=self.context))
        steps = timed(self.deployment, self.coefficients, self.speculation)
        mixture = Mixture(decoding=count, context=self.context)
        each = self.speculation.tokens_per_step
        seconds = np.broadcast_to(np.asarray(steps.seconds(mixture) / each, dtype=float), self.input.shape)
        return seconds, seconds * steps.watts(mixture) * self.deployment.devices

    @property
    def context(self) -> Floats:
        """Mean tokens of a sequence while it decodes: long answers of a data set are met more often than short ones."""
        longer = np.where(self.scattered, 1.0 + VARIATION**2, 1.0)
        used = np.where(self.unprompted, 0.0, self.prompt) + self.output * longer / 2.0
        return used + self.reread

    @property
    def reread(self) -> Floats:
        """Tokens that a sequence reads beyond those that it holds: of a prompt that beams share, and of empty slots."""
        read = np.asarray(read_of_prompt(self.deployment.cluster.accelerator, self.beams), dtype=float)
        empty = np.maximum(self.slots - self.input - self.output / 2.0, 0.0)
        return np.where(self.unprompted, 0.0, self.input * (read - 1.0 / self.beams)) + empty

    @property
    def steps(self) -> Steps | None:
        """Who times steps; None is whoever does so usually."""
        if not np.any(self.beams > 1) and not np.any(self.slots > 0):
            return None
        plain = timed(self.deployment, self.coefficients, self.speculation)
        return RereadingSteps(plain=plain, reread=self.reread, beams=self.beams)

    @property
    def prompt(self) -> Floats:
        """Tokens of a prompt that are one sequence's."""
        return self.input / self.beams

    def room(self) -> Floats:
        """Requests that run together at most."""
        held = memory(self.deployment, self.coefficients)
        fit = most_sequences(self.deployment, held, np.maximum(self.prompt + self.output, self.slots))
        most = np.minimum(fit, self.deployment.engine.most_sequences * self.deployment.layout.data)
        return np.maximum(most / self.beams, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fare:
    """How the rows of a session fare, per instance."""

    ttft: Floats
    tpot: Floats
    e2e: Floats
    output_per_second: Floats
    total_per_second: Floats
    prefill_per_second: Floats
    decode_per_second: Floats
    requests_per_second: Floats
    joules_per_token: Floats

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.ttft)


def fare(protocol: Protocol, session: Session) -> Fare:
    """How the rows of a session fare."""
    if protocol == "batch":
        return _batch(session)
    if protocol == "running":
        return _running(session)
    if protocol == "rate":
        return _at_rate(session)
    if protocol == "most":
        return _client(_full(session))
    return _with_played(session, _client(session))


def _with_played(session: Session, fare: Fare) -> Fare:
    """The fare with rows whose requests are all alike as they were played, where an engine lets requests in and out of a running
    batch."""
    engine, layout = session.deployment.engine, session.deployment.layout
    rows = np.flatnonzero(session.alike & (session.beams == 1) & (session.slots <= 0) & (session.batch >= 1))
    drafts = session.speculation is not None and session.speculation.draft is not None
    if engine.batching != "continuous" or engine.kernels != "tables" or drafts or not rows.size:
        return fare
    found = {name: np.array(np.broadcast_to(getattr(fare, name), fare.shape)) for name in Fare.__dataclass_fields__}
    degrees = {name: np.broadcast_to(getattr(layout, name), fare.shape) for name in DEGREES}
    for row in rows:
        one = dataclasses.replace(
            session.deployment, layout=Layout(**{name: float(values[row]) for name, values in degrees.items()})
        )
        figures = played(
            one,
            session.coefficients,
            prompt=session.input[row],
            answer=session.output[row],
            clients=session.batch[row],
            rounds=session.rounds[row],
            speculation=session.speculation,
        )
        for name, value in (figures or {}).items():
            found[name][row] = value
    return Fare(**found)


def _full(session: Session) -> Session:
    """The session with as many requests as fit, all the time."""
    return dataclasses.replace(session, batch=np.full_like(session.batch, np.nan))


def _prompts(session: Session, count: Floats) -> tuple[Floats, Floats]:
    """Seconds and joules of the prompts of `count` requests together, in chunks of the engine's size."""
    tokens = session.input * count
    chunks = np.maximum(np.ceil(tokens / session.deployment.engine.chunk_tokens), 1.0)
    each = tokens / chunks
    several = np.maximum(count / chunks, 1.0)
    past = np.where(count >= chunks, 0.0, np.maximum(session.input - each, 0.0) / 2.0)
    seconds, joules = session.step(Work(prefill=np.maximum(each, 1.0), prompts=several, past=past))
    if session.deployment.engine.kernels == "ggml" and session.pipelined:
        backend = backend_for(session.deployment, session.coefficients.step)
        stages = np.asarray(session.deployment.layout.pipeline, dtype=float)
        seconds = seconds * (1.0 + (chunks - 1.0) * stages**-backend.overlap) / chunks
    none = session.input <= 0
    first = np.where(session.cold, session.coefficients.step.first_call, 0.0)
    return np.where(none, 0.0, seconds * chunks + first), np.where(none, 0.0, joules * chunks)


def _batch(session: Session) -> Fare:
    """Requests begun and ended together; those beyond the room wait for another round."""
    held = np.minimum(session.batch, session.room())
    rounds = np.ceil(session.batch / held)
    count = session.batch / rounds
    prompt, prompt_joules = _prompts(session, count)
    step, step_joules = session.token(count * session.beams)
    further = np.maximum(session.output - np.where(session.input > 0, 1.0, 0.0), 0.0)
    whole = (prompt + further * step) * rounds
    tokens = np.maximum(session.output, 1.0) * session.batch
    return Fare(
        ttft=prompt,
        tpot=step,
        e2e=whole,
        output_per_second=session.output * session.batch / whole,
        total_per_second=(session.input + session.output) * session.batch / whole,
        prefill_per_second=np.where(prompt > 0, session.input * count / np.maximum(prompt, 1e-12), np.nan),
        decode_per_second=count / step,
        requests_per_second=session.batch / whole,
        joules_per_token=(prompt_joules + further * step_joules) * rounds / tokens,
    )


def _running(session: Session) -> Fare:
    """`batch` sequences decode all the time: rates are those of all steps, the time between tokens that of the median step.

    Prompts begin in a step as in a Poisson distribution, and their lengths vary.
    """
    count, answer = session.batch, np.maximum(session.output, 1.0)
    plain, plain_joules = session.token(count * session.beams)
    prompt, prompt_joules = _prompts(session, np.ones_like(count))
    begun = count / answer
    step = plain + begun * prompt
    rate = count / step
    variation = np.where(session.scattered, VARIATION, 0.0)
    usual = plain + begun * prompt * median_share(begun, variation)
    return Fare(
        ttft=prompt,
        tpot=usual,
        e2e=prompt + np.maximum(answer - 1.0, 0.0) * step,
        output_per_second=rate,
        total_per_second=rate * (session.input + answer) / answer,
        prefill_per_second=np.where(prompt > 0, session.input / np.maximum(prompt, 1e-12), np.nan),
        decode_per_second=count / plain,
        requests_per_second=rate / answer,
        joules_per_token=(plain_joules + begun * prompt_joules) / count,
    )


def median_share(mean: Floats, variation: Floats) -> Floats:
    r"""Median over mean of the sum of Poisson-many lengths: that of a gamma distribution of the same two moments, whose shape is
    :math:`k = \lambda / (1 + c^2)`,

    .. math:: (1 - 1 / 9k)^3

    (Wilson & Hilferty 1931), and 0 where most sums are of none.

    >>> median_share(np.array([0.1, 1.0, 10.0]), np.array([0.0, 0.0, 0.8])).round(2).tolist()
    [0.0, 0.7, 0.95]
    """
    shape = mean / (1.0 + np.square(variation))
    return np.maximum(1.0 - 1.0 / (9.0 * np.maximum(shape, 1e-9)), 0.0) ** 3


def _client(session: Session) -> Fare:
    """A client that keeps `batch` requests open, or (nan) an instance that is always full."""
    deployment, coefficients = session.deployment, session.coefficients
    shape = session.input.shape
    load = Load(
        input=np.maximum(session.prompt, 1.0),
        output=np.maximum(session.output, 1.0),
        concurrency=np.maximum(np.where(np.isnan(session.batch), session.room(), session.batch), 1.0) * session.beams,
        variation=np.where(session.scattered, VARIATION, np.where(session.random_lengths, RANDOM, 0.0)),
        gap=coefficients.step.request_gap,
        rounds=np.where(np.isnan(session.batch), MANY, session.rounds),
    )
    full = np.isnan(session.batch)
    if full.any():
        # Full is a machine in front of which nobody waits.
        fit = np.maximum(room(deployment, load, coefficients).sequences, 1.0)
        clients = np.asarray(load.concurrency)
        fit = np.where((session.beams > 1) | (session.slots > 0), np.minimum(clients, fit), fit)
        load = dataclasses.replace(load, concurrency=np.where(full, _paced(session, load, fit), clients))
    # A server around a library that knows no other requests answers one after another.
    serial = deployment.engine.family in SERIAL and not full.any()
    most = 1.0 if serial else np.floor(session.room()) if np.any(session.slots > 0) else None
    # Where an instance is always full, the next request has passed the front end before there is a place for it.
    front = np.where(full, 0.0, coefficients.step.front_of(deployment.engine, session.input))
    found = perform(
        deployment,
        load,
        coefficients,
        most_sequences=most,
        speculation=session.speculation,
        steps=session.steps,
        front_end=front,
    )
    one, _ = _prompts(session, np.ones(shape))
    decoding = np.maximum(np.broadcast_to(found.decoding, shape), 1e-9)
    watts = np.broadcast_to(found.device_watts, shape) * deployment.devices
    served = np.broadcast_to(found.requests_per_second, shape) / session.beams
    return Fare(
        ttft=np.broadcast_to(found.ttft, shape),
        tpot=np.broadcast_to(found.tpot, shape),
        e2e=np.broadcast_to(found.e2e, shape),
        output_per_second=served * session.output,
        total_per_second=served * (session.input + session.output),
        prefill_per_second=session.input / np.maximum(one, 1e-12),
        # An answer of one token has no time between tokens, and no rate of further ones.
        decode_per_second=np.divide(decoding, found.tpot, out=np.full(shape, np.nan), where=np.greater(found.tpot, 0)),
        requests_per_second=served,
        joules_per_token=watts / np.maximum(served * session.output, 1e-12),
    )


def _paced(session: Session, load: Load, fit: Floats) -> Floats:
    """As many requests as fit, or as still keep the pace that the benchmark's rules ask for."""
    if not np.isfinite(session.pace).any():
        return fit

    def between(running: Floats) -> Floats:
        one = dataclasses.replace(load, concurrency=running)
        return np.asarray(perform(session.deployment, one, session.coefficients, front_end=0.0).tpot, dtype=float)

    low, high = np.ones_like(fit), fit
    keeps = between(fit) * TAIL <= session.pace
    for _ in range(HALVINGS):
        middle = np.sqrt(low * high)
        slow = between(middle) * TAIL > session.pace
        low, high = np.where(slow, low, middle), np.where(slow, middle, high)
    return np.where(keeps, fit, low)


HALVINGS = 14
"""Steps to a number of requests to a thousandth of it."""


def _at_rate(session: Session) -> Fare:
    """Requests that arrive one by one at a rate, whatever happens.

    At a rate beyond what the instance sustains they fare as in a full one, behind a queue that grows until the run's last
    request has come: of N requests at a rate λ, of which μ a second are answered, one waits for :math:`N (1/μ - 1/λ) / 2` s.
    """
    deployment, coefficients, shape = session.deployment, session.coefficients, session.input.shape
    full = _client(_full(session))
    load = Load(
        input=np.maximum(session.prompt, 1.0),
        output=np.maximum(session.output, 1.0),
        rate=session.rate * session.beams,
        variation=np.where(session.scattered, VARIATION, np.where(session.random_lengths, RANDOM, 0.0)),
    )
    serial = 1.0 if deployment.engine.family in SERIAL else None
    found = perform(
        deployment, load, coefficients, most_sequences=serial, speculation=session.speculation, steps=session.steps
    )
    kept = np.broadcast_to(np.less(found.utilisation, 1.0), shape)
    served = np.minimum(session.rate, full.requests_per_second)
    watts = np.broadcast_to(found.device_watts, shape) * deployment.devices
    queue = session.sent / 2.0 * np.maximum(1.0 / full.requests_per_second - 1.0 / session.rate, 0.0)

    def of(value: object, otherwise: Floats) -> Floats:
        return np.where(kept, np.broadcast_to(np.asarray(value, dtype=float), shape), otherwise)

    return dataclasses.replace(
        full,
        ttft=of(found.ttft, full.ttft + queue),
        tpot=of(found.tpot, full.tpot),
        e2e=of(found.e2e, full.e2e + queue),
        output_per_second=served * session.output,
        total_per_second=served * (session.input + session.output),
        requests_per_second=served,
        joules_per_token=of(watts / np.maximum(served * session.output, 1e-12), full.joules_per_token),
    )
