"""Where a figure comes from."""

from __future__ import annotations

import math
import re
from dataclasses import KW_ONLY, dataclass
from typing import Literal, TypeAlias, get_args

Basis: TypeAlias = Literal["quoted", "measured", "fitted", "assumed", "yours"]
"""quoted: a price list or data sheet · measured: somebody ran it · fitted: a model of measurements ·
assumed: nobody said, a default was taken · yours: the user gave it."""

BASES: tuple[str, ...] = get_args(Basis)

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Receipt:
    """One outside figure and its source.

    `unit` is that of `value` ("" for text and plain numbers); `source` is an address, a document with its page, or the
    name of the flag that gave it; `date` is when the source was read or published: a year, a month or a day, as ISO
    8601 ("" when the source has none).

    >>> Receipt(2.69, unit="$/GPU-h", source="runpod.io/pricing", date="2026-05-24", basis="quoted").sentence()
    'runpod.io/pricing, 2026-05-24 (quoted)'
    """

    value: float | int | str | bool | None
    _: KW_ONLY
    unit: str
    source: str
    date: str
    basis: Basis
    note: str = ""

    def __post_init__(self) -> None:
        item = getattr(self.value, "item", None)
        if item is not None:  # a NumPy scalar
            object.__setattr__(self, "value", item())
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ValueError(f"a receipt for {self.value}: a figure is a finite number")
        if self.basis not in BASES:
            raise ValueError(f"basis {self.basis!r} is none of {', '.join(BASES)}")
        if not self.source.strip():
            raise ValueError("a receipt without a source is not a receipt")
        if self.date and not _DATE.fullmatch(self.date):
            raise ValueError(f"date {self.date!r} is not a year, a month or a day (2026, 2026-05, 2026-05-24)")

    def sentence(self) -> str:
        """The source with its date and basis, on one line."""
        dated = f"{self.source}, {self.date}" if self.date else self.source
        return f"{dated} ({self.basis})" + (f": {self.note}" if self.note else "")
