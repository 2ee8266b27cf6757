"""The page of accuracy: tables that cog prints from the committed record.

    python scripts/record.py        predict all runs again, write the record (`make accuracy`)

A change of a prediction shows as a change of docs/accuracy.json and docs/accuracy.csv.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "accuracy.json"
SPEED = ("step_time_s", "tokens_per_s_per_gpu", "samples_per_s")
WHAT = {
    "step_time_s": "step time, s",
    "tokens_per_s_per_gpu": "tokens/s a device",
    "samples_per_s": "samples/s",
    "peak_mem_gb": "peak memory, GB",
}
FIGURES = {
    "decode": "between tokens",
    "prefill": "prompts",
    "most": "throughput at full load",
    "answers": "whole answers",
    "at home": "one sequence at home",
    "first": "first token",
    "energy": "energy a token",
}


def load() -> dict[str, Any]:
    """The committed record."""
    record: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return record


def load_serving() -> dict[str, Any]:
    """The committed record of serving."""
    record: dict[str, Any] = json.loads((ROOT / "docs" / "accuracy-serving.json").read_text(encoding="utf-8"))
    return record


def _out(*lines: str) -> None:
    """Lines into the page that cog is filling."""
    import cog  # type: ignore[import-not-found]  # cog offers it while it runs

    cog.outl("\n".join(["", *lines, ""]))


def _errors(first: str, rows: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """A table of errors, those of speed as of time; the worst row has the largest factor of predicted to measured, either way."""
    return [
        f"| {first} | Runs | Median error | Bias | 9 in 10 within | Worst: predicted ÷ measured |",
        "| --- | --: | --: | --: | --: | --- |",
        *(
            f"| {name} | {errors['rows']:,} | {errors['median']:.0%} | {errors['bias']:+.0%} | {errors['p90']:.0%} "
            f"| {_ratio(errors['worst'])} (`{errors['worst']['id']}`) |"
            for name, errors in rows
        ),
    ]


def _ratio(row: dict[str, Any]) -> str:
    """Predicted over measured of the time a step takes, or of memory: a throughput is turned over."""
    ratio = row["predicted"] / row["measured"]
    return f"{1 / ratio if row['metric'] in SPEED[1:] else ratio:.2f}"


def overall() -> None:
    """Speed and memory over all sources, and how many rows were not answered."""
    record = load()
    rows = [("Step time", record["overall"]), ("Peak memory", record["memory"]["overall"])]
    total = record["answered"] + record["skipped"]
    _out(
        *_errors("Predicted", [(name, errors) for name, errors in rows if errors]),
        "",
        f"Answered: {record['answered']:,} of {total:,} rows.",
    )


def by_source() -> None:
    """Speed by source, the worst median first."""
    _out(*_errors("Source", sorted(load()["by_source"].items(), key=lambda entry: -entry[1]["median"])))


def unseen() -> None:
    """What is aimed at and what is reached, by source, each left out of the fit with its kin; then over all."""
    from outlay.accuracy.tracked import MEAN_OF_SOURCES, MEDIAN_OF_ROWS, MEMORY_MEDIAN, TARGETS

    kinds = load()["tracked"]
    out, seen = kinds["unseen"], kinds["seen"]
    lines = []
    for source, errors in sorted(out["by_source"].items(), key=lambda entry: -entry[1]["mean"]):
        aim = f"{TARGETS[source]:.0%}" if source in TARGETS else ""
        known = seen["by_source"][source]["mean"]
        lines.append(
            f"| {source} | {errors['rows']:,} | {known:.1%} | {errors['mean']:.1%} | {errors['median']:.1%} | {aim} |"
        )
    _out(
        "| Source | Rows | Seen: mean error | Left out: mean error | median | Aim for the mean |",
        "| --- | --: | --: | --: | --: | --: |",
        *lines,
        "",
        "| Over all | Seen | Left out | Aim |",
        "| --- | --: | --: | --: |",
        _over("Mean over sources of the mean error", seen, out, "mean_of_sources", f"{MEAN_OF_SOURCES:.0%}"),
        _over("Median error, the sweep on one node left out", seen, out, "median_of_rows", f"{MEDIAN_OF_ROWS:.0%}"),
        _over("Median error of peak memory", seen, out, "memory_median", f"{MEMORY_MEDIAN:.0%}"),
        _over("Rows answered", seen, out, "answered", "95% or more"),
    )


def _over(name: str, seen: dict[str, Any], out: dict[str, Any], key: str, aim: str) -> str:
    return f"| {name} | {seen[key]:.1%} | {out[key]:.1%} | {aim} |"


def groups(key: str) -> None:
    """Errors of step time, left out, by accelerator, framework, size or year."""
    _out(
        f"| {key.capitalize()} | Rows | Mean error | 8 in 10 between | Median |",
        "| --- | --: | --: | --: | --: |",
        *(
            f"| {row['name']} | {row['rows']:,} | {row['mean']:.1%} "
            f"| {row['p10']:+.0%} and {row['p90']:+.0%} | {row['median']:+.1%} |"
            for row in load()["groups"][key]
        ),
    )


def ranges() -> None:
    """How often ranges hold on sources that they were not made from, and how wide they are."""
    held = load()["ranges"]
    lines = []
    for metric, name in (("time", "Step time"), ("memory", "Peak memory")):
        for level, found in held[metric].items():
            rows = [("all runs", found["all"]), ("kernels measured on the chip, layout stated", found.get("stated"))]
            for who, entry in rows:
                if entry:
                    lines.append(
                        f"| {name}, {float(level):.0%} range | {who} | {entry['rows']:,} "
                        f"| {entry['coverage']:.1%} | {entry['width']:.2f} |"
                    )
    _out("| Range | Of | Runs | Held | Median high ÷ low |", "| --- | --- | --: | --: | --: |", *lines)


def ranges_by_source() -> None:
    """The 80 % ranges of step time by source, each made without it."""
    rows = load()["ranges"]["time"]["0.8"]["by_source"]
    _out(
        "| Source | Runs | Held | Median high ÷ low |",
        "| --- | --: | --: | --: |",
        *(f"| {name} | {e['rows']:,} | {e['coverage']:.0%} | {e['width']:.2f} |" for name, e in rows.items()),
    )


def regret() -> None:
    """In measured sweeps, the layout that is predicted to be fastest beside the best."""
    found = load()["tracked"]["unseen"]["regret"]
    rows = [*found["by_source"].items(), ("all", found["overall"])]
    _out(
        "| Source | Sweeps | Layouts | Median regret | 9 in 10 within | Worst |",
        "| --- | --: | --: | --: | --: | --- |",
        *(
            f"| {name} | {e['sweeps']} | {e['layouts']} | {e['median']:.1%} | {e['p90']:.1%} "
            f"| {e['worst']['regret']:.0%} (from `{e['worst']['id']}`) |"
            for name, e in rows
        ),
    )


def rivals() -> None:
    """Mean errors of other tools on the same sources."""
    kinds = load()["tracked"]
    lines = []
    for row in _table("rivals"):
        own = [kinds[kind]["by_source"][row["ours"]] for kind in ("seen", "unseen")]
        count = f"{row['rows']} rows, " if row["rows"] else ""
        lines.append(
            f"| {row['tool']} | {row['source']} | {float(row['error']):.1%} | {row['kind']} "
            f"| {own[0]['mean']:.1%} | {own[1]['mean']:.1%} | {count}{row['note']} |"
        )
    _out(
        "| Tool | Source | Its error | Basis | outlay, seen | outlay, left out | Rows |",
        "| --- | --- | --: | --- | --: | --: | --- |",
        *lines,
    )


def _table(name: str) -> list[dict[str, str]]:
    """A table of validation/."""
    with (ROOT / "validation" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tuning() -> None:
    """Errors of tuning runs, each source left out with its kin, as `python -m outlay.accuracy.fit_tuning` left them."""
    from statistics import fmean

    from outlay.training.coefficients import stored_tuning

    content = stored_tuning()
    time, memory = content["errors"]["time"], content["errors"]["memory"]
    lines = [
        f"| {name} | {_of(time.get(name))} | {_of(memory.get(name))} |"
        for name in sorted({*time, *memory}, key=lambda name: -time.get(name, {"median": 0.0})["median"])
    ]
    means = [fmean(entry["median"] for entry in kind.values()) for kind in (time, memory)]
    held = [content[metric]["held"]["0.8"]["all"] for metric in ("time", "memory")]
    _out(
        "| Source | Rows | Step time: median error | Rows | Peak memory: median error |",
        "| --- | --: | --: | --: | --: |",
        *lines,
        f"| Mean over sources | | {means[0]:.1%} | | {means[1]:.1%} |",
        f"| 80 % ranges hold, median high ÷ low | | {held[0]['coverage']:.0%}, {held[0]['width']:.2f} | "
        f"| {held[1]['coverage']:.0%}, {held[1]['width']:.2f} |",
    )


def _of(entry: dict[str, Any] | None) -> str:
    return f"{entry['rows']} | {entry['median']:.1%}" if entry else " | "


def memory_by_source() -> None:
    """Peak memory by source, the worst median first."""
    _out(*_errors("Source", sorted(load()["memory"]["by_source"].items(), key=lambda entry: -entry[1]["median"])))


def worst() -> None:
    """The rows that outlay gets most wrong when it has not seen their source, with what is known about why."""
    _out(
        "| Row | What | Measured | Predicted | Predicted ÷ measured | Why |",
        "| --- | --- | --: | --: | --: | --- |",
        *(
            f"| `{row['id']}` | {WHAT[row['metric']]} | {_number(row['measured'])} "
            f"| {_number(row['predicted'])} | {row['predicted'] / row['measured']:.2f} | {_why(row)} |"
            for row in load()["worst"]
        ),
    )


def _why(row: dict[str, Any]) -> str:
    """The first cause in validation/causes.csv that fits: by id, by metric, by the model's name, by source."""
    for cause in _table("causes"):
        same = cause["source"] == row["source"] and cause["id"] in ("", row["id"])
        if same and cause["metric"] in ("", row["metric"]) and cause["model"] in row["model"].lower():
            return cause["why"]
    return "not known"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def skipped() -> None:
    """Why rows have no answer."""
    _out(
        "| Rows | Reason |",
        "| --: | --- |",
        *(
            f"| {count:,} | {reason.replace('|', chr(92) + '|')} |"
            for reason, count in load()["skipped_by_reason"].items()
        ),
    )


