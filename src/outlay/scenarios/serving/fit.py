"""How a deployment serves its load: the layout of an instance and the number of instances; or why none does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.scenarios.serving import apart
from outlay.scenarios.serving.playing import Fleet, Progress, Waits, play, play_at_random
from outlay.scenarios.serving.question import ServingQuestion
from outlay.scenarios.serving.ways import Served, Tried, candidates, each_of, instances, scalar
from outlay.serving import (
    ServingCoefficients,
    maximum,
    memory,
    perform,
)

TIE = 1.02
"""Layouts within this factor of the best are as good; of them the one with the fewest devices an instance is taken."""


def serve(
    question: ServingQuestion, coefficients: ServingCoefficients, *, progress: Progress | None = None
) -> Served | Tried:
    """The best way to serve the load, or all ways where none carries it.

    With a rate every way that carries it answers as much, so the quickest is taken; with a number of clients, the one
    that answers most. :class:`InputError` if the degrees asked for break a rule.
    """
    tried = try_layouts(question, coefficients)
    if question.demand.requests is not None and question.objectives.stated and tried.fits.any():
        return _held(question, tried, coefficients, progress)
    if not tried.carries.any():
        place = _fastest(question, tried)
        if place is None:
            return tried
        return _played(question, served_at(question, tried, place, coefficients), coefficients, progress)
    served = served_at(question, tried, _best(question, tried), coefficients)
    return served if question.demand.requests is None else _played(question, served, coefficients, progress)


def _best(question: ServingQuestion, tried: Tried) -> int:
    """Of the layouts that carry the load."""
    score = _score(question, tried)
    best = float(np.min(score))
    close = np.flatnonzero(score <= best * TIE)
    # As quick in all, and none of them sooner with its first token.
    first = np.broadcast_to(np.asarray(tried.performance.ttft, dtype=float), score.shape)[close]
    close = close[first <= np.min(first) * TIE]
    # Of layouts that are as good, the fewest devices an instance: what fails then takes less with it.
    return int(close[np.argmin(np.asarray(tried.layouts.devices)[close])])


def _held(
    question: ServingQuestion, tried: Tried, coefficients: ServingCoefficients, progress: Progress | None
) -> Served | Tried:
    """A layout that keeps its objectives when the trace is played; else the nearest alone, as it was played.

    Those that may are the best that keeps them in closed form, and the quickest in each latency, whatever is asked.
    """
    shape, fastest = tried.fits.shape, _fastest(question, tried)
    names = ("e2e", "ttft", "tpot")
    seconds = {
        name: np.broadcast_to(np.asarray(getattr(tried.performance, name), dtype=float), shape) for name in names
    }
    over = np.broadcast_to(np.asarray(tried.performance.utilisation, dtype=float), shape)
    usable = tried.fits & (over < 1) if fastest is None else np.arange(shape[0]) == fastest
    places = [_best(question, tried)] if tried.carries.any() else []
    places += [int(np.argmin(np.where(usable, values, np.inf))) for values in seconds.values()]
    wanted, nearest = question.objectives, (np.inf, tried)
    for place in dict.fromkeys(places):
        served = _played(question, served_at(question, tried, place, coefficients), coefficients, progress)
        excess = max(float(getattr(served.busiest, name)) / float(getattr(wanted, name)) for name in wanted.stated)
        if excess <= 1.0:
            return served
        if excess < nearest[0]:
            alone = np.arange(shape[0]) == place
            found = replace(served.busiest, utilisation=over)
            nearest = excess, replace(tried, performance=found, fits=alone, carries=np.zeros(shape, dtype=bool))
    return nearest[1]


def _fastest(question: ServingQuestion, tried: Tried) -> int | None:
    """Of a trace that brings more than any way sustains, the way that answers most: a burst has an end, and can be played."""
    over = np.broadcast_to(np.asarray(tried.performance.utilisation, dtype=float), tried.fits.shape)
    if question.demand.requests is None or not tried.fits.any() or (over[tried.fits] < 1).any():
        return None
    return int(np.argmin(np.where(tried.fits, over, np.inf)))


def in_bursts(served: Served, waits: Waits) -> Served:
    """With the mean latencies of requests that were played."""
    ttft, tpot, e2e = (waits.mean(name) for name in ("ttft", "tpot", "e2e"))
    queue = max(ttft - float(served.busiest.ttft) + float(served.busiest.queue), 0.0)
    return replace(served, busiest=replace(served.busiest, ttft=ttft, tpot=tpot, e2e=e2e, queue=queue))


def try_layouts(question: ServingQuestion, coefficients: ServingCoefficients) -> Tried:
    """How every legal layout fares under its share of the busiest load."""
    if question.prefill is not None:
        return apart.try_both(question, question.prefill, coefficients)
    layouts, replicas = candidates(question)
    demand, deployment = question.demand, instances(question, layouts, coefficients)
    share: Any = replicas if demand.concurrency is None else np.minimum(replicas, demand.concurrency)
    speculation = question.speculation(deployment)
    performance = perform(deployment, demand.load(share), coefficients, speculation=speculation)
    shape = replicas.shape
    fits = np.broadcast_to(np.greater(performance.requests_per_second, 0.0), shape)
    if demand.concurrency is None:
        kept = question.objectives.kept(performance)
    else:
        kept = np.less_equal(performance.ttft, question.objectives.ttft) & np.less_equal(
            performance.tpot, question.objectives.tpot
        )
    return Tried(
        layouts=layouts,
        replicas=replicas,
        performance=performance,
        fits=fits,
        carries=fits & np.broadcast_to(kept, shape),
    )


def served_at(question: ServingQuestion, tried: Tried, place: int, coefficients: ServingCoefficients) -> Served:
    """One of the layouts, in full."""
    if question.prefill is not None:
        return apart.served_at(question, question.prefill, tried, place, coefficients)
    layout = tried.layouts.at(place)
    deployment, demand = instances(question, layout, coefficients), question.demand
    speculation = question.speculation(deployment)
    replicas = int(tried.replicas[place])
    working = replicas if demand.concurrency is None else min(replicas, demand.concurrency)
    busiest = perform(deployment, demand.load(working), coefficients, speculation=speculation)
    mean = busiest
    if demand.peak > 1:
        mean = perform(deployment, demand.load(working, busiest=False), coefficients, speculation=speculation)
    most = maximum(
        deployment,
        input=demand.input,
        output=demand.output,
        coefficients=coefficients,
        cached=demand.cached,
        speculation=speculation,
        variation=demand.variation,
    )
    if demand.rate is not None:  # the open loop knows what the rate is a share of
        highest = demand.rate * demand.peak / working / np.asarray(busiest.utilisation, dtype=float)
        most = replace(most, requests_per_second=highest)
    return Served(
        deployment=deployment,
        replicas=replicas,
        working=working,
        idle=question.devices - replicas * int(deployment.devices),
        busiest=scalar(busiest),
        mean=scalar(mean),
        most=scalar(most),
        space=memory(deployment, coefficients),
        looked_at=int(tried.replicas.size),
        fitting=int(tried.fits.sum()),
        carrying=int(tried.carries.sum()),
    )


def fleet_of(question: ServingQuestion, served: Served) -> Fleet:
    """The instances that get requests."""
    return Fleet(
        decode=served.deployment,
        replicas=served.working,
        prefill=served.prefill,
        prefill_replicas=served.prefill_replicas,
        speculation=question.speculation(served.deployment),
    )


def waits_of(question: ServingQuestion, served: Served, coefficients: ServingCoefficients) -> Waits | None:
    """What single requests wait: those of the trace, or of the busiest hour's rate; None with a fixed number of clients."""
    demand = question.demand
    if served.replay is not None:
        return Waits(replay=served.replay)
    if demand.rate is None:
        return None
    return play_at_random(
        fleet_of(question, served),
        demand,
        coefficients,
        rate=demand.rate * demand.peak,
        seconds=float(served.busiest.e2e),
    )


