"""What every layout of one accelerator in one format can carry within latency objectives, and how many of it a load takes.

Whether an instance keeps its objectives depends on the requests a second that reach it, and on nothing else of the load's
size. So the most that it carries is looked for once, by layout and batch limit (:func:`ways_of`), and every count of
replicas follows: of a load, of each hour of a day.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.search.bracket import ROUNDS, Bracket, largest
from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment
from outlay.serving.load import Load, Performance
from outlay.serving.loops import Floats, Loops, Make, loops_of, some_of, with_chunks
from outlay.serving.objectives import FULL, Objectives
from outlay.serving.room import room
from outlay.serving.spelling import spelled
from outlay.workload import Number

CHUNKS = (512, 2048, 8192)
"""Most tokens of a step that are tried, beside the engine's own: short steps keep decoding quick, long ones prompts."""

EXACT = 5
"""Rounds after which a rate is known to a ten-thousandth, from one request in eleven days up."""

BEYOND = 0.1
"""Share by which more requests inside may carry less: a step takes longer where one more tile begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Ways to run one instance, as arrays of one length: layout and chunk, and what each carries."""

    loops: Loops
    objectives: Objectives
    rate: Floats
    """The most requests a second of one instance within the objectives; 0 where a request that is alone is not."""
    inside: Floats
    """Requests inside then."""
    beyond: Floats
    """A rate beyond, at which the objectives are not kept."""
    relaxed: Mapping[str, Floats] = field(default_factory=dict)
    """The most with one objective given up, by its name; as near as the instances for a known load hang on it."""

    @property
    def count(self) -> int:
        """Ways that fit in memory."""
        return int(self.rate.size)

    @property
    def devices(self) -> NDArray[np.int64]:
        """Devices of one instance."""
        whole = np.asarray(self.loops.deployment.devices, dtype=np.int64)
        return np.broadcast_to(whole, self.rate.shape)

    def at(self, place: int) -> Deployment:
        """The deployment of one of them, in numbers."""
        found = some_of(self.loops.deployment, place)
        chunk: Any = int(found.engine.chunk_tokens)
        return dataclasses.replace(found, engine=dataclasses.replace(found.engine, chunk_tokens=chunk))


def ways_of(
    deployment: Deployment,
    load: Load,
    objectives: Objectives,
    coefficients: ServingCoefficients,
    *,
    rate: float | None = None,
    looked_at: int = 0,
    prompts: bool = True,
    make: Make = loops_of,
) -> tuple[Ways | None, int, int]:
    """What each layout of `deployment` carries within the objectives; None if none fits.

    And how many were looked at, and how many of those are legal. The layout's degrees are arrays of one length, and so may
    objectives be. Chunks of
    :data:`CHUNKS` are tried where the engine mixes prompts and decoding in one step, as far as it takes them; where no
    `prompts` are computed the shortest alone, which leaves most room for caches and lengthens nothing. What would be
    carried with an objective given up is found as exactly as the instances for `rate` requests a second hang on it.
    """
    layouts = int(np.size(deployment.layout.tensor))
    chunks = _chunks(deployment)
    if not prompts:
        chunks = chunks[:1]
    every, spread = _spread(deployment, chunks)
    limits = room(spread, load, coefficients, together=deployment.engine.batching == "static")
    fits = np.flatnonzero(np.broadcast_to(np.greater_equal(limits.sequences, 1.0), every.shape))
    seen, legal = (looked_at or layouts) * len(chunks), layouts * len(chunks)
    if not fits.size:
        return None, seen, legal
    loops = make(some_of(spread, fits), load, coefficients, spelled(limits, every.shape).at(fits))
    objectives = objectives.at(every[fits])
    kinds = {"": objectives} | {name: objectives.without(name) for name in objectives.stated}
    found = _most(loops, tuple(kinds.values()), load_rate=rate)
    carried = found.at_good
    ways = Ways(
        loops=loops,
        objectives=objectives,
        rate=carried[0],
        inside=found.good[0],
        beyond=found.at_bad[0],
        # What carries a rate within all objectives carries it within fewer, wherever the search for fewer stopped.
        relaxed={name: np.maximum(row, carried[0]) for name, row in zip(kinds, carried, strict=True) if name},
    )
    return ways, seen, legal


def _chunks(deployment: Deployment) -> list[int]:
    """Most tokens of a step that are tried, ascending: the engine's own is the last."""
    own = int(deployment.engine.chunk_tokens)
    return sorted({own, *(chunk for chunk in CHUNKS if chunk < own)}) if deployment.engine.mixed else [own]