def serving() -> None:
    """Of each figure of serving: what is aimed at, what is reached on sources left out, and how often ranges hold."""
    from outlay.accuracy.serving.tracked import TARGETS

    found = load_serving()["tracked"]
    _out(
        "| Predicted | Rows | Sources | Median error, mean over sources | Without our own runs | Aim | 80% ranges hold "
        "| Median high ÷ low | Hold without the row's source |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: |",
        *(
            f"| {FIGURES[name]} | {e['rows']:,} | {len(e['by_source'])} | {e['mean_of_medians']:.1%} "
            f"| {_others(e['by_source'])} | {f'{TARGETS[name]:.0%}' if name in TARGETS else ''} "
            f"| {e['ranges']['coverage']:.0%} | {e['ranges']['width']:.2f} | {_nested(name)} |"
            for name, e in found.items()
        ),
    )


OWN = "outlay's own runs"
"""Begins the name of the source that the project measured itself: changes were made with its rows in sight."""


def _others(by_source: dict[str, dict[str, Any]]) -> str:
    """Mean over the sources that others measured."""
    medians = [entry["median"] for source, entry in by_source.items() if not source.startswith(OWN)]
    return f"{sum(medians) / len(medians):.1%}"


def _nested(name: str) -> str:
    """Share of a kind's rows that lie in ranges made without their source; empty for a figure that is part of a kind."""
    from outlay.accuracy.serving.ranges import stored

    entry = stored().get(name)
    return f"{entry['held']['0.8']['all']['coverage']:.0%}" if isinstance(entry, dict) else ""


