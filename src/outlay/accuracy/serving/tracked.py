"""The figures of serving that the project holds itself to, from rows that were predicted by fits without their source.

Of each kind of metric, the mean over sources of the median error. A test fails when one gets worse than recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median
from typing import Any, Final

from outlay.accuracy.records import Record
from outlay.accuracy.serving.resolve import ENTERED, resolve
from outlay.accuracy.summary import Coverage, by_source, once_a_kind
from outlay.accuracy.validate import Comparison, Validation
from outlay.errors import InputError

TARGETS: Final = {
    "decode": 0.10,
    "prefill": 0.12,
    "most": 0.12,
    "at home": 0.10,
    "first": 0.25,
    "energy": 0.20,
}
"""Median error that is aimed at, the mean over sources: between tokens, of prompts, of throughput at maximum load
(TensorRT-LLM, vLLM, SGLang), of a single sequence on consumer GPUs and Macs, to the first token, of energy a token."""
COVERAGE: Final = (0.75, 0.90)
"""Share of measured numbers that 80 % ranges should hold."""
FULL_LOAD: Final = frozenset({"trtllm", "trtllm-cpp", "vllm", "vllm-0", "sglang"})


def groups(records: Sequence[Record], judged: Validation) -> dict[str, list[Comparison]]:
    """Comparisons by the figure that they count in; some count in none."""
    kinds = once_a_kind(judged.comparisons)
    full, home = set(), set()
    for record in records:
        try:
            question = resolve(record)
        except InputError:
            continue
        one = question.deployment
        if question.protocol == "most" and one.engine.family.removesuffix(ENTERED) in FULL_LOAD:
            full.add((record.source, record.id))
        if one.cluster.accelerator.category in ("consumer-gpu", "apple") and question.batch == 1:
            home.add((record.source, record.id))
    return {
        "decode": kinds.get("decode", []),
        "prefill": kinds.get("prefill", []),
        "answers": kinds.get("answers", []),
        "most": [one for one in kinds.get("answers", []) if (one.source, one.id) in full],
        "at home": [one for one in kinds.get("decode", []) if (one.source, one.id) in home],
        "first": kinds.get("first", []),
        "energy": kinds.get("energy", []),
    }


def tracked(records: Sequence[Record], judged: Validation) -> dict[str, Any]:
    """The figures as plain data."""
    found: dict[str, Any] = {}
    for name, rows in groups(records, judged).items():
        if not rows:
            continue
        sources = {
            source: {"rows": len(group), "median": median(abs(one.error) for one in group)}
            for source, group in sorted(by_source(rows).items())
        }
        held = Coverage.of(rows)
        found[name] = {
            "rows": len(rows),
            "mean_of_medians": fmean(entry["median"] for entry in sources.values()),
            "by_source": sources,
            "ranges": held.as_dict() if held else None,
        }
    return found
