"""All measured runs of training and tuning in validation/ predicted anew: what `make accuracy` writes, and what tests compare.

`docs/accuracy.json` holds the figures, `docs/accuracy.csv` each run, `docs/plots/*.svg` the plots of it. Predictions are
twofold: as shipped, and by the fits that have not seen a run's source.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import charts

from outlay.accuracy.cross import load_unseen, predictors
from outlay.accuracy.predict import predictor
from outlay.accuracy.records import Record, Records, read_records
from outlay.accuracy.resolve import resolve
from outlay.accuracy.summary import MEMORY, once_a_row, summarise
from outlay.accuracy.tracked import shown, tracked
from outlay.accuracy.validate import Comparison, Validation, validate
from outlay.training import load_coefficients
from outlay.training.ranges import load_ranges, stored
from outlay.workload import parameters

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
WORST = 20
LEAST = 3
"""Runs from which a group has a line of its own."""
SIZES = ((1e9, "below 1 B"), (1e10, "1 to 10 B"), (1e11, "10 to 100 B"), (float("inf"), "100 B and more"))
COLUMNS = (
    *("id", "source", "accelerator", "framework", "year", "parameters_b", "metric"),
    *("measured", "predicted", "unseen", "low", "high"),
)


def records() -> Records:
    """Every measured run of the repository."""
    files = [
        file for folder in ("training", "finetuning") for file in sorted((ROOT / "validation" / folder).glob("*.csv"))
    ]
    return functools.reduce(operator.add, map(read_records, files))


def judged(read: Records, *, unseen: bool) -> Validation:
    """The runs as the shipped coefficients predict them, or as fits without their sources do."""
    others = predictors(load_unseen()) if unseen else {}
    return validate(read, predictor(load_coefficients()), unseen=others, ranges=load_ranges())


def figures(read: Records, shipped: Validation, unseen: Validation) -> dict[str, Any]:
    """What the pages show, rounded so that a last bit changes no page."""
    summary = {key: value for key, value in summarise(shipped).items() if key not in ("assumed", "ignored_columns")}
    rows = shown(read.records, unseen)
    groups = {
        name: _groups(rows, key)
        for name, key in (
            ("source", lambda one: one.source),
            ("accelerator", _key(read, lambda record: record.word("accelerator"))),
            ("framework", _key(read, lambda record: resolve(record).recipe.software.family)),
            ("size", _key(read, _size)),
            ("year", _key(read, lambda record: f"{resolve(record).recipe.software.year:.0f}")),
        )
    }
    speed, memory = once_a_row(shipped.comparisons), _memory(shipped)
    for errors, group in ((summary, speed), (summary["memory"], memory)):
        ranked = sorted(group, key=lambda one: (-factor(one), one.id))
        if errors["overall"]:
            errors["overall"]["worst"] = _brief(ranked[0])
        for source, entry in errors["by_source"].items():
            entry["worst"] = _brief(next(one for one in ranked if one.source == source))
    ranked = sorted([*once_a_row(unseen.comparisons), *_memory(unseen)], key=lambda one: (-factor(one), one.id))
    model, ranges = _key(read, lambda record: record.word("model")), stored()
    content: dict[str, Any] = _rounded(
        {
            **summary,
            "worst": [{**_brief(one), "model": model(one)} for one in ranked[:WORST]],
            "tracked": {"unseen": tracked(read.records, unseen), "seen": tracked(read.records, shipped)},
            "groups": groups,
            "ranges": {metric: ranges[metric]["held"] for metric in ("time", "memory")},
        }
    )
    return content


def _key(read: Records, of: Callable[[Record], str]) -> Callable[[Comparison], str]:
    """What a run's record says, by the comparison that came of it."""
    known = {(record.source, record.id): record for record in read.records}
    return lambda one: of(known[one.source, one.id])


def _size(record: Record) -> str:
    count = float(parameters(resolve(record).recipe.architecture).total)
    return next(name for limit, name in SIZES if count < limit)


