"""A figure that is said beside the lines: how long, how much energy; and what it was made of."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from outlay.statement.interval import Interval
from outlay.statement.receipt import BASES, Basis, Receipt

_CALLED = {"seconds": "Time", "joules": "Energy", "kg_co2e": "CO₂e"}


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` in base `unit` (a key of `units.UNITS`, or any other text, shown behind the number).

    `parts` are the figures it was made of and `note` says how (`tokens ÷ tokens a step × seconds a step`); `receipts`
    are its outside sources, and `assumed` names the assumptions of the statement on which it stands. A figure of an answer
    without a `label` is said in the first sentence, with one below it.
    """

    value: Interval
    _: KW_ONLY
    unit: str
    label: str = ""
    note: str = ""
    basis: Basis | None = None
    parts: tuple[Figure, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.basis is not None and self.basis not in BASES:
            raise ValueError(f"basis {self.basis!r} is none of {', '.join(BASES)}")
        if not isinstance(self.value, Interval):
            object.__setattr__(self, "value", Interval.of(self.value))
        for field in ("parts", "receipts", "assumed"):
            object.__setattr__(self, field, tuple(getattr(self, field)))


def called(figure: Figure, name: str) -> str:
    """What people call the figure `name` of an answer: its label, else the quantity rather than its unit.

    >>> called(Figure(Interval.of(3.6e6), unit="J"), "joules")
    'Energy'
    """
    return figure.label or _CALLED.get(name, name.replace("_", " "))
