"""The lines and figures of a serving plan: instances by the hour, their power, and what users wait."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from outlay.accuracy.metrics import Kind
from outlay.economics import HOURS_PER_MONTH
from outlay.scenarios.serving.ranged import ranges_for, reasons_to_doubt
from outlay.scenarios.serving_plan.block import Pool, replicas_by_part
from outlay.scenarios.serving_plan.day import held
from outlay.scenarios.serving_plan.offered import Plan
from outlay.scenarios.serving_plan.question import ServingWanted
from outlay.scenarios.serving_plan.words import degrees
from outlay.scenarios.terms import Terms, hour_unit
from outlay.statement import Figure, Interval, Line, Receipt


@dataclass(frozen=True, kw_only=True)
class Priced:
    """A plan, the terms on which it is had, and where its times come from."""

    plan: Plan
    wanted: ServingWanted
    terms: Terms
    fitted_on: tuple[Receipt, ...]
    level: float | None
    """Share of deployments that ranges hold; None where nobody knows how far off the coefficients are."""

    @cached_property
    def doubts(self) -> tuple[str, ...]:
        """Why a range is wide."""
        block, wanted = self.plan.block, self.wanted
        return reasons_to_doubt(wanted.architecture, block.engine, [block.chip], assumed=wanted.assumed, loaded=True)

    def ranged(self, kind: Kind, likely: float) -> Interval:
        """A time or an energy with its range."""
        if self.level is None:
            return Interval.of(likely)
        return ranges_for(self.doubts, self.level)[kind] * likely

    @cached_property
    def kilowatt_hours(self) -> Interval:
        """Of a month, at the meter of the building; the range of the building is added to that of the devices."""
        pue, energy = self.terms.pue, self.ranged("energy", self.plan.kilowatt_hours)
        if pue.low is None or pue.high is None:
            return energy
        return energy * Interval.between(pue.low / pue.likely, 1.0, pue.high / pue.likely)

    @property
    def pools(self) -> tuple[tuple[str, str, Pool], ...]:
        """Key, name and pool of equal instances."""
        block = self.plan.block
        if block.prefill is None:
            return (("instances", "Instances", block.decode),)
        return (
            ("prefill", "Instances that compute prompts", block.prefill),
            ("decode", "Instances that decode", block.decode),
        )

    def hours(self, pool: Pool) -> float:
        """Device-hours of a month."""
        place = self.plan.place
        count = float(pool.replicas[place])
        if self.wanted.day is not None:
            count = float(self.by_part(pool)[1].mean())
        return count * float(pool.each[place]) * HOURS_PER_MONTH

    def by_part(self, pool: Pool) -> tuple[np.ndarray, np.ndarray]:
        """Instances that each part of the day needs, and those that are paid."""
        day = self.wanted.day
        assert day is not None
        rates = self.wanted.rate * np.asarray(day.share) / day.peak
        needed = replicas_by_part(pool.at(np.array([self.plan.place])), rates)[0]
        return needed, held(needed, day)


def lines_of(priced: Priced) -> tuple[Line, ...]:
    """Accelerators by pool, and power where it is the owner's; people and data as somebody says them."""
    return (_accelerators(priced), *_power(priced), *_beside(priced))


def _accelerators(priced: Priced) -> Line:
    terms, plan = priced.terms, priced.plan
    day = "" if priced.wanted.day is None else ", as many as each hour needs"
    children = []
    for key, name, pool in priced.pools:
        layout = pool.ways.at(int(pool.way[plan.place])).layout
        count, each = int(pool.replicas[plan.place]), int(pool.each[plan.place])
        children.append(
            Line(
                name,
                key=f"accelerators.{key}",
                quantity=Interval.exact(priced.hours(pool)),
                unit=hour_unit(plan.block.chip),
                unit_price=terms.price,
                basis=terms.price_basis,
                receipts=terms.price_receipts,
                parts=(
                    Figure(Interval.exact(count), unit="instances", label="Instances", note=degrees(layout)),
                    Figure(Interval.exact(each), unit="devices", label="Devices of each"),
                    Figure(Interval.exact(HOURS_PER_MONTH), unit="h", label="Hours of a month"),
                ),
                note=f"{count:,} × {each} devices × 730 h{day}",
                assumed=_grounds(priced, "tier", "price", "day", "start-up", "life of devices", "use of devices"),
            )
        )
    return Line("Accelerators", key="accelerators", children=tuple(children))


