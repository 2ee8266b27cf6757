"""Spot machines: how long a job holds them at a time, and how long it then waits for others.

Traces of V100 machines that a job asked for day and night [1]_ give hours held and the share of the time without; jobs of 4 and
16 machines held theirs as long as those of one, because what is short is the zone's capacity. Other types are taken away more
or less often than those V100s (`>20%` a month) by the buckets of the cloud's own statistics [2]_; a type without statistics
is taken for the middle of those that have some.

.. [1] The rows `spot_trace_…` of the catalog's failures: SkyPilot's traces of AWS, 2022 and 2023.
.. [2] The rows `spot_interruption`: AWS Spot Instance Advisor, June 2025.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass

import numpy as np

from outlay import catalog
from outlay.statement import Receipt

_BUCKETS = {"<5%": 0.025, "5-10%": 0.075, "10-15%": 0.125, "15-20%": 0.175, ">20%": 0.25}
"""Share of machines taken back in a month: the middle of each bucket, and a quarter for the open one."""
_TRACED = ">20%"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """How spot machines of one type come and go: low, likely and high of what it costs."""

    hours: tuple[float, float, float]
    """Held at a time, the longest first."""
    away: tuple[float, float, float]
    """Hours without machines for an hour with them."""
    bucket: str
    """Share taken back in a month; empty where nobody says it of this type."""
    receipts: tuple[Receipt, ...]


@functools.cache
def held(instance: str = "") -> Held:
    """Hours that a job holds machines of the type, and what it waits.

    >>> often, seldom = held("p3.16xlarge"), held("p4d.24xlarge")
    >>> often.bucket, seldom.bucket, seldom.hours[1] > 5 * often.hours[1]
    ('>20%', '<5%', True)
    """
    rows = {row.system.removeprefix("AWS "): row for row in catalog.failures("spot_interruption")}
    row = rows.get(instance)
    if row is not None and row.text in _BUCKETS:
        seldom = _rate(row.text) / _rate(_TRACED)
    else:
        kinds = [_rate(entry.text) for entry in rows.values() if entry.text in _BUCKETS]
        seldom = float(np.median(kinds)) / _rate(_TRACED)
    traces = [
        entry
        for category in ("spot_trace_availability", "spot_trace_preemption")
        for entry in catalog.failures(category)
        if "v100" in entry.system and entry.value
    ]
    hours = [float(found.group(1)) for entry in traces if (found := re.search(r"up-run ([0-9.]+) h", entry.note))]
    odds = [1.0 / entry.value - 1.0 for entry in traces if entry.value]
    long, usual, short = np.exp(np.percentile(np.log(hours), (90, 50, 10)))
    least, middle, most = np.percentile(odds, (10, 50, 90))
    return Held(
        hours=(float(long) / seldom, float(usual) / seldom, float(short) / seldom),
        away=(float(least) * seldom, float(middle) * seldom, float(most) * seldom),
        bucket="" if row is None else row.text,
        receipts=(traces[0].receipt, *(() if row is None else (row.receipt,))),
    )


def _rate(bucket: str) -> float:
    """Times a month that a machine is taken back."""
    return -math.log1p(-_BUCKETS[bucket])
