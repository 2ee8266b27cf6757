"""What sources say of their machines and engines elsewhere than in their rows."""

from __future__ import annotations

from typing import Final

from outlay.accuracy.records import Record

SITES: Final = {("argonne-lcf", "a100-sxm"): "a100-sxm-40gb"}
"""A source and a chip's words → the chip of its machine: Polaris has A100s of 40 GB (https://docs.alcf.anl.gov/polaris/)."""

SOFTWARE: Final = {"ml-energy/leaderboard v3": "0.11.1"}
"""A source → the version of its engine (https://ml.energy/blog/measurement/energy/llm-inference-energy-a-longitudinal-analysis)."""


def software(record: Record) -> str:
    """The version of an engine that a source states elsewhere."""
    named = record.word("source").lower()
    return next((version for words, version in SOFTWARE.items() if words in named), "")


def published(record: Record) -> str:
    """The row's date, unless it is that of a later publication."""
    return "" if software(record) else record.word("date")


def at_its_site(record: Record) -> str:
    """The chip's words; of a site whose machine is known, with the memory that they leave open."""
    text = record.word("accelerator")
    named = f"{record.word('source')} {record.word('source_url')}".lower()
    return next((SITES[key] for key in SITES if key[0] in named and key[1] == text.lower()), text)
