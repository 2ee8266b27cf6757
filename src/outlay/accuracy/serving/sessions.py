r"""How requests of one kind fare in a measured session: a batch, a client that keeps requests open, or as many as fit.

Closed forms over arrays of rows. A client's requests spread over the steps of an answer, so that each step of c
sequences begins c / output prompts on average; a prompt joins a step of decoding, or takes one of its own, and every
sequence then waits for it:

.. math:: t_{token} = t(c) + \frac{c}{output} \; t_{prompt}
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.accuracy.serving.manner import Protocol
from outlay.serving import Deployment, ServingCoefficients, Work, iteration, memory, most_sequences

Floats = NDArray[np.float64]


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

    def step(self, work: Work) -> tuple[Floats, Floats]:
        """Seconds of a step, and joules of the instance's devices."""
        found = iteration(self.deployment, work, self.coefficients)
        seconds = np.broadcast_to(np.asarray(found.seconds, dtype=float), self.input.shape)
        return seconds, seconds * found.device_watts * self.deployment.devices

    @property
    def context(self) -> Floats:
        """Mean tokens of a sequence while it decodes."""
        return self.input + self.output / 2.0

    def room(self) -> Floats:
        """Requests that run together at most."""
        held = memory(self.deployment, self.coefficients)
        fit = most_sequences(self.deployment, held, self.input + self.output) / self.beams
        return np.maximum(np.minimum(fit, self.deployment.engine.most_sequences * self.deployment.layout.data), 1.0)


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
    if protocol in ("most", "rate"):
        session = dataclasses.replace(session, batch=session.room())
    found = _client(session, decode_only=protocol == "running")
    return _at_rate(found, session) if protocol == "rate" else found


def _prompts(session: Session, count: Floats) -> tuple[Floats, Floats]:
    """Seconds and joules of the prompts of `count` requests together, in chunks of the engine's size."""
    tokens = session.input * count
    chunks = np.maximum(np.ceil(tokens / session.deployment.engine.chunk_tokens), 1.0)
    each = tokens / chunks
    several = np.maximum(count / chunks, 1.0)
    past = np.where(count >= chunks, 0.0, np.maximum(session.input - each, 0.0) / 2.0)
    seconds, joules = session.step(Work(prefill=np.maximum(each, 1.0), prompts=several, past=past))
    none = session.input <= 0
    return np.where(none, 0.0, seconds * chunks), np.where(none, 0.0, joules * chunks)


def _batch(session: Session) -> Fare:
    """Requests begun and ended together; those beyond the room wait for another round."""
    held = np.minimum(session.batch, session.room())
    rounds = np.ceil(session.batch / held)
    count = session.batch / rounds
    prompt, prompt_joules = _prompts(session, count)
    step, step_joules = session.step(Work(decoding=count * session.beams, context=session.context))
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


def _client(session: Session, *, decode_only: bool) -> Fare:
    """A client that keeps `batch` requests open; with `decode_only` times between tokens are those of steps without prompts."""
    room = session.room()
    open_, engine = session.batch, session.deployment.engine
    count = np.minimum(open_, room) if not decode_only else open_
    answer = np.maximum(session.output, 1.0)
    plain, plain_joules = session.step(Work(decoding=count * session.beams, context=session.context))
    one, one_joules = _prompts(session, np.ones_like(count))
    if engine.mixed:
        # A step holds a prompt, or as much of it as the engine's budget leaves; where prompts come faster, more of them.
        size = np.minimum(np.maximum(session.input, 1.0), np.maximum(engine.chunk_tokens - count, 256.0))
        mixed, mixed_joules = session.step(
            Work(
                decoding=count * session.beams,
                context=session.context,
                prefill=size,
                prompts=1.0,
                past=np.maximum(session.input - size, 0.0) / 2.0,
            )
        )
        chunks = session.input / size
        more, more_joules = chunks * np.maximum(mixed - plain, 0.0), chunks * np.maximum(mixed_joules - plain_joules, 0.0)
        first = chunks * mixed
    else:
        more, more_joules, first = one, one_joules, one
    begun = count / answer
    step = plain + begun * more
    busy = begun * more / step
    # A request waits for the step that runs, and for prompts before its own.
    queue = 0.5 * plain + busy / np.maximum(1.0 - busy, 0.1) * 0.5 * more
    waiting = np.maximum(open_ - count, 0.0) / np.maximum(count, 1e-9) * answer * step
    ttft = waiting + queue + first
    tpot = plain if decode_only else step
    rate = count / step
    return Fare(
        ttft=ttft,
        tpot=tpot,
        e2e=ttft + np.maximum(answer - 1.0, 0.0) * step,
        output_per_second=rate,
        total_per_second=rate * (session.input + answer) / answer,
        prefill_per_second=np.where(one > 0, session.input / np.maximum(one, 1e-12), np.nan),
        decode_per_second=count / plain,
        requests_per_second=rate / answer,
        joules_per_token=(plain_joules + begun * more_joules) / count,
    )


def _at_rate(found: Fare, session: Session) -> Fare:
    """Requests that arrive at a rate: what is served is what comes, as long as the instance keeps up."""
    share = np.minimum(session.rate / found.requests_per_second, 1.0)
    return dataclasses.replace(
        found,
        output_per_second=found.output_per_second * share,
        total_per_second=found.total_per_second * share,
        requests_per_second=found.requests_per_second * share,
    )
