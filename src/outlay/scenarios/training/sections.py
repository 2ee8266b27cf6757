"""The tables beside the lines: where a step's time goes, what fills a device, what the air gets."""

from __future__ import annotations

from collections.abc import Iterator

from outlay.scenarios.training.bottleneck import bottleneck
from outlay.scenarios.training.grounds import CARBON, MAKING, STEP, grounds
from outlay.scenarios.training.lines import data_sheet
from outlay.scenarios.training.ranged import ranges_of
from outlay.scenarios.training.run import Run
from outlay.statement import Column, Figure, Receipt, Table
from outlay.training.ranges import doubts, likelihood
from outlay.units import format_quantity

_NOTICED = 0.01
"""Share of a step below which recomputation is not worth a sentence."""


def sections_of(run: Run) -> tuple[Table, ...]:
    """Step, memory, carbon."""
    return (_step(run), _memory(run), _carbon(run))


def _step(run: Run) -> Table:
    whole = run.step_seconds
    parts = [(name, float(seconds)) for name, seconds in run.estimate.breakdown.items() if float(seconds) > 0]
    return Table(
        "One step",
        columns=("Part", Column("Time", unit="s", total=True), Column("Share", unit="%", total=True, digits=2)),
        rows=[(name, seconds, seconds / whole) for name, seconds in sorted(parts, key=lambda part: -part[1])],
        notes=tuple(_waits(run)),
        receipts=(*data_sheet(run).values(), run.question.model_receipt, *run.fitted_on),
        assumed=grounds(run, *STEP),
        key="step",
        footer_label="Step",
    )


def _waits(run: Run) -> Iterator[str]:
    """What the step waits for, and whether memory is what it lacks."""
    name, share = bottleneck(run)
    yield f"It waits for {name}, {share:.0%} of the time."
    again = float(run.estimate.breakdown.get("recompute", 0.0)) / run.step_seconds
    if again >= _NOTICED:
        yield f"It lacks memory: {again:.0%} of the time goes into making activations again."


def _memory(run: Run) -> Table:
    estimate = run.estimate
    whole, there = float(estimate.memory_bytes), float(estimate.memory_capacity)
    parts = [(name, float(size)) for name, size in estimate.memory.items() if float(size) > 0]
    capacity = run.question.accelerator.receipts["memory"]
    return Table(
        "Memory of the fullest device",
        columns=("Part", Column("Size", unit="B", total=True), Column("Of the device", unit="%", total=True, digits=2)),
        rows=[(name, size, size / there) for name, size in sorted(parts, key=lambda part: -part[1])],
        notes=(f"{format_quantity(there, 'B')} there, {format_quantity(there - whole, 'B')} free.", *_verdict(run)),
        receipts=(capacity, run.question.model_receipt, *run.fitted_on),
        assumed=grounds(run, *STEP),
        key="memory",
        footer_label="Filled",
    )


def _verdict(run: Run) -> tuple[str, ...]:
    """How likely it fits: the share of measured peaks that lay that far above their prediction, or less."""
    if run.level is None:
        return ()
    recipe, cluster = run.question.recipe, run.question.cluster
    room = run.estimate.memory_capacity / float(run.estimate.memory_bytes)
    share = ranges_of(run.question).memory.share_below(room, doubts(recipe, cluster))
    return (f"It {likelihood(share)}: {share:.0%} of measured peaks keep within {room:.2f} × the prediction.",)


def _carbon(run: Run) -> Table:
    grid = run.terms.grid
    making = f"{run.making.likely:.0f} kg a device, {run.life.likely:g} years at {run.use.likely:.0%} use"
    return Table(
        "Carbon",
        columns=("Source", Column("CO₂e", digits=2), "How"),
        rows=[
            (
                "Electricity",
                Figure(run.operational, unit="kg CO2e", receipts=_electricity(run)),
                f"{grid.title}: {grid.intensity * 1000:.0f} g/kWh, {grid.intensity_basis}",
            ),
            (
                "Making the devices",
                Figure(run.embodied, unit="kg CO2e", receipts=(run.making.receipt, run.life.receipt, run.use.receipt)),
                making,
            ),
        ],
        assumed=grounds(run, *CARBON, *MAKING),
        key="carbon",
    )


def _electricity(run: Run) -> tuple[Receipt, ...]:
    """Sources of the carbon of electricity: the grid's, the building's, the device's and its server's."""
    question, terms = run.question, run.terms
    sheet, server = question.accelerator.receipts.get("tdp"), question.server.receipts.get("host_watts")
    found = (terms.grid.receipts["intensity"], terms.pue_receipt, sheet, server, *run.fitted_on)
    return tuple(receipt for receipt in found if receipt is not None)