def serving_by_source() -> None:
    """Median errors of serving by source, each left out, a column a figure."""
    found = load_serving()["tracked"]
    names = [name for name in FIGURES if name in found]
    sources = sorted({source for name in names for source in found[name]["by_source"]})
    _out(
        "| Source | " + " | ".join(FIGURES[name] for name in names) + " |",
        "| --- |" + " --: |" * len(names),
        *(
            f"| {source} | " + " | ".join(_cell(found[name]["by_source"].get(source)) for name in names) + " |"
            for source in sources
        ),
    )


def _cell(entry: dict[str, Any] | None) -> str:
    return f"{entry['median']:.0%} ({entry['rows']:,})" if entry else ""


def serving_worst() -> None:
    """The rows that outlay gets most wrong in each source, with what is known about why."""
    _out(
        "| Figure | Row | What | Measured | Predicted | Predicted ÷ measured | Why |",
        "| --- | --- | --- | --: | --: | --: | --- |",
        *(
            f"| {FIGURES[row['figure']]} | `{row['id']}` | {row['metric']} | {_number(row['measured'])} "
            f"| {_number(row['predicted'])} | {row['predicted'] / row['measured']:.2f} | {_why(row)} |"
            for row in load_serving()["worst"]
        ),
    )


def serving_skipped() -> None:
    """Why serving rows have no answer."""
    content = load_serving()
    _out(
        f"Answered: {content['answered']:,} of {content['answered'] + content['skipped']:,} rows.",
        "",
        "| Rows | Reason |",
        "| --: | --- |",
        *(f"| {count:,} | {reason} |" for reason, count in content["skipped_by_reason"].items()),
    )


if __name__ == "__main__":
    import judge
    import judge_serving

    judge.main()
    judge_serving.main()
