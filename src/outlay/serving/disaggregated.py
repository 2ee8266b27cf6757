r"""Prompts on some instances, answers on others: each does one thing, and caches travel between them.

A prefilling instance is a queue of prompts. With S seconds for one alone and β for each of many in one step,

.. math:: ttft = S + \frac{\lambda S^2 (1 + c^2)}{1 - \lambda^2\beta^2}\,(1/2 + \lambda\beta)

(M/G/1 where one fills a step); a decoding instance is a batch of which nobody is held up by prompts. In a closed loop the
requests divide so that both answer as many a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from outlay.machine import power_watts
from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.cycle import Cycle, answering_cycle
from outlay.serving.deployment import Deployment
from outlay.serving.load import Load, Performance
from outlay.serving.open_loop import number_inside, slope_of, slot_wait, wait_variance
from outlay.serving.quantiles import Quantiles, Spread
from outlay.serving.room import Room, room
from outlay.serving.speculation import Speculation
from outlay.serving.steps import Mixture, Steps, timed
from outlay.serving.task import Task
from outlay.serving.transfer import Transfer
from outlay.workload import Number

HALVINGS = 40
"""Steps that find how clients divide between the instances."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefill:
    """One prefilling instance."""

    one: Number
    """S: seconds of a prompt alone."""
    each: Number
    """β: of each of as many as a step takes."""
    step: Mixture
    room: Number
    """How far several prompts share a step: 0 where one fills it, 1 where two and more fit."""

    def first(self, rate: Number, squared: Number) -> Number:
        """Mean seconds of a prompt, waiting included, at a rate; `squared`: 1 + c²."""
        share = np.minimum(rate * self.each, 0.999)
        gathered = rate * np.square(self.one) * squared / (1.0 - np.square(share)) * (0.5 + share)
        alone = np.minimum(rate * self.one, 0.999)
        queued = rate * np.square(self.one) * squared / (2.0 * (1.0 - alone))
        return self.one + self.room * gathered + (1.0 - self.room) * queued

    def variance(self, rate: Number, variation: Number) -> Number:
        """Of those seconds: of the prompt itself, and of its wait as in an M/G/1 queue (Takács 1962)."""
        squared = 1.0 + np.square(variation)
        wait = self.first(rate, squared) - self.one
        share = np.minimum(rate * (self.room * self.each + (1.0 - self.room) * self.one), 0.999)
        cubed = squared * (1.0 + 2.0 * np.square(variation))
        return np.square(variation * self.one) + np.square(wait) + rate * self.one**3 * cubed / (3.0 * (1.0 - share))


def prefill_of(task: Task, steps: Steps) -> Prefill:
    chunks = np.ceil(task.prompt / task.chunk)
    each = task.prompt / chunks
    many = np.maximum(task.chunk / task.prompt, 1.0) * task.devices
    alone = Mixture(decoding=0.0, context=0.0, prefill=each, prompts=1.0, past=task.past(each))
    full = Mixture(decoding=0.0, context=0.0, prefill=each * many, prompts=many, past=task.past(each))
    return Prefill(
        one=chunks * steps.seconds(alone),
        each=chunks * steps.seconds(full) / many,
        step=full,
        room=np.clip(many - 1.0, 0.0, 1.0),
    )


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
) -> Performance:
    """How requests fare where `prefill_instances` compute prompts and `decode_instances` answer; the load is that of all.

    `transfer`: None is the network of the prefilling instances. `most_sequences`: of one decoding instance. Rates are of all
    instances together, `decoding` and `cache_share` of one decoding instance, `device_watts` the mean over all devices;
    `utilisation` is that of what is scarcest: prefilling, decoding or the network.

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
    transfer = Transfer.over_network(prefill_deployment) if transfer is None else transfer
    prefill_steps = timed(prefill_deployment, coefficients)
    pools = _Pools(
        prefill=prefill_of(Task.of(prefill_deployment, load, None), prefill_steps),
        prefill_instances=prefill_instances,
        answering=Task.of(decode_deployment, load, speculation),
        decode_instances=decode_instances,
        space=room(decode_deployment, load, coefficients, most_sequences=most_sequences),
        steps=timed(decode_deployment, coefficients, speculation),
        sending=transfer.seconds(prefill_deployment, decode_deployment, load.input) - transfer.latency,
        latency=transfer.latency,
    )
    flow = pools.open(load) if load.rate is not None else pools.closed(load)
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

    @property
    def most(self) -> Number:
        """Requests that one decoding instance answers at the same time."""
        return np.maximum(self.space.sequences, 1.0)

    def answer(self, n: Number) -> Cycle:
        return answering_cycle(self.answering, n, self.steps)

    def open(self, load: Load) -> _Flow:
        """Requests at a rate: each place has its queue."""
        assert load.rate is not None
        rate, most = np.asarray(load.rate, dtype=float), self.most
        full = self.answer(most)
        each, sending = rate / self.decode_instances, rate * self.sending / self.prefill_instances
        decoding = each * full.seconds / most
        utilisation = np.maximum(np.maximum(rate * self.prefill.each / self.prefill_instances, decoding), sending)
        sustained = np.less(utilisation, 1.0)
        passed = np.where(sustained, rate, rate / np.maximum(utilisation, 1e-9))
        inside = number_inside(lambda n: self.answer(n + 1.0).seconds, passed / self.decode_instances, most - 1.0)
        found = self.answer(inside + 1.0)
        one = replace(load, rate=passed / self.decode_instances)
        place = slot_wait(one, self.answering, most, full.seconds, found, inside, decoding)
        share = np.minimum(sending, 0.999)
        behind = share / (2.0 * (1.0 - share)) * self.sending
        squared = 1.0 + np.square(load.variation)
        first = self.prefill.first(rate / self.prefill_instances, squared)
        slope, steady = slope_of(one, most, full.seconds, found, inside)
        queued = self.prefill.variance(rate / self.prefill_instances, load.variation)
        behind_place = wait_variance(place, self.answering.queueing * found.seconds / most, decoding)
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
        """Clients that keep requests open: those being answered, n, and those before, who pass as fast as prompts do."""
        assert load.concurrency is not None
        clients = np.asarray(load.concurrency, dtype=float)
        most = self.most * self.decode_instances
        travel = self.sending + self.latency

        def rate(n: Number) -> Number:
            held = np.minimum(n, most)
            return held / self.answer(np.maximum(held / self.decode_instances, 1.0)).seconds

        def sent(before: Number) -> Number:
            return np.minimum(before / (self.prefill.one + travel), self.prefill_instances / self.prefill.each)

        low = np.zeros(np.broadcast(clients, most, self.prefill.one, self.answering.decodes).shape)
        high = low + clients
        for _ in range(HALVINGS):
            middle = (low + high) / 2.0
            more = sent(clients - middle) > rate(middle)
            low, high = np.where(more, middle, low), np.where(more, high, middle)
        served = np.where(self.answering.decodes > 0, rate(low), sent(clients - 0.0 * low))
        found = self.answer(np.clip(low / self.decode_instances, 1.0, self.most))
        ttft = np.maximum(clients / served - found.seconds + found.ttft, self.prefill.one + travel)
        return _Flow(
            rate=served,
            ttft=ttft,
            queue=np.maximum(ttft - self.prefill.one - travel, 0.0),
            answer=found,
            utilisation=np.ones_like(served),
        )


def mean_watts(deployment: Deployment, busy: Number, working: Number) -> Number:
    idle = power_watts(deployment.cluster.accelerator, {})
    return idle + busy * (working - idle)
