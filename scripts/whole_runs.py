"""Tables of docs/explanation/whole-runs.md, printed by cog: goodput by size of job, the fitted factors, errors, worst rows."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from outlay import catalog
from outlay.training.goodput import CASES, hours_between_failures, practices, ranges
from outlay.training.spot import held
from outlay.units import format_quantity

TABLE = Path(__file__).resolve().parent.parent / "validation" / "runs"
MONTH = 30 * 86_400.0
WORST = 12
MEANING = {
    "node": "a run on one node, by a framework that is named",
    "cluster": "on 48 devices and more, 10 B parameters a token; from 8 to 48 in part",
    "size": "there, for each factor e of active parameters beyond 10 B",
    "tpu": "on TPUs",
    "unnamed": "where no framework is named",
}

SPOT = {
    "p3.16xlarge": "AWS, 8 V100",
    "p4d.24xlarge": "AWS, 8 A100",
    "p5.48xlarge": "AWS, 8 H100",
    "g6.48xlarge": "AWS, 8 L4",
    "": "any other",
}


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    import cog  # type: ignore[import-not-found]  # cog offers it while it runs

    cog.outl()
    for cells in (header, ("---", *("--:" for _ in header[1:])), *rows):
        cog.outl(f"| {' | '.join(cells)} |")
    cog.outl()


@cache
def _content() -> dict[str, Any]:
    path = importlib.resources.files("outlay.catalog") / "coefficients" / "runs.json"
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def goodput() -> None:
    """Hours between failures and the share of a month that is lost, by size of job."""
    rows = []
    for devices, billions in ((8, 1), (256, 8), (1024, 70), (4096, 180), (16384, 405)):
        found = ranges(MONTH, devices=devices, state_bytes=billions * 14e9).values()
        shares = [sum(part[case] for part in found) for case in range(len(CASES))]
        low, likely, high = (f"{value / (MONTH + value):.1%}" for value in shares)
        failing = format_quantity(float(hours_between_failures(devices, practices()["likely"])) * 3600.0, "s", digits=2)
        rows.append((f"{devices:,}", f"{billions} B", failing, low, likely, high))
    _table(("Devices", "Parameters", "Fails each", "Lost: low", "likely", "high"), rows)


def jobs() -> None:
    """The jobs to which times between failures were fitted."""
    rows = [
        (
            row.system,
            f"{row.devices or 0:,}",
            f"{row.value:g}",
            f"{float(hours_between_failures(row.devices or 1, practices()['likely'])):.3g}",
        )
        for row in catalog.failures("job_mttf")
    ]
    _table(("Job", "Devices", "Hours between failures", "Fitted"), rows)


def factors() -> None:
    """What is fitted to device-hours."""
    values = _content()["coefficients"]
    _table(
        ("Factor", "ln", "×"),
        [(MEANING[name], f"{values[name]:+.2f}", f"{2.718281828 ** values[name]:.2f}") for name in MEANING],
    )


def errors() -> None:
    """Errors as fitted, without the row, without its publisher."""
    words = {
        "fitted": "with the row",
        "without_row": "without the row",
        "without_source": "without all of its publisher",
    }
    found = _content()["errors"]
    rows = [
        (words[name], f"{found[name]['median']:.0%}", f"{found[name]['mean']:.0%}", f"{found[name]['bias']:+.0%}")
        for name in words
    ]
    _table((f"{_content()['rows']} runs, fitted", "Median", "Mean", "Bias"), rows)


def worst() -> None:
    """The rows that are furthest off, either way, by factors without their publisher."""
    from outlay.accuracy.runs import read_runs, validate_runs
    from outlay.training import load_coefficients

    found = [
        one
        for file in sorted(TABLE.glob("*.csv"))
        for one in validate_runs(read_runs(file), load_coefficients(), cross=True).comparisons
        if not one.flagged
    ]
    found.sort(key=lambda one: -max(one.predicted / one.measured, one.measured / one.predicted))
    rows = [
        (f"`{one.id}`", f"{one.measured:,.0f}", f"{one.predicted:,.0f}", f"{one.predicted / one.measured:.2f}")
        for one in found[:WORST]
    ]
    _table(("Run", "Device-hours", "Predicted", "Predicted ÷ measured"), rows)


def spot() -> None:
    """How long types of machines are held, and how much of the time they are missing."""
    rows = []
    for instance, chip in SPOT.items():
        found = held(instance)
        hours = " to ".join(f"{hours:.2g}" for hours in sorted(found.hours)[::2])
        away = found.away[1] / (1.0 + found.away[1])
        rows.append((chip, found.bucket or "not said", f"{found.hours[1]:.2g}", hours, f"{away:.0%}"))
    _table(("Machine", "Taken back in a month", "Hours held", "80 % of them", "Missing"), rows)
