r"""What stands before an engine: a request passes connection, tokenizer and queues between processes before any step sees it.

Clients that keep a number of requests open have those fewer in the engine: with a front end that takes f seconds and c clients,

.. math:: c = n + \lambda(n)\,f

requests of which n are inside; a client alone waits for both in turn, :math:`\lambda = 1 / (e2e + f)`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from outlay.machine import power_watts
from outlay.serving.deployment import Deployment
from outlay.serving.load import Load, Performance
from outlay.serving.quantiles import Quantiles
from outlay.workload import Number


def left_inside(load: Load, found: Performance, front_end: Number) -> Load:
    """A closed loop without the requests that are with the front end; `found`: how it fares with them, whose rate is taken for
    that without."""
    assert load.concurrency is not None
    return replace(load, concurrency=np.maximum(load.concurrency - found.requests_per_second * front_end, 1.0))


def scheduled_before(deployment: Deployment, load: Load, found: Performance, step: Number, front_end: Number) -> Number:
    """Seconds of the `step` that was scheduled before a request came, in an engine that schedules the next one when one begins:
    who finds it at work is in the step after that. None for who passes no front end: it is there before the step; nor where
    nothing but prompts is computed: the next step is that of the prompts before its own, which it waits for anyway."""
    if not deployment.engine.overlap_schedule:
        return 0.0
    step = np.where(np.greater(load.output, 1), step, 0.0)
    others = found.busy if load.rate is not None else np.clip(np.subtract(found.concurrency, 1.0), 0.0, 1.0)
    return np.where(np.greater(front_end, 0), np.minimum(others, 1.0) * step, 0.0)


def behind(found: Performance, load: Load, deployment: Deployment, front_end: Number) -> Performance:
    """How clients see an engine that fares as `found`: what they wait longer, and what they therefore ask less.

    >>> from dataclasses import fields
    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> one = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))
    >>> engine = Performance(**{field.name: 1.0 for field in fields(Performance)} | {"quantiles": {}})
    >>> seen = behind(engine, Load(input=100, output=10, concurrency=1), one, 0.25)
    >>> float(seen.ttft), float(seen.requests_per_second)
    (1.25, 0.8)
    """
    ttft, e2e = found.ttft + front_end, found.e2e + front_end
    if load.rate is not None:
        quantiles = found.quantiles
        later = quantiles.later(front_end) if isinstance(quantiles, Quantiles) else quantiles
        with np.errstate(invalid="ignore"):
            inside = np.where(np.greater(found.requests_per_second, 0), load.rate * e2e, 0.0)
        return replace(found, ttft=ttft, e2e=e2e, concurrency=inside, quantiles=later)
    assert load.concurrency is not None
    answers = np.isfinite(found.e2e) & np.greater(found.concurrency, 0)
    engine, inside = np.where(answers, found.e2e, 1.0), np.where(answers, found.concurrency, 1.0)
    share = np.where(answers, np.asarray(load.concurrency) / inside * engine / (engine + front_end), 1.0)
    idle = power_watts(deployment.cluster.accelerator, {})
    return replace(
        found,
        ttft=ttft,
        e2e=e2e,
        requests_per_second=found.requests_per_second * share,
        output_per_second=found.output_per_second * share,
        total_per_second=found.total_per_second * share,
        concurrency=np.where(np.greater(found.requests_per_second, 0), load.concurrency, 0.0),
        device_watts=idle + np.minimum(share, 1.0) * (found.device_watts - idle),
        busy=found.busy * np.minimum(share, 1.0),
    )
