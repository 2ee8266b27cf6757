"""The search behind a serving plan: every block by every offer, those within the limits, and the best of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay import catalog, economics
from outlay.economics import HOURS_PER_MONTH
from outlay.scenarios.serving_plan.block import Block, Counts
from outlay.scenarios.serving_plan.candidates import blocks_of
from outlay.scenarios.serving_plan.formats import check_formats
from outlay.scenarios.serving_plan.no import none_within, nothing
from outlay.scenarios.serving_plan.offered import Offered, Plan, judged_of, ranked
from outlay.scenarios.serving_plan.offers import Offer, offers_of
from outlay.scenarios.serving_plan.question import ServingWanted, ask_serving_plan
from outlay.scenarios.serving_plan.tail import best_by_tail
from outlay.scenarios.serving_plan.workers import looked_at_by_all
from outlay.search.limits import Judged
from outlay.serving import ServingCoefficients, load_serving, perform
from outlay.serving.disaggregated import perform_disaggregated
from outlay.serving.loops import Floats
from outlay.workload import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingFound:
    """Everything that a plan was chosen from."""

    wanted: ServingWanted
    offered: Offered
    counts: Counts
    judged: Judged
    usable: NDArray[np.intp]
    """Within all limits, and with a figure for the goal; the best first."""
    best: Plan


def search_serving(
    model: str | Mapping[str, object] | Architecture,
    asked: Mapping[str, Any],
    *,
    progress: Callable[[int, int], None] | None = None,
    coefficients: ServingCoefficients | None = None,
) -> ServingFound:
    """The best plan, and all that were looked at.

    :raises InputError: for anything that cannot be read, or that contradicts itself.
    :raises DoesNotFit: if no plan carries the load within the limits, with the nearest that there is.
    """
    wanted = ask_serving_plan(model, asked)
    return search_wanted(wanted, coefficients or load_serving(), progress=progress)


def search_wanted(
    wanted: ServingWanted, coefficients: ServingCoefficients, *, progress: Callable[[int, int], None] | None = None
) -> ServingFound:
    """The same for a question that has been read."""
    offered, counts = offered_by_all(wanted, coefficients, progress=progress)
    if not len(offered):
        raise nothing(wanted, counts, lambda more: offered_by_all(more, coefficients)[0])
    judged = judged_of(offered, wanted)
    usable = ranked(offered, wanted, judged)
    if wanted.tail and usable.size:
        usable, quick = best_by_tail(offered, wanted, usable, coefficients, progress=progress)
        best: Plan | None = alone(quick, wanted, coefficients)
    else:
        usable, best = _verified(offered, wanted, usable, coefficients)
    if best is None:
        raise none_within(wanted, offered, judged, lambda more: offered_by_all(more, coefficients)[0])
    return ServingFound(wanted=wanted, offered=offered, counts=counts, judged=judged, usable=usable, best=best)


def offered_by_all(
    wanted: ServingWanted, coefficients: ServingCoefficients, *, progress: Callable[[int, int], None] | None = None
) -> tuple[Offered, Counts]:
    """Every plan of every accelerator at every seller."""
    parts: list[Offered] = []
    counts, names = Counts(), list(wanted.wanted.machines)
    looks = looked_at_by_all(lambda name: _offered_by(wanted, name, coefficients), names, size=wanted.size)
    if progress is not None:
        progress(0, len(names))
    for done, (part, seen) in enumerate(looks):
        counts += seen
        parts += [] if part is None else [part]
        if progress is not None:
            progress(done + 1, len(names))
    check_formats(
        wanted.formats,
        tuple(wanted.wanted.machines),
        kept=counts.formats,
        lacking=counts.lacking,
        engines=wanted.engines,
    )
    return _joined(parts), counts


def _offered_by(wanted: ServingWanted, name: str, coefficients: ServingCoefficients) -> tuple[Offered | None, Counts]:
    """Every plan of one accelerator; None where nobody offers it, or nobody links as many as an instance takes."""
    chip = catalog.accelerator(name)
    own = list(offers_of(wanted.wanted, chip, wanted.money))
    if not own:
        return None, Counts()
    found, seen = blocks_of(wanted, chip, max(wanted.wanted.machines[name]), coefficients)
    return priced_by(wanted, found, own), seen


def priced_by(wanted: ServingWanted, blocks: Sequence[Block], offers: Sequence[Offer]) -> Offered | None:
    """The plans of blocks at each offer; None where no offer links devices enough."""
    parts: list[tuple[int, int, NDArray[np.intp], dict[str, Floats]]] = []
    for number, block in enumerate(blocks):
        known, largest = _known(wanted, block), block.largest
        for which, offer in enumerate(offers):
            places = np.flatnonzero(largest <= offer.most)
            if places.size:
                figures = {name: values[places] for name, values in known.items()}
                parts.append((number, which, places, figures | _priced(wanted, block, offer, places, figures)))
    if not parts:
        return None
    sizes = [places.size for _, _, places, _ in parts]
    return Offered(
        blocks=tuple(blocks),
        offers=tuple(offers),
        block=np.repeat([number for number, _, _, _ in parts], sizes),
        offer=np.repeat([which for _, which, _, _ in parts], sizes),
        place=np.concatenate([places for _, _, places, _ in parts]),
        figures={name: np.concatenate([figures[name] for _, _, _, figures in parts]) for name in parts[0][3]},
    )


def _joined(parts: Sequence[Offered]) -> Offered:
    """The plans of several accelerators in one."""
    if not parts:
        none = np.zeros(0, dtype=np.int64)
        return Offered(blocks=(), offers=(), block=none, offer=none, place=none, figures={})
    blocks = np.cumsum([0, *(len(part.blocks) for part in parts)])
    offers = np.cumsum([0, *(len(part.offers) for part in parts)])
    return Offered(
        blocks=tuple(block for part in parts for block in part.blocks),
        offers=tuple(offer for part in parts for offer in part.offers),
        block=np.concatenate([part.block + start for part, start in zip(parts, blocks[:-1], strict=True)]),
        offer=np.concatenate([part.offer + start for part, start in zip(parts, offers[:-1], strict=True)]),
        place=np.concatenate([part.place for part in parts]),
        figures={name: np.concatenate([part.figures[name] for part in parts]) for name in parts[0].figures},
    )


def _known(wanted: ServingWanted, block: Block) -> dict[str, Floats]:
    """The figures of a block's plans that are the same at every seller."""
    devices = block.devices.astype(float)
    figures: dict[str, Floats] = {
        "ttft": block.ttft,
        "tpot": block.tpot,
        "e2e": block.e2e,
        # The most is known to a step of the search; that a plan carries the load was asked exactly.
        "capacity": np.where(block.kept, np.maximum(block.capacity, wanted.rate), block.capacity),
        "devices": devices,
        "day": block.over_the_day(wanted.rate, wanted.day),
        "kept": block.kept.astype(float),
    }
    for name in wanted.objectives.stated:
        count = block.relaxed.get(name, devices).astype(float)
        figures[f"without_{name}"] = np.where(count > 0, count / devices, np.inf)
    return figures


