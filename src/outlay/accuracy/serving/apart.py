"""How requests fare in a measured session whose prompts and answers have devices of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.accuracy.serving.sessions import RANDOM, VARIATION, Fare, Floats
from outlay.layout import Layout
from outlay.serving import (
    Deployment,
    Load,
    ServingCoefficients,
    Speculation,
    perform_disaggregated,
    prompts_kept_up_with,
)
from outlay.serving.deployment import DEGREES
from outlay.serving.room import room


@dataclass(frozen=True, slots=True, kw_only=True)
class ApartSession:
    """Rows of two deployments; every field but the first three has one number a row."""

    prefill: Deployment
    decode: Deployment
    coefficients: ServingCoefficients
    prefill_instances: Floats
    """nan: as many as keep up with those that decode."""
    decode_instances: Floats
    """Where prompts' instances are not counted these are not either: at least so many, and as many as hold the clients."""
    input: Floats
    output: Floats
    clients: Floats
    """Requests that are open, on all instances together."""
    rounds: Floats
    """Requests that a client sends one after another."""
    scattered: NDArray[np.bool_]
    random_lengths: NDArray[np.bool_]
    speculation: Speculation | None = None


def fare_apart(session: ApartSession) -> Fare:
    """How the rows fare, rates of all instances together."""
    coefficients = session.coefficients
    load = Load(
        input=np.maximum(session.input, 1.0),
        output=np.maximum(session.output, 1.0),
        concurrency=np.maximum(session.clients, 1.0),
        variation=np.where(session.scattered, VARIATION, np.where(session.random_lengths, RANDOM, 0.0)),
        gap=coefficients.step.request_gap,
        rounds=session.rounds,
    )
    uncounted = np.isnan(session.prefill_instances)
    holding = np.ceil(session.clients / np.maximum(room(session.decode, load, coefficients).sequences, 1.0))
    decode_instances = np.where(uncounted, np.maximum(session.decode_instances, holding), session.decode_instances)
    enough = prompts_kept_up_with(
        session.prefill, session.decode, load, coefficients, decode_instances=decode_instances
    )
    prefill_instances = np.where(uncounted, enough, session.prefill_instances)
    found = perform_disaggregated(
        session.prefill,
        session.decode,
        load,
        coefficients,
        prefill_instances=prefill_instances,
        decode_instances=decode_instances,
        speculation=session.speculation,
    )
    shape = session.input.shape
    served = np.broadcast_to(found.requests_per_second, shape)
    devices = session.prefill.devices * prefill_instances + session.decode.devices * decode_instances
    watts = np.broadcast_to(found.device_watts, shape) * devices
    unknown = np.full(shape, np.nan)
    return Fare(
        ttft=np.broadcast_to(found.ttft, shape),
        tpot=np.broadcast_to(found.tpot, shape),
        e2e=np.broadcast_to(found.e2e, shape),
        output_per_second=served * session.output,
        total_per_second=served * (session.input + session.output),
        prefill_per_second=unknown,
        decode_per_second=np.broadcast_to(found.decoding, shape) * decode_instances / found.tpot,
        requests_per_second=served,
        joules_per_token=watts / np.maximum(served * session.output, 1e-12),
    )


def with_layouts(alike: Sequence[Deployment]) -> Deployment:
    """One deployment whose degrees are arrays, of many that are alike in all else."""
    layout = {name: np.array([float(getattr(one.layout, name)) for one in alike]) for name in DEGREES}
    return dataclasses.replace(alike[0], layout=Layout(**layout))
