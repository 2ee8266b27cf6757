r"""Prompts on some instances, answers on others: each does one thing, and caches travel between them.

A prefilling instance is a queue of prompts (:mod:`outlay.serving.prefill`); a decoding instance is a batch of which nobody
is held up by prompts. In a closed loop the requests divide so that both answer as many a second
(:mod:`outlay.serving.closed_apart`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from outlay.machine import power_watts
from outlay.serving.closed_apart import closed_apart
from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.cycle import Cycle, answering_cycle
from outlay.serving.deployment import Deployment
from outlay.serving.inside import look_up, times_of
from outlay.serving.load import Load, Performance
from outlay.serving.open_loop import freed_in, number_inside, slope_of, slot_wait, wait_variance
from outlay.serving.prefill import Prefill, prefill_of
from outlay.serving.quantiles import Quantiles, Spread
from outlay.serving.room import Room, room
from outlay.serving.speculation import Speculation
from outlay.serving.steps import Steps, timed
from outlay.serving.task import Task
from outlay.serving.transfer import Transfer
from outlay.workload import Number


def perform_disaggregated(
    prefill_deployment: Deployment,
    decode_deployment: Deployment,
    load: Load,
    coefficients: ServingCoefficients,
    *,
    transfer: Transfer | None = None,
    prefill_instances: Number = 1,
    decode_instances: Number = 1,
    most_sequences: Number | None = None,
    speculation: Speculation | None = None,
    front_end: Number | None = None,
    sustained_alone: bool = False,
) -> Performance:
    """How requests fare where `prefill_instances` compute prompts and `decode_instances` answer; the load is that of all.

    `transfer`: None is the network of the prefilling instances. `front_end`: as in :func:`~outlay.serving.batching.perform`; one
    stands before all of them. `most_sequences`: of one decoding instance. Rates are of all
    instances together, `decoding` and `cache_share` of one decoding instance, `device_watts` the mean over all devices;
    `utilisation` is that of what is scarcest: prefilling, decoding or the network. `sustained_alone`: nobody asks how those
    fare that do not sustain the rate, so that answers are timed once for each layout of those that decode, whatever stands
    before them; only `utilisation` counts of those.

    >>> from outlay.catalog import accelerator
    >>> from outlay.machine import cluster_for
    >>> from outlay.serving.coefficients import load_serving
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> one = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 1))
    >>> load = Load(input=4000, output=200, rate=np.array([1.0, 4.0, 8.0]))
    >>> found = perform_disaggregated(one, one, load, load_serving(), decode_instances=2)
    >>> bool((np.diff(found.ttft) > 0).all() and (np.diff(found.tpot) > 0).all())
    True
    """
    transfer = Transfer.over_network(prefill_deployment, decode_deployment) if transfer is None else transfer
    prefill_steps = timed(prefill_deployment, coefficients)
    sent = np.greater(load.output, 1) * 1.0  # an answer of one token ends where its prompt does
    engines = prefill_deployment.engine, decode_deployment.engine
    front = coefficients.step.front_of_pools(*engines, load.input) if front_end is None else front_end
    each = np.where(np.greater(front, 0), coefficients.step.front_each(decode_deployment.engine), 0.0)
    pools = _Pools(
        prefill=prefill_of(Task.of(prefill_deployment, load, None), prefill_steps),
        prefill_instances=prefill_instances,
        answering=replace(Task.of(decode_deployment, load, speculation), each=each),
        decode_instances=decode_instances,
        space=room(decode_deployment, load, coefficients, most_sequences=most_sequences),
        steps=timed(decode_deployment, coefficients, speculation),
        sending=sent * (transfer.seconds(prefill_deployment, decode_deployment, load.input) - transfer.latency),
        latency=sent * transfer.latency + front,
    )
    flow = pools.closed(load) if load.rate is None else pools.open(load, sustained_alone=sustained_alone)
    fits = np.greater(pools.space.sequences, 0)
    further = np.maximum(np.subtract(load.output, 1.0), 0.0)
    answer = (flow.answer.seconds - flow.answer.ttft) * (further > 0)
    served = np.where(fits, flow.rate, 0.0)
    e2e = np.where(fits, flow.ttft + answer, np.inf)
    each_rate = flow.rate / decode_instances
    first_busy = np.minimum(flow.rate * pools.prefill.each / prefill_instances, 1.0)
    last_busy = -np.expm1(-each_rate * flow.answer.seconds)
    sizes = (prefill_deployment.devices * prefill_instances, decode_deployment.devices * decode_instances)
    powers = (
        mean_watts(prefill_deployment, first_busy, prefill_steps.watts(pools.prefill.step)),
        mean_watts(decode_deployment, last_busy, flow.answer.watts(pools.steps)),
    )
    with np.errstate(invalid="ignore"):
        inside = np.where(fits, served * e2e, 0.0) if load.concurrency is None else load.concurrency + 0.0 * served
    held = each_rate * flow.answer.seconds * pools.space.mean_bytes / np.maximum(pools.space.cache_bytes, 1.0)
    return Performance(
        ttft=np.where(fits, flow.ttft, np.inf),
        tpot=np.where(fits, answer / np.maximum(further, 1e-9), np.inf),
        e2e=e2e,
        requests_per_second=served,
        output_per_second=served * load.output,
        total_per_second=served * np.add(load.input, load.output),
        concurrency=inside,
        decoding=np.where(fits, flow.answer.mix.alone, 0.0),
        utilisation=np.where(fits, flow.utilisation, np.inf),
        cache_share=np.where(fits, np.minimum(held, 1.0), 0.0),
        queue=np.where(fits, flow.queue, np.inf),
        device_watts=(sizes[0] * powers[0] + sizes[1] * powers[1]) / (sizes[0] + sizes[1]),
        busy=np.maximum(first_busy, last_busy),
        quantiles=flow.quantiles(load, further),
    )


def prompts_kept_up_with(
    prefill_deployment: Deployment,
    decode_deployment: Deployment,
    load: Load,
    coefficients: ServingCoefficients,
    *,
    decode_instances: Number = 1,
) -> Number:
    """Prefilling instances that compute prompts as fast as the decoding ones answer them where all clients are there."""
    assert load.concurrency is not None
    prompts = prefill_of(Task.of(prefill_deployment, load, None), timed(prefill_deployment, coefficients))
    held = np.minimum(load.concurrency / decode_instances, room(decode_deployment, load, coefficients).sequences)
    held = np.maximum(held, 1.0)
    answer = answering_cycle(Task.of(decode_deployment, load, None), held, timed(decode_deployment, coefficients))
    return np.ceil(held / answer.seconds * decode_instances * prompts.each)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Flow:
    """What becomes of a load."""

    rate: Number
    """Requests a second that are answered."""
    ttft: Number
    queue: Number
    answer: Cycle
    utilisation: Number
    surest: Number = 0.0
    """Seconds to the first token that nobody undercuts."""
    variances: tuple[Number, Number] | None = None
    """Of the seconds to the first token, and of those after it for answers of one length; None where they are not known."""

    def quantiles(self, load: Load, further: Number) -> Mapping[str, Number]:
        """How the latencies spread."""
        if self.variances is None:
            return {}
        first, after = self.variances
        answer = (self.answer.seconds - self.answer.ttft) * (further > 0)
        whole = first + after + np.square(load.variation * answer)
        each = np.maximum(further, 1.0)
        return Quantiles(
            {
                "ttft": Spread(mean=self.ttft, least=self.surest, variance=first),
                "tpot": Spread(mean=answer / each, least=0.0, variance=after / np.square(each)),
                "e2e": Spread(mean=self.ttft + answer, least=self.surest, variance=whole),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pools:
    """Both kinds of instance, and the way between them."""

    prefill: Prefill
    prefill_instances: Number
    answering: Task
    decode_instances: Number
    space: Room
    steps: Steps
    sending: Number
    """Seconds in which a prefilling instance sends one cache."""
    latency: Number
    """Seconds that a request takes besides: on the way to the other pool, and before it comes to the first."""

    @property
    def most(self) -> Number:
        """Requests that one decoding instance answers at the same time."""
        return np.maximum(self.space.sequences, 1.0)

    def answer(self, n: Number) -> Cycle:
        return answering_cycle(self.answering, n, self.steps)

    def open(self, load: Load, *, sustained_alone: bool = False) -> _Flow:
        """Requests at a rate: each place has its queue."""
        assert load.rate is not None
        rate, most = np.asarray(load.rate, dtype=float), self.most
        looked = look_up(times_of(answering_cycle, self.answering, self.steps), np.asarray(most, dtype=float))
        full_seconds = most / looked.highest
        each, sending = rate / self.decode_instances, rate * self.sending / self.prefill_instances
        decoding = each * full_seconds / most
        utilisation = np.maximum(np.maximum(rate * self.prefill.each / self.prefill_instances, decoding), sending)
        sustained = np.less(utilisation, 1.0)
        passed = rate if sustained_alone else np.where(sustained, rate, rate / np.maximum(utilisation, 1e-9))
        inside = number_inside(lambda n: self.answer(n + 1.0).seconds, passed / self.decode_instances, most - 1.0)
        found = self.answer(inside + 1.0)
        one = replace(load, rate=passed / self.decode_instances)
        slope, steady = slope_of(one, most, full_seconds, found, inside)
        place = slot_wait(
            one, self.answering, most, full_seconds, found, inside, decoding, steady, instances=self.decode_instances
        )
        share = np.minimum(sending, 0.999)
        behind = share / (2.0 * (1.0 - share)) * self.sending
        squared = 1.0 + np.square(load.variation)
        first = self.prefill.first(rate / self.prefill_instances, squared, self.prefill_instances)
        queued = self.prefill.variance(rate / self.prefill_instances, load.variation, self.prefill_instances)
        places = most * self.decode_instances
        behind_place = wait_variance(place, freed_in(self.answering, found, places), decoding)
        shortest = self.prefill.one * (1.0 - np.minimum(load.variation, 1.0))
        return _Flow(
            rate=passed,
            ttft=np.where(sustained, first + behind + self.sending + self.latency + place + found.ttft, np.inf),
            queue=np.where(sustained, first - self.prefill.one + behind + place, np.inf),
            answer=found,
            utilisation=utilisation,
            surest=shortest + self.sending + self.latency,
            variances=(queued + behind_place, np.square(slope) * inside / steady),
        )

    def closed(self, load: Load) -> _Flow:
        """Clients that keep requests open."""
        return _Flow(
            **closed_apart(
                load,
                prefill=self.prefill,
                prefill_instances=self.prefill_instances,
                task=self.answering,
                answer=self.answer,
                steps=self.steps,
                decode_instances=self.decode_instances,
                most=self.most,
                travel=self.sending + self.latency,
                sent=self.prefill_instances / np.maximum(self.sending, 1e-12),
            ).__dict__
        )


def mean_watts(deployment: Deployment, busy: Number, working: Number) -> Number:
    idle = power_watts(deployment.cluster.accelerator, {})
    return idle + busy * (working - idle)
