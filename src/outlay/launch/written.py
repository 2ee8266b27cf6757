"""One file as it is written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One file, and what its reader must know that the file cannot say to the tool."""

    name: str
    text: str
    remarks: tuple[str, ...] = ()
