"""The figures that the project holds itself to, from a validation whose rows were predicted by fits without their source.

They are of pre-training runs that state their layers, width, length and batch; rows that contradict themselves are left
out. A test fails when one gets worse than recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, median
from typing import Any, Final

from outlay.accuracy import regret
from outlay.accuracy.records import Record
from outlay.accuracy.summary import MEMORY, Coverage, by_source, once_a_row
from outlay.accuracy.validate import Comparison, Validation

STATED = ("layers", "hidden", "seq_len", "global_batch")
"""Columns without which a row is not counted."""

SWEEP = "vtrain_single"
"""A sweep of small jobs on one node, with more rows than all others together: the median is of the others."""

TARGETS: Final = {
    "korthikanti_2022": 0.04,
    "megatron_2021_a100": 0.07,
    "vtrain_multi": 0.10,
    "vtrain_single": 0.15,
    "llm_foundry": 0.07,
    "nvidia_dgxc_benchmarking": 0.10,
    "nvidia_megatron_bridge": 0.12,
    "bigscience_bloom": 0.10,
    "simumax_b200": 0.08,
    "maxtext": 0.25,
}
"""Mean error of step time that is aimed at, by source; of `maxtext`, of its TPUs."""
MEAN_OF_SOURCES, MEDIAN_OF_ROWS, MEMORY_MEDIAN, ANSWERED = 0.10, 0.06, 0.08, 0.95
"""What is aimed at over all sources, and the least share of rows that are answered."""


def counted(record: Record) -> bool:
    """Whether a row is one of those that the figures are of."""
    stated = all(column in record.numbers for column in STATED)
    return stated and record.word("task") == "pretrain" and not record.flagged


def shown(records: Sequence[Record], judged: Validation) -> list[Comparison]:
    """One comparison of speed for each counted row."""
    keys = {(record.source, record.id) for record in records if counted(record)}
    return [one for one in once_a_row(judged.comparisons) if (one.source, one.id) in keys]


def tracked(records: Sequence[Record], judged: Validation) -> dict[str, Any]:
    """The figures as plain data: of step time by source and over all, of memory, of ranges, of regret."""
    rows = shown(records, judged)
    sources = {source: [abs(one.time_error) for one in group] for source, group in sorted(by_source(rows).items())}
    possible = [record for record in records if counted(record) and record.measured]
    keys = {(record.source, record.id) for record in possible}
    answered = {(one.source, one.id) for one in judged.comparisons} & keys
    pretraining = {(record.source, record.id) for record in records if record.word("task") == "pretrain"}
    memory = [
        abs(one.error)
        for one in judged.comparisons
        if one.metric == MEMORY and not one.flagged and (one.source, one.id) in pretraining
    ]
    ranges = Coverage.of(rows)
    return {
        "rows": len(rows),
        "answered": len(answered) / len(possible) if possible else None,
        "by_source": {
            source: {"rows": len(errors), "mean": fmean(errors), "median": median(errors)}
            for source, errors in sources.items()
        },
        "mean_of_sources": fmean(fmean(errors) for errors in sources.values()) if sources else None,
        "median_of_rows": _median([abs(one.time_error) for one in rows if one.source != SWEEP]),
        "memory_median": _median(memory),
        "ranges": ranges.as_dict() if ranges else None,
        "regret": regret.summary(regret.sweeps(records, judged)),
    }


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None
