"""What one accelerator can do with one engine in one format and mode: arrays, an entry for each layout and replicas."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay import catalog
from outlay.catalog import Accelerator
from outlay.machine import wall_watts
from outlay.scenarios.serving_plan.day import Day, held
from outlay.serving import Engine, Format
from outlay.serving.choose import Ways
from outlay.serving.loops import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """Equal instances: which way each plan runs them, and how many."""

    ways: Ways
    way: Ints
    replicas: Ints

    @property
    def each(self) -> Ints:
        """Devices of one instance."""
        return self.ways.devices[self.way]

    @property
    def devices(self) -> Ints:
        return self.replicas * self.each

    @property
    def carried(self) -> Floats:
        """The most requests a second of one instance."""
        return self.ways.rate[self.way]

    def at(self, places: Any) -> Pool:
        """The same of some of the plans."""
        return dataclasses.replace(self, way=self.way[places], replicas=self.replicas[places])


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Plans of one accelerator, engine, format and mode. Seconds, watts of all devices and their share of the servers."""

    chip: Accelerator
    engine: Engine
    form: Format
    decode: Pool
    """Instances that decode, and compute prompts too where there is no `prefill`."""
    prefill: Pool | None
    ttft: Floats
    tpot: Floats
    e2e: Floats
    watts: Floats
    kept: NDArray[np.bool_]
    """Whether the objectives are kept; where not, replicas are the most that may be."""
    relaxed: dict[str, Ints]
    """Devices with one objective given up; 0 where still no count will do."""

    @property
    def mode(self) -> str:
        return "aggregated" if self.prefill is None else "disaggregated"

    @property
    def pools(self) -> tuple[Pool, ...]:
        return (self.decode,) if self.prefill is None else (self.prefill, self.decode)

    @property
    def devices(self) -> Ints:
        """Of all instances together."""
        total: Ints = np.sum([pool.devices for pool in self.pools], axis=0)
        return total

    @property
    def largest(self) -> Ints:
        """Devices of the largest instance, which must be linked."""
        widest: Ints = np.max([pool.each for pool in self.pools], axis=0)
        return widest

    @property
    def capacity(self) -> Floats:
        """Requests a second that a plan carries within the objectives."""
        least: Floats = np.min([pool.replicas * pool.carried for pool in self.pools], axis=0)
        return least

    @property
    def sustained(self) -> Floats:
        """The same, however long they wait."""
        most: Floats = np.min([pool.replicas * pool.ways.loops.sustained(pool.way) for pool in self.pools], axis=0)
        return most

    def over_the_day(self, rate: float, day: Day | None) -> Floats:
        """Device-hours of a day with as many instances as each hour needs, over those of all of them all day.

        `rate` is that of the busiest hour. Instances of plans that keep nothing are counted all day.
        """
        if day is None:
            return np.ones(self.ttft.size)
        hours = rate * np.asarray(day.share) / day.peak
        used = np.zeros(self.ttft.size)
        for pool in self.pools:
            needed = replicas_by_part(pool, hours)
            used += held(needed, day).mean(axis=-1) * pool.each
        return np.where(self.kept, used / self.devices, 1.0)


def replicas_by_part(pool: Pool, rates: Floats) -> Floats:
    """Instances (plans, parts of a day) that carry each rate: at least one, at most those of the busiest hour."""
    carried = np.maximum(pool.carried, 1e-300)[:, None]
    return np.clip(np.ceil(rates[None, :] / carried * (1.0 - 1e-12)), 1.0, pool.replicas[:, None])


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was looked at: layouts with their batch limits, each of which is in one of the others."""

    looked_at: int = 0
    illegal: int = 0
    too_big: int = 0
    too_slow: int = 0
    kept: int = 0
    formats: int = 0
    """Formats of an accelerator that were looked at, in some mode or none."""
    lacking: int = 0
    """Formats of an accelerator that it does not multiply in: their layouts were not looked at."""

    def __add__(self, other: Counts) -> Counts:
        names = [field.name for field in dataclasses.fields(self)]
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in names})


def wide(value: Any, size: int) -> Floats:
    """A figure spelled out for every plan."""
    return np.broadcast_to(np.asarray(value, dtype=float), (size,))


def drawn(chip: Accelerator, devices: Ints, device_watts: Any, busy: Any) -> Floats:
    """Watts of one device with its share of its server, where so many devices are had."""
    sizes, index = np.unique(np.minimum(np.asarray(devices), LARGEST_BOX), return_inverse=True)
    own, share = wide(device_watts, np.size(index)), wide(busy, np.size(index))
    watts = np.zeros(np.size(index))
    for place, size in enumerate(sizes):
        those = index == place
        watts[those] = wall_watts(chip, catalog.server_for(chip, int(size)), own[those], share[those])
    return watts


LARGEST_BOX = 8
"""Cards without a usual server of their own share one of as many as there are, up to this."""