def _power(priced: Priced) -> Iterator[Line]:
    terms = priced.terms
    if not terms.owned or terms.electricity is None or terms.electricity_receipt is None:
        return
    line = Line(
        "Electricity",
        key="power.electricity",
        quantity=priced.kilowatt_hours,
        unit="kWh",
        unit_price=Interval.exact(terms.electricity),
        basis=terms.electricity_receipt.basis,
        receipts=(terms.electricity_receipt, terms.pue_receipt),
        note="devices and their share of the servers, while they are on, times PUE",
        assumed=_grounds(priced, "PUE", "electricity", "tier"),
    )
    yield Line("Power", key="power", children=(line,))


def _beside(priced: Priced) -> Iterator[Line]:
    beside, terms = priced.terms.beside, priced.terms
    if beside.egress is not None:
        out = Line(
            "Data transfer out",
            key="network.egress",
            quantity=Interval.exact(beside.egress / 1e12),
            unit="TB",
            unit_price=Interval.exact(terms.egress),
            basis=terms.egress_receipt.basis,
            receipts=(terms.egress_receipt,),
            note="over the provider's border, in a month",
            assumed=_grounds(priced, "egress"),
        )
        yield Line("Network", key="network", children=(out,))
    if beside.people is not None:
        yield Line("Beside the machines", key="beside", children=(beside.people.line,))


def figures_of(priced: Priced) -> dict[str, Figure]:
    """Energy and carbon of a month in the first sentence; latencies and rates by name."""
    plan, wanted, terms = priced.plan, priced.wanted, priced.terms
    energy = Figure(
        priced.kilowatt_hours * 3.6e6,
        unit="J",
        note="hours × devices × power of a device with its share of the server × PUE",
        parts=(
            Figure(Interval.exact(plan.devices), unit="devices", label="Accelerators"),
            Figure(Interval.of(plan.day), unit="%", label="Share of their hours that they are on"),
            Figure(
                Interval.of(float(plan.block.watts[plan.place]) / plan.devices),
                unit="W",
                label="Power of a device with its share of the server",
            ),
            Figure(terms.pue, unit="", label="PUE", receipts=(terms.pue_receipt,)),
        ),
        assumed=_grounds(priced, "PUE", "weights", "engine", "cache"),
    )
    carbon = Figure(
        priced.kilowatt_hours * (plan.kg_co2e / plan.kilowatt_hours),
        unit="kg CO2e",
        note="energy × carbon of the grid; making the devices is left out",
        parts=(
            Figure(energy.value, unit="J", label="Energy"),
            Figure(
                Interval.exact(terms.grid.intensity),
                unit="kg CO2e/kWh",
                label=f"Grid: {terms.grid.title}",
                receipts=(terms.grid.receipts["intensity"],),
            ),
        ),
        assumed=_grounds(priced, "PUE", "grid"),
    )
    hour = " in the busiest hour" if wanted.rate > wanted.demand.rate * 1.001 else ""  # type: ignore[operator]
    stands = _grounds(
        priced, "weights", "engine", "cache", "request", "requests", "busiest hour", "day", "prefix cache"
    )
    said = {
        "ttft": (priced.ranged("first", plan.ttft), "s", "first token after", f"mean, waiting included{hour}"),
        "tpot": (priced.ranged("decode", plan.tpot), "s", "then one each", f"mean{hour}"),
        "e2e": (
            priced.ranged("answers", plan.e2e),
            "s",
            "answers take",
            f"first token + (tokens − 1) × seconds of each{hour}",
        ),
        "requests_per_second": (
            Interval.of(plan.capacity),
            "requests/s",
            "carries",
            "the most that keeps the latencies asked for",
        ),
        "output_tokens_per_second": (
            Interval.exact(float(wanted.demand.rate or 0.0) * wanted.demand.output),
            "tokens/s",
            "all answer",
            "mean requests a second × tokens of an answer",
        ),
    }
    figures = {"joules": energy, "kg_co2e": carbon}
    for name, (value, unit, label, note) in said.items():
        if name == "requests_per_second" and not value.likely:
            continue
        figures[name] = Figure(
            value,
            unit=unit,
            label=label,
            note=note,
            basis="fitted",
            receipts=priced.fitted_on,
            assumed=stands,
        )
    return figures


def _grounds(priced: Priced, *names: str) -> tuple[str, ...]:
    """Of `names` those that were assumed."""
    known = {entry.name for entry in (*priced.wanted.assumed, *priced.terms.assumed)}
    return tuple(name for name in names if name in known)
