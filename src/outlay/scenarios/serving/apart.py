"""Prompts on some devices, answers on others: every pair of layouts, and how the load fares on it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from outlay.layout import Layout
from outlay.scenarios.serving.question import ServingQuestion
from outlay.scenarios.serving.ways import Served, Tried, candidates, each_of, scalar
from outlay.serving import Load, Performance, ServingCoefficients, memory, perform_disaggregated
from outlay.serving.room import room

Pool: TypeAlias = tuple[Layout, NDArray[np.int64]]
"""Layouts of an instance, and how many instances of each there are."""
DIFFERING = 0.3
"""Standard deviation over mean of the lengths of clients' answers: how far apart they end is how alone their next prompts are."""


def try_both(question: ServingQuestion, prompts: ServingQuestion, coefficients: ServingCoefficients) -> Tried:
    """Every pair of a layout for prompts and one for answers, under the busiest load."""
    first, firsts = candidates(prompts)
    last, lasts = candidates(question)
    shape = firsts.size, lasts.size
    performance = _in_a_row(_of_pairs(question, prompts, (first, firsts), (last, lasts), coefficients), shape)
    left, right = (part.ravel() for part in np.indices(shape))
    fits = np.greater(performance.requests_per_second, 0.0) & _holds_weights(prompts, first, firsts, coefficients)[left]
    return Tried(
        layouts=last.at(right),
        replicas=lasts[right],
        performance=performance,
        fits=fits,
        carries=fits & _kept(question, performance),
        prefill_layouts=first.at(left),
        prefill_replicas=firsts[left],
    )


def carried(question: ServingQuestion, prompts: ServingQuestion, coefficients: ServingCoefficients) -> bool:
    """Whether any pair carries the busiest load within its objectives: what :func:`try_both` says, and no more than that."""
    first, firsts = candidates(prompts)
    last, lasts = candidates(question)
    load = question.demand.load(1)
    sequences = room(question.deployment(last), load, coefficients).sequences
    down = np.flatnonzero(_holds_weights(prompts, first, firsts, coefficients))
    across = np.flatnonzero(np.broadcast_to(np.greater(sequences, 0.0), lasts.shape))
    if not down.size or not across.size:
        return False
    if load.rate is None and not question.objectives.stated:
        return True  # clients wait for each other, so that they are never too many
    pairs = ((first.at(down), firsts[down]), (last.at(across), lasts[across]))
    performance = _of_pairs(question, prompts, *pairs, coefficients, sustained_alone=True)
    return bool(np.any(_kept(question, performance) & np.greater(performance.requests_per_second, 0.0)))


def _of_pairs(
    question: ServingQuestion,
    prompts: ServingQuestion,
    first: Pool,
    last: Pool,
    coefficients: ServingCoefficients,
    *,
    sustained_alone: bool = False,
) -> Performance:
    """Layouts for prompts down, for answers across: what hangs on one of the two alone is computed once."""
    down, across = np.arange(first[1].size)[:, None], np.arange(last[1].size)[None]
    return _perform(
        question,
        prompts,
        first[0].at(down),
        first[1][down],
        last[0].at(across),
        last[1][across],
        question.demand.load(1),
        coefficients,
        sustained_alone=sustained_alone,
    )


def _holds_weights(
    prompts: ServingQuestion, layouts: Layout, replicas: NDArray[np.int64], coefficients: ServingCoefficients
) -> NDArray[np.bool_]:
    """Whether there is room for the caches of prompts, of each layout."""
    return np.broadcast_to(np.greater(memory(prompts.deployment(layouts), coefficients).cache, 0.0), replicas.shape)


def _kept(question: ServingQuestion, performance: Performance) -> NDArray[np.bool_]:
    """Whether the objectives are kept, and a rate is sustained."""
    wanted = question.objectives
    kept = np.less_equal(performance.ttft, wanted.ttft) & np.less_equal(performance.tpot, wanted.tpot)
    if question.demand.concurrency is None:
        kept = kept & np.less(performance.utilisation, 1.0)
    return np.asarray(kept)


def _in_a_row(performance: Performance, shape: tuple[int, int]) -> Performance:
    """Of every pair, one after the other."""

    def row(values: Any) -> NDArray[np.float64]:
        return np.broadcast_to(np.asarray(values, dtype=float), shape).reshape(-1)

    values = {
        field.name: row(getattr(performance, field.name)) for field in fields(performance) if field.name != "quantiles"
    }
    return Performance(**values, quantiles={name: row(value) for name, value in performance.quantiles.items()})


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
    *,
    sustained_alone: bool = False,
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
        sustained_alone=sustained_alone,
    )
