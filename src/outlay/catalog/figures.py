"""Factors: the figures between a device's energy and a place's carbon, each as low, likely and high.

| kind | key | unit |
| --- | --- | --- |
| pue | provider, class or cloud region | facility energy / device energy |
| embodied | accelerator, `category:…`, server-share | kg CO₂e of making one device |
| idle-fraction | category | idle power / TDP |
| electricity | world or a continent | $/kWh for businesses |
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outlay.catalog import rows
from outlay.catalog.devices import Accelerator, accelerator, spelled
from outlay.errors import UnknownName
from outlay.statement import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One figure with its range; `receipt` is that of the likely value."""

    kind: str
    key: str
    low: float
    likely: float
    high: float
    unit: str
    receipt: Receipt = field(repr=False, compare=False)


@rows.cached
def factors(kind: str | None = None) -> tuple[Factor, ...]:
    """All factors, or all of one kind."""
    return tuple(_factor(row) for row in rows.read("factors") if kind in (None, row["kind"]))


def factor(kind: str, key: str) -> Factor:
    """One factor.

    >>> factor("idle-fraction", "datacenter-gpu").likely
    0.12
    """
    found = _index().get((kind, spelled(key)))
    if found is None:
        known = [entry.key for entry in factors(kind)] or sorted({entry.kind for entry in factors()})
        raise UnknownName(f"{kind} factor", key, known, listing="outlay show grids")
    return found


def pue(provider: str | None = None) -> Factor:
    """Power usage effectiveness of a provider's sites; of clouds in general when it is None or states none.

    >>> pue("gcp").likely, pue("runpod").key
    (1.1, 'cloud')
    """
    return _index().get(("pue", spelled(provider or "cloud"))) or factor("pue", "cloud")


def embodied_carbon(chip: Accelerator | str) -> Factor:
    """kg CO₂e of making one device: of that device where somebody counted it, else of its kind.

    >>> embodied_carbon("h100-sxm").low, embodied_carbon("h100-sxm").high
    (164.0, 575.1)
    """
    chip = accelerator(chip) if isinstance(chip, str) else chip
    index = _index()
    return (
        index.get(("embodied", chip.silicon.name))
        or index.get(("embodied", f"category:{chip.category}"))
        or factor("embodied", "category:datacenter-gpu")
    )


@rows.cached
def _index() -> Mapping[tuple[str, str], Factor]:
    return {(entry.kind, spelled(entry.key)): entry for entry in factors()}


def _factor(row: Mapping[str, str]) -> Factor:
    likely = float(row["likely"])
    return Factor(
        kind=row["kind"],
        key=row["key"],
        low=float(row["low"]),
        likely=likely,
        high=float(row["high"]),
        unit=row["unit"],
        receipt=rows.receipt(row, "likely", likely, unit=row["unit"]),
    )
