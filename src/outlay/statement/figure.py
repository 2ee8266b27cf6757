"""A figure that is said beside the lines: how long, how much energy; and what it was made of."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from outlay.statement.interval import Interval
from outlay.statement.receipt import BASES, Basis, Receipt


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` in base `unit` (a key of `units.UNITS`, or any other text, shown behind the number).

    `parts` are the figures it was made of and `note` says how (`tokens ÷ tokens a step × seconds a step`); `receipts`
    are its outside sources. A figure of an answer without a `label` is said in the first sentence, with one below it.
    """

    value: Interval
    _: KW_ONLY
    unit: str
    label: str = ""
    note: str = ""
    basis: Basis | None = None
    parts: tuple[Figure, ...] = ()
    receipts: tuple[Receipt, ...] = ()

    def __post_init__(self) -> None:
        if self.basis is not None and self.basis not in BASES:
            raise ValueError(f"basis {self.basis!r} is none of {', '.join(BASES)}")
        if not isinstance(self.value, Interval):
            object.__setattr__(self, "value", Interval.of(self.value))
        object.__setattr__(self, "parts", tuple(self.parts))
        object.__setattr__(self, "receipts", tuple(self.receipts))
