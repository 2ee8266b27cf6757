"""How requests fare under a load, in closed form: one instance or a million of them, in arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from outlay.machine import power_watts
from outlay.serving.closed_loop import Fared, in_and_out_of_step
from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment
from outlay.serving.front_end import behind, left_inside, scheduled_before
from outlay.serving.inside import look_up
from outlay.serving.load import Load, Performance
from outlay.serving.open_loop import open_loop
from outlay.serving.quantiles import Quantiles, Spread
from outlay.serving.room import Room, room
from outlay.serving.speculation import Speculation
from outlay.serving.static_batching import static_closed, static_open
from outlay.serving.steps import Steps, timed
from outlay.serving.task import Task
from outlay.workload import Number


def perform(
    deployment: Deployment,
    load: Load,
    coefficients: ServingCoefficients,
    *,
    most_sequences: Number | None = None,
    speculation: Speculation | None = None,
    steps: Steps | None = None,
    front_end: Number | None = None,
) -> Performance:
    """Latencies and rates of one instance under a load, as its clients see them. Layout degrees and fields of the load broadcast.

    Parameters
    ----------
    most_sequences
        Requests that run together at most, of the whole instance; None is what the engine allows. Memory limits them too.
    steps
        Who times steps: None is :func:`~outlay.serving.iteration.iteration` itself; for many loads,
        `TabledSteps.of(deployment, coefficients)` is faster. With speculation, steps include it (:func:`timed`).
    front_end
        Seconds that a request takes before the engine has it; None is what the engine's own front end takes.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.serving.coefficients import load_serving
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> one = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))
    >>> found = perform(one, Load(input=1024, output=256, concurrency=np.array([1, 16, 256])), load_serving())
    >>> bool((np.diff(found.output_per_second) > 0).all() and (np.diff(found.tpot) > 0).all())
    True
    """
    static = deployment.engine.batching == "static"
    # Prompts that go first bring answers of one length into step.
    in_step = load.rate is None and not deployment.engine.mixed and not np.any(load.variation)
    limits = room(deployment, load, coefficients, most_sequences=most_sequences, together=static or in_step)
    steps = timed(deployment, coefficients, speculation) if steps is None else steps
    task = Task.of(deployment, load, speculation)
    front = coefficients.step.front_of(deployment.engine, load.input) if front_end is None else front_end
    if load.rate is not None:
        others = static_open if static else open_loop
        fared, utilisation, busy = others(deployment, load, task, limits.sequences, steps)
        found = performance_of(deployment, load, limits, fared, utilisation, busy)
        return behind(found, load, deployment, front + scheduled_before(deployment, load, found, fared.step, front))
    ways = static_closed if static else in_and_out_of_step
    each = np.where(np.greater(front, 0), coefficients.step.front_each(deployment.engine), 0.0)
    task = dataclasses.replace(task, away=front, each=each)

    def closed(load: Load) -> tuple[Performance, Number]:
        fared = ways(deployment, load, task, limits.sequences, steps)
        return performance_of(deployment, load, limits, fared, 1.0, 1.0), fared.step

    found, step = closed(load)
    if not np.any(front):
        return found
    front = front + scheduled_before(deployment, load, found, step, front)
    return behind(closed(left_inside(load, found, front))[0], load, deployment, front)


def maximum(
    deployment: Deployment,
    *,
    input: Number,
    output: Number,
    coefficients: ServingCoefficients,
    cached: Number = 0.0,
    most_sequences: Number | None = None,
    speculation: Speculation | None = None,
    variation: Number = 0.0,
    steps: Steps | None = None,
) -> Performance:
    """The highest throughput: as many requests as are answered fastest run together, most often as many as fit, and the next one
    is always there, past the front end.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.serving.coefficients import load_serving
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> one = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))
    >>> found = maximum(one, input=1024, output=1024, coefficients=load_serving())
    >>> bool(250 < found.concurrency < 400)  # 52 GiB of caches, 192 MiB a request on average
    True
    """
    load = Load(input=input, output=output, cached=cached, concurrency=1.0, variation=variation)
    limits = room(deployment, load, coefficients, most_sequences=most_sequences)
    most = np.maximum(limits.sequences, 1.0)

    def among(n: Number) -> Performance:
        return perform(
            deployment,
            dataclasses.replace(load, concurrency=n),
            coefficients,
            most_sequences=most_sequences,
            speculation=speculation,
            steps=steps,
            front_end=0.0,
        )

    def seconds(n: Number) -> tuple[Number, Number]:
        each = n / np.maximum(among(n).requests_per_second, 1e-300)
        return each, each

    return among(look_up(seconds, np.asarray(most, dtype=float)).best)


def performance_of(
    deployment: Deployment,
    load: Load,
    limits: Room,
    fared: Fared,
    utilisation: Number,
    busy: Number,
) -> Performance:
    """As the reader wants it; nothing where the model does not fit."""
    fits = np.greater(limits.sequences, 0)
    served = np.where(fits, fared.requests_per_second, 0.0)
    ttft = np.where(fits, fared.ttft, np.inf)
    further = np.maximum(np.subtract(load.output, 1.0), 0.0)
    tpot = np.where(fits, np.where(further > 0, fared.decode_seconds / np.maximum(further, 1e-9), 0.0), np.inf)
    e2e = ttft + np.where(further > 0, further * np.where(fits, tpot, 0.0), 0.0)
    with np.errstate(invalid="ignore"):
        inside = np.where(fits, load.rate * e2e if load.rate is not None else np.asarray(load.concurrency), 0.0)
        running = np.minimum(np.nan_to_num(inside, posinf=np.inf), limits.sequences)
    idle = power_watts(deployment.cluster.accelerator, {})
    return Performance(
        ttft=ttft,
        tpot=tpot,
        e2e=e2e,
        requests_per_second=served,
        output_per_second=served * load.output,
        total_per_second=served * np.add(load.input, load.output),
        concurrency=inside,
        decoding=np.where(fits, fared.decoding, 0.0),
        utilisation=np.where(fits, utilisation, np.inf),
        cache_share=np.where(
            fits, np.minimum(running * limits.mean_bytes / np.maximum(limits.cache_bytes, 1.0), 1.0), 0.0
        ),
        queue=np.where(fits, fared.queue, np.inf),
        device_watts=np.where(fits, idle + busy * (fared.watts - idle), idle),
        busy=np.where(fits, busy, 0.0),
        quantiles=quantiles_of(load, fared, ttft, tpot, e2e),
    )


def quantiles_of(load: Load, fared: Fared, ttft: Number, tpot: Number, e2e: Number) -> Mapping[str, Number]:
    """How the latencies spread, where that is known: for requests that come at a rate."""
    if fared.surest is None:
        return {}
    further = np.maximum(np.subtract(load.output, 1.0), 1.0)
    lengths = np.square(load.variation * fared.decode_seconds)
    whole = fared.first_variance + fared.decode_variance + lengths
    return Quantiles(
        {
            "ttft": Spread(mean=ttft, least=fared.surest, variance=fared.first_variance),
            "tpot": Spread(mean=tpot, least=0.0, variance=fared.decode_variance / np.square(further)),
            "e2e": Spread(mean=e2e, least=fared.surest, variance=whole),
        }
    )
