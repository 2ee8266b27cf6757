"""All ways to serve a load on one accelerator: engines, formats, layouts, modes and replicas, with the latencies of each."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from outlay.catalog import Accelerator
from outlay.machine import cluster_for
from outlay.machine.cluster import Cluster
from outlay.scenarios.serving_plan.block import Block, Counts, Ints, Pool, drawn, wide
from outlay.scenarios.serving_plan.formats import formats_on
from outlay.scenarios.serving_plan.question import ServingWanted
from outlay.search.front import front
from outlay.serving import Deployment, Engine, Format, Load, ServingCoefficients, sequence_bytes
from outlay.serving.choose import Ways, fared, replicas_of, ways_of
from outlay.serving.layouts import layouts_of
from outlay.serving.loops import Floats, Make, loops_of
from outlay.serving.objectives import FULL, Objectives
from outlay.serving.pools import DecodeLoops, PrefillLoops, decode_loops, prefill_loops

LARGEST = 64
"""Devices of one instance that are looked at."""
LATENCIES = ("ttft", "tpot", "e2e", "queue", "utilisation")
"""What is kept of how an instance fares."""
MORE = (0, 1, 2)
"""Instances beyond the least that a pool of prompts may have."""
MULTIPLES_OF_TAILS = (1, 1.15, 1.35, 1.6, 2, 3, 4)
"""The same where 99 of 100 requests count: how many more these take is seen when they are played."""
MULTIPLES = (1, 2, 4)
"""Replicas that are looked at, over the least that carry the load: more of them answer faster and cost more."""


def blocks_of(
    asked: ServingWanted,
    chip: Accelerator,
    most: int,
    coefficients: ServingCoefficients,
    *,
    cluster: Cluster | None = None,
) -> tuple[list[Block], Counts]:
    """Everything that at most `most` devices of one accelerator can do; `cluster` says how they are linked, else as usual."""
    blocks: list[Block] = []
    counts = Counts()
    largest = min(LARGEST, most)
    cluster = cluster or cluster_for(chip, max(largest, 1))
    for engine in asked.engines_on(chip):
        forms, lacking = formats_on(asked.formats, asked.published, chip, engine, barred=asked.barred)
        counts += Counts(formats=len(forms), lacking=lacking)
        for form in forms:
            for mode in asked.modes:
                if mode == "disaggregated" and (most < 2 or engine.batching == "static" or engine.kernels == "ggml"):
                    continue
                look = _aggregated if mode == "aggregated" else _disaggregated
                block, seen = look(asked, cluster, engine, form, most, coefficients)
                counts += seen
                blocks += [] if block is None else [block]
    return blocks, counts


def _ways(
    asked: ServingWanted,
    cluster: Cluster,
    engine: Engine,
    form: Format,
    most: int,
    coefficients: ServingCoefficients,
    *,
    load: Load,
    objectives: Objectives,
    make: Make = loops_of,
) -> tuple[Ways | None, Counts]:
    """Ways of one pool of instances, and how many were no ways."""
    reach = int(cluster.domain) if cluster.domain > 1 else int(cluster.node_size)
    largest = min(LARGEST, most, int(cluster.node_size)) if asked.one_machine else min(LARGEST, most)
    found = layouts_of(asked.architecture, engine, most=largest, domain=reach)
    deployment = Deployment(
        architecture=asked.architecture,
        cluster=cluster,
        layout=found.layouts,
        engine=engine,
        weights=form,
        cache=asked.cache,
    )
    if make is prefill_loops:  # of the time to the first token, the front end and sending the cache are parts
        front_end = coefficients.step.front_of_pools(engine, engine, load.input)
        own = sequence_bytes(deployment, load.input)
        objectives = dataclasses.replace(objectives, ttft=objectives.ttft - front_end - _sending(cluster, own))
    ways, seen, legal = ways_of(
        deployment,
        load,
        objectives,
        coefficients,
        rate=asked.rate,
        looked_at=found.looked_at,
        prompts=make is not decode_loops,
        make=make,
    )
    if ways is not None:
        ways = _not_full(ways)
    fitting = 0 if ways is None else ways.count
    return ways, Counts(looked_at=seen, illegal=seen - legal, too_big=legal - fitting)


def _not_full(ways: Ways) -> Ways:
    """The same, each of which carries no more than an instance that is not quite full."""
    most = FULL * ways.loops.sustained(slice(None))
    return dataclasses.replace(
        ways,
        rate=np.minimum(ways.rate, most),
        beyond=np.minimum(ways.beyond, most),
        relaxed={name: np.minimum(rate, most) for name, rate in ways.relaxed.items()},
    )


def _aggregated(
    asked: ServingWanted, cluster: Cluster, engine: Engine, form: Format, most: int, coefficients: ServingCoefficients
) -> tuple[Block | None, Counts]:
    """Instances that compute prompts and decode: the least that carry the load, and some more of them."""
    ways, counts = _ways(asked, cluster, engine, form, most, coefficients, load=asked.load, objectives=asked.objectives)
    if ways is None:
        return None, counts
    every, room = np.arange(ways.count), most // ways.devices
    floor = np.maximum(-(-asked.least // ways.devices), 1)
    least = replicas_of(ways, asked.rate)
    carried = (least > 0) & (np.maximum(least, floor) <= room)
    counts += Counts(too_slow=int(np.sum(~carried)), kept=int(np.sum(carried)))
    way, replicas = [], []
    # Of those that never keep the objectives, as many as would keep the others: they may come near.
    near = np.maximum(np.where(carried, least, _fewest_relaxed(asked, ways, room)), floor)
    # More than the busiest hour needs are never on, unless it is the slowest requests that need them.
    for times in MULTIPLES_OF_TAILS if asked.tail else MULTIPLES if asked.day is None else (1,):
        count = np.maximum(np.ceil(near * times).astype(np.int64), floor)
        more = (near > 0) & (count <= room) & ((times == 1) | (count > near))
        way.append(every[more])
        replicas.append(count[more])
    pool = Pool(ways=ways, way=np.concatenate(way), replicas=np.concatenate(replicas))
    latencies, device_watts, busy = _fared(asked, ways, pool.way, pool.replicas)
    # Instances that are too few for the load are asked as if they were just full: their queue has no end.
    endless = np.where(asked.rate / pool.replicas < ways.loops.sustained(pool.way), 0.0, np.inf)
    watts = drawn(cluster.accelerator, pool.devices, device_watts, busy)
    block = Block(
        chip=cluster.accelerator,
        engine=engine,
        form=form,
        decode=pool,
        prefill=None,
        ttft=latencies["ttft"] + endless,
        tpot=latencies["tpot"],
        e2e=latencies["e2e"] + endless,
        watts=watts * pool.devices,
        kept=carried[pool.way],
        relaxed={
            name: np.where(_least(asked, rate) > 0, np.maximum(_least(asked, rate), floor), 0)[pool.way] * pool.each
            for name, rate in ways.relaxed.items()
        },
    )
    return block, counts


def _disaggregated(
    asked: ServingWanted, cluster: Cluster, engine: Engine, form: Format, most: int, coefficients: ServingCoefficients
) -> tuple[Block | None, Counts]:
    """Instances that compute prompts, and others that decode; each pool is as large as it must be, or a little larger.

    What a request waits for its prompt, for its cache to be sent and for a place to decode must be within one objective, so
    of each way to compute prompts a few counts are joined with each way to decode.
    """
    objectives, counts, pools = asked.objectives, Counts(), list[tuple[Pool, dict[str, Floats]]]()
    for make, part in ((prefill_loops, objectives.without("tpot")), (decode_loops, objectives)):
        ways, seen = _ways(
            asked, cluster, engine, form, most, coefficients, load=asked.load, objectives=part, make=make
        )
        counts += seen
        if ways is None:
            continue
        least = replicas_of(ways, asked.rate)
        carried = (least > 0) & (least * ways.devices < most)
        counts += Counts(too_slow=int(np.sum(~carried)), kept=int(np.sum(carried)))
        if carried.any():
            pools.append(_best_of_pool(asked, ways, np.flatnonzero(carried), least, first=make is prefill_loops))
    if len(pools) < 2:
        return None, counts
    (one, waits), (two, answers) = pools
    i, j = (part.ravel() for part in np.meshgrid(np.arange(one.way.size), np.arange(two.way.size), indexing="ij"))
    one, two = one.at(i), two.at(j)
    sending = _sending(cluster, np.maximum(_cache_bytes(one, asked), _cache_bytes(two, asked)))
    share = asked.rate * sending / one.replicas
    behind = np.where(share < 1, np.minimum(share, 0.999) / (2.0 * (1.0 - np.minimum(share, 0.999))) * sending, np.inf)
    besides = float(cluster.network_latency) + coefficients.step.front_of_pools(engine, engine, asked.load.input)
    ttft = waits["ttft"][i] + behind + sending + besides + answers["ttft"][j]
    devices = one.devices + two.devices
    inside = np.flatnonzero((devices >= asked.least) & (devices <= most) & (ttft <= objectives.ttft))
    if not inside.size:
        return None, counts
    i, j, one, two, ttft = i[inside], j[inside], one.at(inside), two.at(inside), ttft[inside]
    tpot = answers["tpot"][j]
    power = [
        drawn(cluster.accelerator, pool.devices, found["watts"][place], 1.0) * pool.devices
        for pool, found, place in ((one, waits, i), (two, answers, j))
    ]
    block = Block(
        chip=cluster.accelerator,
        engine=engine,
        form=form,
        decode=two,
        prefill=one,
        ttft=ttft,
        tpot=tpot,
        e2e=ttft + (float(asked.load.output) - 1.0) * tpot,
        watts=power[0] + power[1],
        kept=np.ones(inside.size, dtype=bool),
        relaxed=_relaxed_pools(asked, one, two),
    )
    return block, counts


def _best_of_pool(
    asked: ServingWanted, ways: Ways, places: Ints, least: Ints, *, first: bool
) -> tuple[Pool, dict[str, Floats]]:
    """The ways and counts of a pool that none beats in devices, latency and waiting; and of each the latencies, and watts of
    a device."""
    more = MORE if first else (0,)
    way = np.concatenate([places for _ in more])
    replicas = np.concatenate([least[places] + extra for extra in more])
    found, device_watts, _ = _fared(asked, ways, way, replicas)
    if first:
        assert isinstance(ways.loops, PrefillLoops)
        found["ttft"] = ways.loops.among(way, asked.rate / replicas, replicas)
    columns = (replicas * ways.devices[way], found["tpot"], found["ttft"])
    best = front(*columns)
    return (
        Pool(ways=ways, way=way[best], replicas=replicas[best]),
        {"ttft": found["ttft"][best], "tpot": found["tpot"][best], "watts": device_watts[best]},
    )


def _fared(asked: ServingWanted, ways: Ways, way: Ints, replicas: Ints) -> tuple[dict[str, Floats], Floats, Floats]:
    """The latencies of so many `replicas` of each `way` in the busiest hour; watts of a device, and the share of time in
    which it works, in a usual one.

    Both hours are asked for at once: it takes hardly longer than one.
    """
    hours = (asked.rate,) if asked.usual_rate == asked.rate else (asked.rate, asked.usual_rate)
    if isinstance(ways.loops, DecodeLoops):
        together = dataclasses.replace(ways.loops, instances=np.tile(replicas, len(hours)))
        ways = dataclasses.replace(ways, loops=together)
    found = fared(ways, np.tile(way, len(hours)), np.concatenate([rate / replicas for rate in hours]))
    whole, busiest, usual = way.size * len(hours), slice(0, way.size), slice(-way.size, None)
    latencies = {name: wide(getattr(found, name), whole)[busiest] for name in LATENCIES}
    return latencies, wide(found.device_watts, whole)[usual], wide(found.busy, whole)[usual]


def _cache_bytes(pool: Pool, asked: ServingWanted) -> Floats:
    """Of a prompt on one device of an instance, by plan."""
    loops = pool.ways.loops
    return np.broadcast_to(sequence_bytes(loops.deployment, asked.load.input), loops.first.shape)[pool.way]


def _sending(cluster: Cluster, size: Any) -> Any:
    """Seconds in which a device sends so many bytes over its network card."""
    return size / (float(np.max(cluster.network_bandwidth)) * float(np.max(cluster.network_efficiency)))


def _fewest_relaxed(asked: ServingWanted, ways: Ways, room: Ints) -> Ints:
    """The fewest instances that keep all objectives but one, or as many as may be where even that is too much."""
    fewest = room
    for rate in ways.relaxed.values():
        count = _least(asked, rate)
        fewest = np.where((count > 0) & (count < fewest), count, fewest)
    return fewest


def _relaxed_pools(asked: ServingWanted, one: Pool, two: Pool) -> dict[str, Ints]:
    """Devices with one objective given up: one pool needs fewer."""
    found = {}
    for name, pool, other in (("ttft", one, two), ("tpot", two, one)):
        if name in asked.objectives.stated and name in pool.ways.relaxed:
            count = _least(asked, pool.ways.relaxed[name][pool.way])
            found[name] = np.where(count > 0, count * pool.each + other.devices, 0)
    return found


def _least(asked: ServingWanted, rate: Floats) -> Ints:
    """Instances that carry the load if each carries `rate`; 0 where none does."""
    with np.errstate(divide="ignore"):
        found = np.where(rate > 0, np.ceil(asked.rate / rate * (1.0 - 1e-12)), 0.0)
    return found.astype(np.int64)
