"""Prompts on some devices, answers on others: every pair of layouts, and how the load fares on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from outlay.layout import Layout
from outlay.scenarios.serving.question import ServingQuestion
from outlay.scenarios.serving.ways import Served, Tried, candidates, each_of, scalar
from outlay.serving import Load, Performance, ServingCoefficients, memory, perform_disaggregated

DIFFERING = 0.3
"""Standard deviation over mean of the lengths of clients' answers: how far apart they end is how alone their next prompts are."""


def try_both(question: ServingQuestion, prompts: ServingQuestion, coefficients: ServingCoefficients) -> Tried:
    """Every pair of a layout for prompts and one for answers, under the busiest load."""
    first, firsts = candidates(prompts)
    last, lasts = candidates(question)
    left, right = (part.ravel() for part in np.indices((firsts.size, lasts.size)))
    performance = _perform(
        question,
        prompts,
        first.at(left),
        firsts[left],
        last.at(right),
        lasts[right],
        question.demand.load(1),
        coefficients,
    )
    shape = left.shape
    room = np.greater(memory(prompts.deployment(first.at(left)), coefficients).cache, 0.0)
    fits = np.broadcast_to(np.greater(performance.requests_per_second, 0.0) & room, shape)
    kept = np.less_equal(performance.ttft, question.objectives.ttft) & np.less_equal(
        performance.tpot, question.objectives.tpot
    )
    if question.demand.concurrency is None:
        kept = kept & np.less(performance.utilisation, 1.0)
    return Tried(
        layouts=last.at(right),
        replicas=lasts[right],
        performance=performance,
        fits=fits,
        carries=fits & np.broadcast_to(kept, shape),
        prefill_layouts=first.at(left),
        prefill_replicas=firsts[left],
    )


def served_at(
    question: ServingQuestion, prompts: ServingQuestion, tried: Tried, place: int, coefficients: ServingCoefficients
) -> Served:
    """One of the pairs, in full; what is of all instances is divided among those that answer."""
    assert tried.prefill_layouts is not None and tried.prefill_replicas is not None
    first, last = tried.prefill_layouts.at(place), tried.layouts.at(place)
    firsts, lasts = int(tried.prefill_replicas[place]), int(tried.replicas[place])
    demand = question.demand

    def fared(load: Load) -> Performance:
        return each_of(scalar(_perform(question, prompts, first, firsts, last, lasts, load, coefficients)), lasts)

    busiest = fared(demand.load(1))
    mean = busiest if demand.peak == 1 else fared(demand.load(1, busiest=False))
    clients = question.engine.most_sequences * lasts
    most = fared(replace(demand.load(1), rate=None, concurrency=clients))
    if demand.rate is not None:  # the open loop knows what it is a share of
        highest = demand.rate * demand.peak / lasts / float(busiest.utilisation)
        most = replace(most, requests_per_second=highest)
    deployment = question.deployment(last)
    used = firsts * int(first.devices) + lasts * int(last.devices)
    return Served(
        deployment=deployment,
        replicas=lasts,
        working=lasts,
        idle=question.all_devices - used,
        busiest=busiest,
        mean=mean,
        most=most,
        space=memory(deployment, coefficients),
        looked_at=int(tried.replicas.size),
        fitting=int(tried.fits.sum()),
        carrying=int(tried.carries.sum()),
        prefill=prompts.deployment(first),
        prefill_replicas=firsts,
    )


def _perform(
    question: ServingQuestion,
    prompts: ServingQuestion,
    first: Layout,
    firsts: object,
    last: Layout,
    lasts: object,
    load: Load,
    coefficients: ServingCoefficients,
) -> Performance:
    answering = question.deployment(last)
    if load.rate is None:
        load = replace(load, variation=np.maximum(load.variation, DIFFERING))
    return perform_disaggregated(
        prompts.deployment(first),
        answering,
        load,
        coefficients,
        prefill_instances=firsts,  # type: ignore[arg-type]
        decode_instances=lasts,  # type: ignore[arg-type]
        speculation=question.speculation(answering),
    )
