"""Plans as arrays, by block and offer, and one of them in numbers; which are within the limits, and which is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.scenarios.serving_plan.block import Block
from outlay.scenarios.serving_plan.offers import Offer
from outlay.scenarios.serving_plan.question import ServingWanted
from outlay.search.limits import Judged, judge
from outlay.serving import Deployment
from outlay.serving.loops import Floats

GOALS = {"cheapest": "dollars", "fastest": "e2e", "greenest": "kg_co2e"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One way to serve the load, in numbers. Dollars and kg CO2e of a month, seconds, watts of all devices."""

    block: Block
    offer: Offer
    place: int
    """Of the plan in its block."""
    dollars: float
    """Infinite where nobody says what the accelerators cost."""
    kg_co2e: float
    kilowatt_hours: float
    ttft: float
    tpot: float
    e2e: float
    capacity: float
    devices: int
    day: float
    """Device-hours of a day over those of all devices all day."""
    tails: tuple[float, float] | None = None
    """Seconds to the first token, and between further ones, that 99 of 100 requests keep; None where nobody asked."""

    @property
    def chip(self) -> str:
        return self.block.chip.name

    @property
    def decode(self) -> Deployment:
        """One instance that decodes."""
        return self.block.decode.ways.at(int(self.block.decode.way[self.place]))

    @property
    def prefill(self) -> Deployment | None:
        """One instance that computes prompts alone."""
        pool = self.block.prefill
        return None if pool is None else pool.ways.at(int(pool.way[self.place]))

    @property
    def replicas(self) -> int:
        return int(self.block.decode.replicas[self.place])

    @property
    def prefill_replicas(self) -> int:
        return 0 if self.block.prefill is None else int(self.block.prefill.replicas[self.place])


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """All plans of all sellers, as arrays of one length."""

    blocks: tuple[Block, ...]
    offers: tuple[Offer, ...]
    block: NDArray[np.int64]
    place: NDArray[np.int64]
    offer: NDArray[np.int64]
    figures: Mapping[str, Floats]
    """dollars, kg_co2e, kilowatt_hours, ttft, tpot, e2e, capacity, devices, day, and `kept`."""

    def __len__(self) -> int:
        return int(self.block.size)

    def plan(self, index: int) -> Plan:
        """One of them in numbers."""
        figures = {name: float(values[index]) for name, values in self.figures.items()}
        return Plan(
            block=self.blocks[int(self.block[index])],
            offer=self.offers[int(self.offer[index])],
            place=int(self.place[index]),
            devices=int(figures["devices"]),
            dollars=figures["dollars"],
            kg_co2e=figures["kg_co2e"],
            kilowatt_hours=figures["kilowatt_hours"],
            ttft=figures["ttft"],
            tpot=figures["tpot"],
            e2e=figures["e2e"],
            capacity=figures["capacity"],
            day=figures["day"],
        )


def limits_of(wanted: ServingWanted) -> dict[str, float]:
    """The most of each figure: latencies, dollars and kg of a month."""
    stated = {name: float(getattr(wanted.objectives, name)) for name in wanted.objectives.stated}
    return stated | {name: most for name, most in wanted.wanted.limits.items() if name != "seconds"}


def judged_of(offered: Offered, wanted: ServingWanted) -> Judged:
    """How far each plan is over each limit; endlessly where it does not carry the load."""
    limits, carries = limits_of(wanted), np.isfinite(offered.figures["e2e"])
    figures = {name: np.where(carries, offered.figures[name], np.inf) for name in limits}
    return judge(figures or {"e2e": offered.figures["e2e"]}, limits)


def ranked(offered: Offered, wanted: ServingWanted, judged: Judged) -> NDArray[np.intp]:
    """Plans within all limits that have a figure for the goal, the best first; of equal ones the one with room to spare.

    Of machines that cost nothing the fewest are taken: more would be better in everything.
    """
    figures = offered.figures
    goal = figures[GOALS[wanted.wanted.goal]]
    return in_order(offered, wanted, np.flatnonzero(judged.within & (figures["kept"] > 0) & np.isfinite(goal)))


def in_order(offered: Offered, wanted: ServingWanted, places: NDArray[np.intp]) -> NDArray[np.intp]:
    """Some of the plans, the best first: by the goal, then dollars, then how soon they answer."""
    figures = {name: values[places] for name, values in offered.figures.items()}
    dollars, goal = figures["dollars"], figures[GOALS[wanted.wanted.goal]]
    free = np.where(dollars > 0, 0.0, figures["devices"])
    return places[np.lexsort((-figures["capacity"], figures["e2e"], free, dollars, goal))]