def _played(
    question: ServingQuestion, served: Served, coefficients: ServingCoefficients, progress: Progress | None
) -> Served:
    """With the requests of the trace played one by one; rates are then those of one instance, as closed forms give them."""
    requests = question.demand.requests
    assert requests is not None
    replay = play(fleet_of(question, served), requests, coefficients, progress)
    # How far from the most that can be answered is the closed form's business: a trace is as long as it is.
    found = replace(each_of(replay.performance, served.replicas), utilisation=served.busiest.utilisation)
    # The month goes on as the trace began: its last answers, which come after the last request, do not make it slower.
    demand = question.demand
    rate, overrun = demand.rate or 0.0, 0.0
    if float(np.asarray(served.busiest.utilisation)) >= 1.0:
        # More come than are answered: a month of it has what is answered.
        rate = min(rate, len(requests) / float(replay.finish.max() - replay.arrival.min()))
        overrun = float(replay.finish.max() - replay.arrival.max())
    each = rate / served.replicas
    found = replace(
        found,
        requests_per_second=each,
        output_per_second=each * demand.output,
        total_per_second=each * (demand.input + demand.output),
    )
    return replace(served, busiest=found, mean=found, replay=replay, overrun=overrun)


def _score(question: ServingQuestion, tried: Tried) -> NDArray[np.float64]:
    """What is to be small: seconds of an answer under a rate, seconds between answers of all under clients."""
    performance, demand = tried.performance, question.demand
    if demand.concurrency is None:
        score = np.broadcast_to(performance.e2e, tried.replicas.shape)
    elif tried.prefill_layouts is not None:
        score = 1.0 / np.maximum(np.broadcast_to(performance.requests_per_second, tried.replicas.shape), 1e-300)
    else:
        working = np.minimum(tried.replicas, demand.concurrency)
        with np.errstate(divide="ignore"):
            score = 1.0 / np.broadcast_to(performance.requests_per_second * working, tried.replicas.shape)
    return np.where(tried.carries, score, np.inf)