def _priced(
    wanted: ServingWanted, block: Block, offer: Offer, places: NDArray[np.intp], known: Mapping[str, Floats]
) -> dict[str, Floats]:
    """What an offer makes of the plans of a block of which the rest is known; a month has 730 hours."""
    pue = offer.pue if wanted.pue is None else wanted.pue
    hours = HOURS_PER_MONTH * known["day"]
    kilowatt_hours: Any = economics.energy(block.watts[places] * hours * 3600.0, pue)
    price = np.inf if offer.price is None else offer.price
    dollars = known["devices"] * hours * price + (kilowatt_hours * wanted.electricity if offer.owned else 0.0)
    return {
        "dollars": dollars,
        "kilowatt_hours": kilowatt_hours,
        "kg_co2e": kilowatt_hours * wanted.grid.intensity,
    }


def _verified(
    offered: Offered, wanted: ServingWanted, usable: NDArray[np.intp], coefficients: ServingCoefficients
) -> tuple[NDArray[np.intp], Plan | None]:
    """The same plans from the first that keeps the objectives when it is asked by itself, and that one with its figures.

    The most that an instance carries is found by steps, and the time of a step is not everywhere smooth.
    """
    for first, index in enumerate(usable):
        plan = alone(offered.plan(int(index)), wanted, coefficients)
        kept = all(getattr(plan, name) <= getattr(wanted.objectives, name) for name in wanted.objectives.stated)
        if kept and np.isfinite(plan.ttft) and np.isfinite(plan.tpot):
            return usable[first:], plan
    return usable[:0], None


def alone(plan: Plan, wanted: ServingWanted, coefficients: ServingCoefficients) -> Plan:
    """A plan with the latencies of :func:`~outlay.serving.batching.perform` for exactly its replicas."""
    ttft, tpot = latencies(plan, wanted, coefficients, wanted.rate)
    return dataclasses.replace(plan, ttft=ttft, tpot=tpot, e2e=ttft + (wanted.demand.output - 1.0) * tpot)


def latencies(plan: Plan, wanted: ServingWanted, coefficients: ServingCoefficients, rate: float) -> tuple[float, float]:
    """Seconds to the first token and between further ones when `rate` requests a second reach the plan."""
    load = dataclasses.replace(wanted.load, rate=rate)
    if plan.prefill is None:
        one = dataclasses.replace(load, rate=rate / plan.replicas)
        found = perform(plan.decode, one, coefficients)
    else:
        found = perform_disaggregated(
            plan.prefill,
            plan.decode,
            load,
            coefficients,
            prefill_instances=plan.prefill_replicas,
            decode_instances=plan.replicas,
        )
    return float(found.ttft), float(found.tpot)