def _groups(rows: Sequence[Comparison], key: Callable[[Comparison], str]) -> list[dict[str, Any]]:
    """Errors of time of each group: how many, the mean of their size, and three quantiles with their sign."""
    errors: dict[str, list[float]] = {}
    for one in rows:
        errors.setdefault(key(one), []).append(one.time_error)
    order = [name for _, name in SIZES]
    names = sorted(errors, key=lambda name: (order.index(name) if name in order else 0, name))
    return [_entry(name, sorted(errors[name])) for name in names if len(errors[name]) >= LEAST]


def _entry(name: str, errors: Sequence[float]) -> dict[str, Any]:
    def at(share: float) -> float:
        return errors[round(share * (len(errors) - 1))]

    mean = sum(map(abs, errors)) / len(errors)
    return {"name": name, "rows": len(errors), "mean": mean, "p10": at(0.1), "median": at(0.5), "p90": at(0.9)}


def _memory(found: Validation) -> list[Comparison]:
    return [one for one in found.comparisons if one.metric == MEMORY and not one.flagged]


def factor(one: Comparison) -> float:
    """How far off, either way: half and double are alike, so that no metric hides behind its reciprocal."""
    ratio = one.predicted / one.measured
    return max(ratio, 1 / ratio)


def _brief(one: Comparison) -> dict[str, Any]:
    return {key: getattr(one, key) for key in ("id", "source", "metric", "measured", "predicted", "error")}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def table(read: Records, shipped: Validation, unseen: Validation) -> str:
    """Each run, once by speed and once by memory, as CSV: what the plots are drawn from."""
    known = {(record.source, record.id): record for record in read.records}
    others = {(one.source, one.id, one.metric): one.predicted for one in unseen.comparisons}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in [*once_a_row(shipped.comparisons), *_memory(shipped)]:
        question = resolve(known[one.source, one.id])
        recipe = question.recipe
        size = float(parameters(recipe.architecture).total) / 1e9
        numbers = (one.measured, one.predicted, others[one.source, one.id, one.metric], one.low or 0, one.high or 0)
        chip = question.cluster.accelerator.name
        words = (one.id, one.source, chip, recipe.software.family, f"{recipe.software.year:.0f}", f"{size:.3g}")
        writer.writerow([*words, one.metric, *(f"{value:.4g}" for value in numbers)])
    return out.getvalue()


def plots(content: dict[str, Any], read: Records, unseen: Validation) -> dict[str, str]:
    """The plots by the names of their files."""
    steps = [one for one in shown(read.records, unseen) if one.metric == "step_time_s"]
    drawn = {
        "parity": charts.parity(
            [(one.measured, one.predicted) for one in steps],
            title="Seconds of a step, predicted by fits without a run's source",
            unit="s",
        ),
        "memory": charts.parity(
            [(one.measured, one.predicted) for one in _memory(unseen)],
            title="Peak memory of a device",
            unit="GB",
        ),
    }
    for name, rows in content["groups"].items():
        spans = [(row["name"], row["rows"], row["p10"], row["median"], row["p90"]) for row in rows]
        drawn[f"by-{name}"] = charts.spans(spans, title=f"Error of step time by {name}: 8 in 10 runs, and the median")
    return drawn


def main() -> None:
    """Write the record."""
    read = records()
    shipped, unseen = (judged(read, unseen=flag) for flag in (False, True))
    content = figures(read, shipped, unseen)
    (DOCS / "accuracy.json").write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (DOCS / "accuracy.csv").write_text(table(read, shipped, unseen), encoding="utf-8")
    folder = DOCS / "plots"
    folder.mkdir(exist_ok=True)
    for name, drawing in plots(content, read, unseen).items():
        (folder / f"{name}.svg").write_text(drawing, encoding="utf-8")
    print("docs/accuracy.json, docs/accuracy.csv, docs/plots")


if __name__ == "__main__":
    main()
