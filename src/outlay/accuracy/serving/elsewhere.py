"""What sources say of their machines and engines elsewhere than in their rows."""

from __future__ import annotations

from typing import Final

from outlay.accuracy.records import Record

SITES: Final = {("argonne-lcf", "a100-sxm"): "a100-sxm-40gb"}
"""A source and a chip's words → the chip of its machine: Polaris has A100s of 40 GB (https://docs.alcf.anl.gov/polaris/)."""

_ARGONNE = "llm-inference-bench"
SOFTWARE: Final = (
    # https://ml.energy/blog/measurement/energy/llm-inference-energy-a-longitudinal-analysis
    ("ml-energy/leaderboard v3", "", "", "0.11.1"),
    # The READMEs beside its scripts, vLLM/MI300X, vLLM/MI250 and vLLM/Max1550.
    (_ARGONNE, "vllm", "mi300x", "0.6.1"),
    (_ARGONNE, "vllm", "mi250", "0.6.1"),
    (_ARGONNE, "vllm", "max-1550", "0.5.2"),
)
"""A source, its engine and its chip → the version of the engine."""

PER_USER: Final = ("nvidia/tensorrt-llm docs",)
"""Sources whose rate of one request counts the time to its first token (trtllm-bench's per-user output throughput)."""


def of_whole(record: Record) -> bool:
    """Whether a request's rate of decoding is its answer over its whole latency."""
    return record.word("source").lower().startswith(PER_USER)


def software(record: Record) -> str:
    """The version of an engine that a source states elsewhere."""
    words = [record.word(name).lower() for name in ("source", "engine", "accelerator")]
    return next((version for *named, version in SOFTWARE if all(map(str.__contains__, words, named))), "")


def published(record: Record) -> str:
    """The row's date, unless it is that of a later publication."""
    return "" if software(record) else record.word("date")


def at_its_site(record: Record) -> str:
    """The chip's words; of a site whose machine is known, with the memory that they leave open."""
    text = record.word("accelerator")
    named = f"{record.word('source')} {record.word('source_url')}".lower()
    return next((SITES[key] for key in SITES if key[0] in named and key[1] == text.lower()), text)
