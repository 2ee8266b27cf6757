"""Failures: how often published training runs, clusters and spot machines were interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outlay.catalog import rows
from outlay.statement import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One published figure about interruptions."""

    category: str
    """training_run, cluster, mttf_by_job_size, root_cause, component, recovery, spot_notice, spot_interruption, …"""
    system: str
    metric: str
    value: float | None
    text: str
    """The figure as words where it is no number (`>20%`)."""
    unit: str
    devices: int | None
    """Size of the job or cluster, where the source says it."""
    scale: str
    period: str
    note: str
    receipt: Receipt = field(repr=False, compare=False)


def failures(category: str | None = None, metric: str | None = None) -> tuple[Failure, ...]:
    """The rows of a category and metric; None leaves a question open.

    >>> {f.devices: f.value for f in failures("mttf_by_job_size")}[1024]
    7.9
    """
    return tuple(f for f in _failures() if category in (None, f.category) and metric in (None, f.metric))


@rows.cached
def _failures() -> tuple[Failure, ...]:
    return tuple(_failure(row) for row in rows.read("failures"))


def _failure(row: Mapping[str, str]) -> Failure:
    value = rows.number(row["value"])
    return Failure(
        category=row["category"],
        system=row["system"],
        metric=row["metric"],
        value=value,
        text=row["text"],
        unit=row["unit"],
        devices=int(row["devices"]) if row["devices"] else None,
        scale=row["scale"],
        period=row["period"],
        note=row["note"],
        receipt=rows.receipt(row, "value", row["text"] if value is None else value, unit=row["unit"]),
    )
