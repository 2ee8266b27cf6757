"""Published scaling laws: form, constants, what they count, and the runs that they were fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outlay.catalog import rows
from outlay.errors import UnknownName
from outlay.statement import Receipt

FORMS = ("parametric", "joint", "allocation", "granular", "sparse", "routed")
Span = tuple[float, float]
"""Least and most."""
LISTING = "outlay show laws"


@dataclass(frozen=True, slots=True, kw_only=True)
class LawFacts:
    """One law as its authors published it; what the constants mean is said by the form, in `outlay.scaling`."""

    name: str
    aliases: tuple[str, ...]
    title: str
    domain: str
    """`language` or `diffusion`."""
    form: str
    constants: Mapping[str, float]
    counts: str
    """Which parameters its size counts, in words."""
    panel: bool
    """It is one of the laws whose answers make the range of a best size."""
    parameters: Span | None
    """Extent of the runs that it was fitted on; None where it is not known."""
    tokens: Span | None
    ratio: Span | None
    """Tokens of a parameter."""
    flop: Span | None
    receipt: Receipt = field(repr=False, compare=False)


@rows.cached
def laws() -> tuple[LawFacts, ...]:
    """All laws, in the order of the table."""
    return tuple(_law(row) for row in rows.read("laws"))


def law(name: str) -> LawFacts:
    """The law of that name or alias.

    >>> law("besiroglu").constants["alpha"], law("hoffmann").name
    (0.3478, 'chinchilla')

    :raises UnknownName: with the nearest names.
    """
    wanted = name.strip().lower().replace("_", "-").replace(" ", "-")
    index = {spelling: entry for entry in laws() for spelling in (entry.name, *entry.aliases)}
    if wanted not in index:
        raise UnknownName("scaling law", name, index, listing=LISTING)
    return index[wanted]


def _law(row: Mapping[str, str]) -> LawFacts:
    constants = {
        key: float(value) for key, _, value in (entry.partition("=") for entry in rows.names(row["constants"]))
    }
    return LawFacts(
        name=row["name"],
        aliases=rows.names(row["aliases"]),
        title=row["title"],
        domain=row["domain"],
        form=row["form"],
        constants=constants,
        counts=row["counts"],
        panel=row["panel"] == "1",
        parameters=_span(row, "parameters"),
        tokens=_span(row, "tokens"),
        ratio=_span(row, "ratio"),
        flop=_span(row, "flop"),
        receipt=rows.receipt(row, "constants", row["constants"].replace(";", ", "), unit=""),
    )


def _span(row: Mapping[str, str], of: str) -> Span | None:
    low, high = rows.number(row[f"{of}_low"]), rows.number(row[f"{of}_high"])
    return None if low is None or high is None else (low, high)
