"""One line of a statement: quantity × unit price = amount, or the sum of the lines below it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal

from outlay.statement.figure import Figure
from outlay.statement.interval import Interval
from outlay.statement.receipt import BASES, Basis, Receipt

_KEY = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Line:
    """A leaf has a quantity and a unit price in dollars; a parent has children and nothing else to add.

    `key` is the stable name by which `diff` and `explain` find the line: lower case, with a point for each level
    (`accelerators.training-steps`). `unit` is that of the quantity, as shown (`GPU-h`, `kWh`). `parts` are the figures
    from which the quantity was made; `assumed` names the assumptions of the statement on which the line stands. Amounts
    are computed, never given, so that the parts always make the whole.

    >>> hours = Line("Training steps", key="accelerators.steps", quantity=Interval.of(100), unit="GPU-h",
    ...              unit_price=Interval.exact(2.5), basis="quoted")
    >>> lost = hours.renamed("Restarts", "accelerators.restarts")
    >>> Line("Accelerators", key="accelerators", children=(hours, lost)).amount
    Interval(low=None, likely=500.0, high=None)

    :raises ValueError: for a key that is none, a basis that is none, or a parent with a quantity or price.
    """

    name: str
    _: KW_ONLY
    key: str
    quantity: Interval | None = None
    unit: str = ""
    unit_price: Interval | None = None
    basis: Basis | None = None
    receipts: tuple[Receipt, ...] = ()
    parts: tuple[Figure, ...] = ()
    children: tuple[Line, ...] = ()
    note: str = ""
    assumed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for field in ("receipts", "parts", "children", "assumed"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        if not _KEY.fullmatch(self.key):
            raise ValueError(f"key {self.key!r} is not lower-case words joined by `-` and `.`")
        if self.children and (self.quantity is not None or self.unit_price is not None):
            raise ValueError(f"line {self.key!r} has children, so it has no quantity and no price of its own")
        if self.basis is not None and self.basis not in BASES:
            raise ValueError(f"line {self.key!r}: basis {self.basis!r} is none of {', '.join(BASES)}")

    @property
    def priced(self) -> bool:
        """Quantity and price of this line, or of every line below it, are known."""
        if self.children:
            return all(child.priced for child in self.children)
        return self.quantity is not None and self.unit_price is not None

    @property
    def amount(self) -> Interval | None:
        """Dollars: of what is priced; None where nothing is."""
        if not self.children:
            return None if self.quantity is None or self.unit_price is None else self.quantity * self.unit_price
        return total(self.children)

    @property
    def shown_basis(self) -> Basis | Literal["missing", ""]:
        """`missing` for an unpriced leaf; a parent shows a basis only if it was given one."""
        if not self.children and not self.priced:
            return "missing"
        return self.basis or ""

    def leaves(self) -> Iterator[Line]:
        """The lines without children, in order; the line itself if it is one."""
        for line in self.walk():
            if not line.children:
                yield line

    def walk(self) -> Iterator[Line]:
        """The line, then all below it, in the order in which they are printed."""
        yield self
        for child in self.children:
            yield from child.walk()

    def renamed(self, name: str, key: str) -> Line:
        """The same line under another name and key."""
        return replace(self, name=name, key=key)


def total(lines: tuple[Line, ...]) -> Interval | None:
    """The sum of the amounts that are known; None if none is."""
    amounts = [amount for line in lines if (amount := line.amount) is not None]
    if not amounts:
        return None
    # fsum, so that cents stay cents however many lines there are
    likely = math.fsum(amount.likely for amount in amounts)
    lows = [amount.low for amount in amounts if amount.low is not None]
    highs = [amount.high for amount in amounts if amount.high is not None]
    known = len(lows) == len(highs) == len(amounts)
    return (
        Interval(min(math.fsum(lows), likely), likely, max(math.fsum(highs), likely)) if known else Interval.of(likely)
    )
