"""Sellers whose machines are not linked to each other, so that a training on more than one of them cannot be rented there."""

from __future__ import annotations

from outlay.catalog import rows
from outlay.statement import Receipt


def unlinked(provider: str, provider_class: str = "") -> Receipt | None:
    """Where it is said that machines of this seller come one by one; None where nothing is known against it.

    >>> unlinked("vast-ai") is None, unlinked("lambda") is None, unlinked("runpod", "secure") is None
    (False, True, True)
    """
    for row in rows.read("sellers"):
        if row["provider"] == provider and row["provider_class"] in ("", provider_class) and row["linked"] == "machine":
            return rows.receipt(row, "linked", row["linked"], unit="")
    return None