def _spread(deployment: Deployment, chunks: list[int]) -> tuple[NDArray[np.int64], Deployment]:
    """Each layout with each of the steps, and of which layout it is."""
    layouts = int(np.size(deployment.layout.tensor))
    every = np.repeat(np.arange(layouts), len(chunks))
    told: Any = np.tile(np.asarray(chunks), layouts) if len(chunks) > 1 else chunks[0]
    return every, dataclasses.replace(
        deployment, layout=deployment.layout.at(every), engine=with_chunks(deployment, told)
    )


def carried(
    deployment: Deployment, load: Load, objectives: Objectives, coefficients: ServingCoefficients
) -> tuple[Floats, NDArray[np.int64]]:
    """The most requests a second of an instance in each layout of `deployment`, and the most tokens of a step with which it
    carries them: within the objectives, and no fuller than anybody should plan (:data:`~outlay.serving.objectives.FULL`). 0
    where the model does not fit, or where a request that is alone does not keep them."""
    chunks = _chunks(deployment)
    every, spread = _spread(deployment, chunks)
    limits = room(spread, load, coefficients, together=deployment.engine.batching == "static")
    found = np.zeros(every.shape)
    fits = np.flatnonzero(np.broadcast_to(np.greater_equal(limits.sequences, 1.0), every.shape))
    if fits.size:
        loops = loops_of(some_of(spread, fits), load, coefficients, spelled(limits, every.shape).at(fits))
        most = FULL * loops.sustained(slice(None))
        if objectives.stated:
            most = np.minimum(most, _most(loops, (objectives.at(every[fits]),), rounds=EXACT).at_good[0])
        found[fits] = most
    # Of steps that carry as much, the engine's own.
    table = found.reshape(-1, len(chunks))[:, ::-1]
    best = np.argmax(table, axis=1)
    return table[np.arange(best.size), best], np.asarray(chunks[::-1], dtype=np.int64)[best]


def replicas_of(ways: Ways, rate: float) -> NDArray[np.int64]:
    """The least instances of each way that carry `rate` requests a second; 0 where no count does.

    The most that an instance carries is known between two figures, and so is the count; between, it is halved.
    """
    with np.errstate(divide="ignore"):
        high = np.where(ways.rate > 0, np.ceil(rate / ways.rate * (1.0 - 1e-12)), 0.0)
        below = np.minimum(ways.beyond, ways.loops.sustained(np.arange(ways.count)))
        low = np.where(ways.rate > 0, np.floor(rate / below) + 1.0, 0.0)
    while True:
        left = np.flatnonzero(low < high)
        if not left.size:
            return high.astype(np.int64)
        middle = np.floor((low[left] + high[left]) / 2.0)
        found = ways.loops.at_rate(left, rate / middle, watts=False)
        enough = ways.objectives.at(left).kept(found)
        high[left] = np.where(enough, middle, high[left])
        low[left] = np.where(enough, low[left], middle + 1.0)


def fared(ways: Ways, places: NDArray[np.intp], rate: Any) -> Performance:
    """How an instance of each of the ways at `places` fares when `rate` requests a second reach it."""
    return ways.loops.at_rate(places, rate)


def _most(
    loops: Loops,
    kinds: tuple[Objectives, ...],
    *,
    rounds: int = ROUNDS,
    load_rate: float | None = None,
) -> Bracket:
    """By objectives and place: the most requests inside, with the requests a second that they keep up, and what is too much."""
    count = int(loops.first.size)

    def spelled(limit: Number) -> Floats:
        return np.broadcast_to(np.asarray(limit, dtype=float), (count,))

    wide = [Objectives(ttft=spelled(kind.ttft), tpot=spelled(kind.tpot)) for kind in kinds]

    asks = any(kind.stated for kind in kinds)

    def look(places: NDArray[np.intp], inside: Floats) -> tuple[NDArray[np.bool_], Floats]:
        if not asks:
            rate = loops.looked()[0] if inside is loops.numbers else loops.kept_up(places, inside)
            return np.less(loops.utilisation(places, rate), 1.0)[None].repeat(len(kinds), axis=0), rate
        rate, found = loops.looked() if inside is loops.numbers else loops.at(places, inside)
        return np.stack([np.broadcast_to(kind.at(places).kept(found), inside.shape) for kind in wide]), rate

    def settled(at_good: Floats, at_bad: Floats) -> NDArray[np.bool_]:
        """Whether both ends, and what is a little beyond them, take as many instances for the load; the first kind is wanted
        exactly."""
        assert load_rate is not None
        with np.errstate(divide="ignore"):
            most, least = (np.ceil(load_rate / end) for end in (at_good * (1.0 - BEYOND), at_bad * (1.0 + BEYOND)))
        same: NDArray[np.bool_] = np.equal(most, least)
        same[0] = False
        return same

    return largest(
        look,
        loops.numbers,
        kinds=len(kinds),
        rounds=rounds,
        enough=None if load_rate is None else settled,
    )
