"""The record of accuracy: measured runs in validation/ beside what outlay predicts for them.

    python scripts/record.py        predict all rows again, write docs/accuracy.json (`make accuracy`)

Pages read that file through cog. A change of a prediction shows as a change of the file.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "accuracy.json"
WORST = 15
SPEED = ("step_time_s", "tokens_per_s_per_gpu", "samples_per_s")
WHAT = {
    "step_time_s": "step time, s",
    "tokens_per_s_per_gpu": "tokens/s a device",
    "samples_per_s": "samples/s",
    "peak_mem_gb": "peak memory, GB",
}


def predict() -> dict[str, Any]:
    """What `outlay validate` says of every row in validation/."""
    outlay = Path(sys.executable).with_name("outlay")
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "validation" / "training").glob("*.csv"))
    command = [str(outlay), "validate", *files, "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def condense(answer: dict[str, Any]) -> dict[str, Any]:
    """The summary, and the worst rows: what pages show. Figures are rounded so that a last bit changes no page."""
    summary = {key: value for key, value in answer["summary"].items() if key not in ("assumed", "ignored_columns")}
    rows = [row for row in answer["rows"] if row["id"] not in summary["flagged"]]
    speed: dict[str, dict[str, Any]] = {}
    for metric in SPEED:
        for row in rows:
            if row["metric"] == metric:
                speed.setdefault(row["id"], row)
    memory = [row for row in rows if row["metric"] == "peak_mem_gb"]
    for errors, group in ((summary, [*speed.values()]), (summary["memory"], memory)):
        ranked = sorted(group, key=lambda row: (-_factor(row), row["id"]))
        if errors["overall"]:
            errors["overall"]["worst"] = _brief(ranked[0])
        for source, entry in errors["by_source"].items():
            entry["worst"] = _brief(next(row for row in ranked if row["source"] == source))
    ranked = sorted([*speed.values(), *memory], key=lambda row: (-_factor(row), row["id"]))
    rounded: dict[str, Any] = _rounded({**summary, "worst": [_brief(row) for row in ranked[:WORST]]})
    return rounded


def _factor(row: dict[str, Any]) -> float:
    """How far off, either way: half and double are alike, so that no metric hides behind its reciprocal."""
    ratio: float = row["predicted"] / row["measured"]
    return max(ratio, 1 / ratio)


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    return {key: row[key] for key in ("id", "source", "metric", "measured", "predicted", "error")}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def load() -> dict[str, Any]:
    """The committed record."""
    record: dict[str, Any] = json.loads(RECORD.read_text(encoding="utf-8"))
    return record


def _out(*lines: str) -> None:
    """Lines into the page that cog is filling."""
    import cog  # type: ignore[import-not-found]  # cog offers it while it runs

    cog.outl("\n".join(["", *lines, ""]))


def _errors(first: str, rows: list[tuple[str, dict[str, Any]]]) -> list[str]:
    """A table of errors; the worst row is that with the largest factor between predicted and measured, either way."""
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
    """Step times of the fit's rows by source: with the source in the fit, and left out of it with its kin."""
    import outlay.catalog

    fitted = json.loads((Path(outlay.catalog.__path__[0]) / "coefficients" / "step.json").read_text(encoding="utf-8"))
    rows = sorted(fitted["errors"].items(), key=lambda entry: -entry[1]["unseen"]["mean"])
    _out(
        "| Source | Rows | Seen: mean error | Left out: mean error | median | bias |",
        "| --- | --: | --: | --: | --: | --: |",
        *(
            f"| {name} | {errors['rows']} | {errors['mean']:.0%} | {errors['unseen']['mean']:.0%} "
            f"| {errors['unseen']['median']:.0%} | {errors['unseen']['bias']:+.0%} |"
            for name, errors in rows
        ),
    )


def memory_by_source() -> None:
    """Peak memory by source, the worst median first."""
    _out(*_errors("Source", sorted(load()["memory"]["by_source"].items(), key=lambda entry: -entry[1]["median"])))


def worst() -> None:
    """The rows that outlay gets most wrong."""
    _out(
        "| Row | Source | What | Measured | Predicted | Predicted ÷ measured |",
        "| --- | --- | --- | --: | --: | --: |",
        *(
            f"| `{row['id']}` | {row['source']} | {WHAT[row['metric']]} | {_number(row['measured'])} "
            f"| {_number(row['predicted'])} | {row['predicted'] / row['measured']:.2f} |"
            for row in load()["worst"]
        ),
    )


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


if __name__ == "__main__":
    RECORD.write_text(json.dumps(condense(predict()), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(RECORD.relative_to(ROOT))
