"""What every layout of one accelerator in one format can carry within latency objectives, and how many of it a load takes.

Whether an instance keeps its objectives depends on the requests a second that reach it, and on nothing else of the load's
size. So the most that it carries is looked for once, by layout and batch limit (:func:`ways_of`), and every count of
replicas follows: of a load, of each hour of a day.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from outlay.layout import Layout
from outlay.search.bracket import largest
from outlay.serving.batching import maximum, perform
from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment
from outlay.serving.load import Load, Performance
from outlay.serving.memory import memory, most_sequences
from outlay.serving.objectives import Objectives

Floats = NDArray[np.float64]

CHUNKS = (512, 2048, 8192)
"""Most tokens of a step that are tried, beside the engine's own: short steps keep decoding quick, long ones prompts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Ways to run one instance, as arrays of one length: the deployment's layout and chunk, and what each carries."""

    deployment: Deployment
    """Its layout's degrees and its engine's `chunk_tokens` are arrays."""
    load: Load
    """Tokens of a request; neither rate nor concurrency."""
    objectives: Objectives
    rate: Floats
    """The most requests a second of one instance within the objectives; 0 where not even the least load is."""
    relaxed: Mapping[str, Floats] = field(default_factory=dict)
    """The same with one objective given up, by its name."""
    looked_at: int = 0
    legal: int = 0

    @property
    def count(self) -> int:
        """Ways that fit in memory."""
        return int(self.rate.size)

    @property
    def devices(self) -> NDArray[np.int64]:
        """Devices of one instance."""
        return np.broadcast_to(np.asarray(self.deployment.devices, dtype=np.int64), self.rate.shape)

    def at(self, places: Any) -> Deployment:
        """The deployments of some of them."""
        return _at(self.deployment, places)

    def perform(self, places: Any, rate: Any, coefficients: ServingCoefficients) -> Performance:
        """How instances at `places` fare when `rate` requests a second reach each."""
        return perform(self.at(places), dataclasses.replace(self.load, rate=rate), coefficients)


def ways_of(
    deployment: Deployment,
    load: Load,
    objectives: Objectives,
    coefficients: ServingCoefficients,
    *,
    least: float,
    looked_at: int = 0,
) -> Ways | None:
    """What each layout of `deployment` carries within the objectives, down to `least` requests a second; None if none fits.

    The layout's degrees are arrays of one length. Chunks of :data:`CHUNKS` are tried where the engine mixes prompts and
    decoding in one step, as far as it takes them.
    """
    layouts = int(np.size(deployment.layout.tensor))
    own = deployment.engine.chunk_tokens
    chunks = sorted({own, *(chunk for chunk in CHUNKS if chunk < own)}) if deployment.engine.mixed else [own]
    every = np.repeat(np.arange(layouts), len(chunks))
    spread = dataclasses.replace(
        deployment,
        layout=deployment.layout.at(every),
        engine=_chunked(deployment, np.tile(np.asarray(chunks), layouts)),
    )
    room = most_sequences(spread, memory(spread, coefficients), load.input + load.output)
    fits = np.flatnonzero(np.broadcast_to(np.greater_equal(room, 1.0), every.shape))
    looked_at = (looked_at or layouts) * len(chunks)
    if not fits.size:
        return None
    fitting = _at(spread, fits)
    kinds = {"": objectives} | {name: objectives.without(name) for name in objectives.stated}
    if len(objectives.stated) < 2 and objectives.stated:  # without its only objective a load has none: its own limit
        kinds = {"": objectives, objectives.stated[0]: objectives.without(objectives.stated[0])}
    found = _most(fitting, load, tuple(kinds.values()), coefficients, least)
    return Ways(
        deployment=fitting,
        load=load,
        objectives=objectives,
        rate=found[0],
        relaxed={name: rate for name, rate in zip(kinds, found, strict=True) if name},
        looked_at=looked_at,
        legal=layouts * len(chunks),
    )


def replicas_of(ways: Ways, rate: float, coefficients: ServingCoefficients) -> tuple[NDArray[np.int64], Performance]:
    """The least instances of each way that carry `rate` requests a second, 0 where none do, and how one then fares.

    The most that an instance carries is known to a small factor from below, so one instance less is asked too. Where no
    count carries the load, the performance is that of the least load that was looked at: the best there is.
    """
    carried = np.maximum(ways.rate, 1e-300)
    count = np.where(ways.rate > 0, np.ceil(rate / carried * (1.0 - 1e-12)), 0.0)
    places = np.arange(ways.count)
    while True:
        fewer = np.flatnonzero(count > 1)
        if not fewer.size:
            break
        less = ways.objectives.kept(ways.perform(fewer, rate / (count[fewer] - 1), coefficients))
        if not less.any():
            break
        count[fewer[less]] -= 1
    performance = ways.perform(places, rate / np.maximum(count, 1.0), coefficients)
    return count.astype(np.int64), performance


def _most(
    deployment: Deployment, load: Load, kinds: tuple[Objectives, ...], coefficients: ServingCoefficients, least: float
) -> list[Floats]:
    """The most requests a second of an instance within each of several objectives, all looked for together."""
    count = int(np.size(deployment.layout.tensor))
    full = maximum(deployment, input=load.input, output=load.output, coefficients=coefficients, cached=load.cached)
    most = np.broadcast_to(np.asarray(full.requests_per_second, dtype=float), (count,))
    limits = {name: np.array([getattr(kind, name) for kind in kinds], dtype=float) for name in ("ttft", "tpot")}

    def holds(places: NDArray[np.intp], rates: Floats) -> NDArray[np.bool_]:
        which, place = places // count, places % count
        wanted = Objectives(ttft=limits["ttft"][which], tpot=limits["tpot"][which], tail=kinds[0].tail)
        found = perform(_at(deployment, place), dataclasses.replace(load, rate=rates), coefficients)
        return np.broadcast_to(wanted.kept(found), rates.shape)

    high = np.maximum(np.tile(most, len(kinds)), least)
    found = largest(holds, np.full(count * len(kinds), least), high)
    return [found[number * count : (number + 1) * count] for number in range(len(kinds))]


def _chunked(deployment: Deployment, chunks: NDArray[Any]) -> Any:
    return dataclasses.replace(deployment.engine, chunk_tokens=cast("Any", chunks))


def _at(deployment: Deployment, places: Any) -> Deployment:
    """Some of the deployments that the arrays of one spell out."""
    layout: Layout = deployment.layout.at(places)
    chunks = np.asarray(deployment.engine.chunk_tokens)
    engine = _chunked(deployment, chunks[places]) if chunks.ndim else deployment.engine
    return dataclasses.replace(deployment, layout=layout, engine=engine)
