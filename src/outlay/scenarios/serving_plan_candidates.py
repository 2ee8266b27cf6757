"""All ways to serve a load on one accelerator: engines, formats, layouts, modes and replicas, with the latencies of each."""

from __future__ import annotations

import numpy as np

from outlay.catalog import Accelerator
from outlay.machine import cluster_for
from outlay.machine.cluster import Cluster
from outlay.scenarios.serving_plan_block import Block, Counts, Ints, Pool, host_watts, wide
from outlay.scenarios.serving_plan_formats import formats_on
from outlay.scenarios.serving_plan_question import ServingWanted
from outlay.search.front import front
from outlay.serving import Deployment, Engine, Format, Load, ServingCoefficients, sequence_bytes
from outlay.serving.choose import Ways, fared, replicas_of, ways_of
from outlay.serving.layouts import layouts_of
from outlay.serving.loops import Floats, some_of
from outlay.serving.objectives import Objectives

LARGEST = 64
"""Devices of one instance that are looked at."""
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
        forms, lacking = formats_on(asked.formats, asked.published, chip, engine)
        counts += Counts(lacking=lacking)
        for form in forms:
            for mode in asked.modes:
                if mode == "disaggregated" and (most < 2 or engine.batching == "static"):
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
    handed_over: bool = False,
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
    if load.output == 1:  # of the time to the first token, sending the cache is a part
        objectives = Objectives(ttft=objectives.ttft - transfer_seconds(deployment, float(load.input)))
    ways, seen, legal = ways_of(
        deployment,
        load,
        objectives,
        coefficients,
        least=asked.rate / most,
        looked_at=found.looked_at,
        handed_over=handed_over,
    )
    fitting = 0 if ways is None else ways.count
    return ways, Counts(looked_at=seen, illegal=seen - legal, too_big=legal - fitting)


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
    for times in MULTIPLES if asked.day is None else (1,):  # more than the busiest hour needs are never on
        count = np.maximum(near * times, floor)
        more = (near > 0) & (count <= room) & ((times == 1) | (count > near))
        way.append(every[more])
        replicas.append(count[more])
    pool = Pool(ways=ways, way=np.concatenate(way), replicas=np.concatenate(replicas))
    performance = fared(ways, pool.way, asked.rate / pool.replicas)
    size = pool.way.size
    usual = performance if asked.usual_rate == asked.rate else fared(ways, pool.way, asked.usual_rate / pool.replicas)
    watts = wide(usual.device_watts, size) + host_watts(cluster.accelerator, pool.devices)
    block = Block(
        chip=cluster.accelerator,
        engine=engine,
        form=form,
        decode=pool,
        prefill=None,
        ttft=wide(performance.ttft, size),
        tpot=wide(performance.tpot, size),
        e2e=wide(performance.e2e, size),
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
    """Instances that compute prompts, and others that decode; each pool is as large as it must be.

    Every request passes both pools, so neither depends on the other, and the best two together are the best. A decoding
    instance finds the prompt in the cache that was sent to it.
    """
    asks = (
        (
            Load(input=asked.load.input, output=1.0, cached=asked.load.cached, rate=1.0),
            asked.objectives.without("tpot"),
        ),
        (
            Load(input=asked.load.input, output=asked.load.output, cached=1.0, rate=1.0),
            asked.objectives.without("ttft"),
        ),
    )
    counts, pools = Counts(), []
    for load, objectives in asks:
        second = float(load.output) > 1
        ways, seen = _ways(
            asked, cluster, engine, form, most, coefficients, load=load, objectives=objectives, handed_over=second
        )
        counts += seen
        if ways is None:
            continue
        least = replicas_of(ways, asked.rate)
        carried = (least > 0) & (least * ways.devices < most)
        counts += Counts(too_slow=int(np.sum(~carried)), kept=int(np.sum(carried)))
        if carried.any():
            pools.append(_best_of_pool(ways, np.flatnonzero(carried), least, asked, first=not second))
    if len(pools) < 2:
        return None, counts
    (one, at_one), (two, at_two) = pools
    i, j = (part.ravel() for part in np.meshgrid(np.arange(one.way.size), np.arange(two.way.size), indexing="ij"))
    inside = one.devices[i] + two.devices[j] <= most
    i, j = i[inside], j[inside]
    if not i.size:
        return None, counts
    ttft, tpot = at_one[0][i], at_two[0][j]
    one, two = one.at(i), two.at(j)
    watts = at_one[1][i] * one.devices + at_two[1][j] * two.devices
    block = Block(
        chip=cluster.accelerator,
        engine=engine,
        form=form,
        decode=two,
        prefill=one,
        ttft=ttft,
        tpot=tpot,
        e2e=ttft + (float(asked.load.output) - 1.0) * tpot,
        watts=watts,
        kept=np.ones(i.size, dtype=bool),
        relaxed=_relaxed_pools(asked, one, two),
    )
    return block, counts


def _best_of_pool(
    ways: Ways, places: Ints, least: Ints, asked: ServingWanted, *, first: bool
) -> tuple[Pool, tuple[Floats, Floats]]:
    """The ways of a pool that none beats in devices and latency; with that latency, and watts of a device."""
    found = fared(ways, places, asked.rate / least[places])
    if first:
        sent = transfer_seconds(some_of(ways.loops.deployment, places), float(asked.load.input))
        wait = wide(found.ttft, places.size) + sent
    else:
        wait = wide(found.tpot, places.size)
    best = front(least[places] * ways.devices[places], wait)
    chip = ways.loops.deployment.cluster.accelerator
    usual = found if asked.usual_rate == asked.rate else fared(ways, places, asked.usual_rate / least[places])
    watts = wide(usual.device_watts, places.size) + host_watts(chip, least[places] * ways.devices[places])
    return Pool(ways=ways, way=places[best], replicas=least[places][best]), (wait[best], watts[best])


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


def transfer_seconds(deployment: Deployment, tokens: float) -> Floats:
    """Seconds that the cache of a prompt takes to the instance that decodes: each device sends its part over its network card.

    >>> from outlay.catalog import accelerator
    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True)
    >>> h100 = Deployment(architecture=llama, cluster=cluster_for(accelerator("h100-sxm"), 8))
    >>> round(1e3 * float(transfer_seconds(h100, 1000)), 2)  # 126 MiB at 50 GB/s, of which nine tenths are reached
    2.94
    """
    cluster = deployment.cluster
    rate = float(np.max(cluster.network_bandwidth)) * float(np.max(cluster.network_efficiency))
    return np.asarray(sequence_bytes(deployment, tokens) / rate, dtype=float)
