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
    flagged = set(summary["flagged"])
    rows = [row for row in answer["rows"] if row["id"] not in flagged]
    worst = sorted(rows, key=lambda row: (-abs(row["error"]), row["id"], row["metric"]))[:WORST]
    kept = ("id", "source", "metric", "measured", "predicted", "error")
    rounded: dict[str, Any] = _rounded({**summary, "worst": [{key: row[key] for key in kept} for row in worst]})
    return rounded


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


def _header(first: str) -> str:
    return f"\n| {first} | Runs | Median error | Bias | 9 in 10 within | Worst |\n| --- | --: | --: | --: | --: | --- |"


def _row(name: str, errors: dict[str, Any]) -> str:
    worst = errors["worst"]
    return (
        f"| {name} | {errors['rows']:,} | {errors['median']:.0%} | {errors['bias']:+.0%} | {errors['p90']:.0%} "
        f"| {worst['error']:+.0%} (`{worst['id']}`) |"
    )


def overall() -> None:
    """Speed and memory over all sources, and how many rows were not answered."""
    record = load()
    print(_header("Predicted"))
    print(_row("Speed", record["overall"]))
    if record["memory"]["overall"]:
        print(_row("Peak memory", record["memory"]["overall"]))
    total = record["answered"] + record["skipped"]
    print(
        f"\nAnswered: {record['answered']:,} of {total:,} rows; the others are vision, diffusion, or say too little.\n"
    )


def by_source() -> None:
    """Speed by source, the worst median first."""
    sources = load()["by_source"]
    print(_header("Source"))
    for source, errors in sorted(sources.items(), key=lambda entry: -entry[1]["median"]):
        print(_row(source, errors))
    print()


def memory_by_source() -> None:
    """Peak memory by source, the worst median first."""
    sources = load()["memory"]["by_source"]
    print(_header("Source"))
    for source, errors in sorted(sources.items(), key=lambda entry: -entry[1]["median"]):
        print(_row(source, errors))
    print()


def worst() -> None:
    """The rows that outlay gets most wrong."""
    print("\n| Row | Source | What | Measured | Predicted | Error |\n| --- | --- | --- | --: | --: | --: |")
    for row in load()["worst"]:
        print(
            f"| `{row['id']}` | {row['source']} | {WHAT[row['metric']]} "
            f"| {row['measured']:,.4g} | {row['predicted']:,.4g} | {row['error']:+.0%} |"
        )
    print()


def skipped() -> None:
    """Why rows have no answer."""
    print("\n| Rows | Reason |\n| --: | --- |")
    for reason, count in load()["skipped_by_reason"].items():
        print(f"| {count:,} | {reason.replace('|', chr(92) + '|')} |")
    print()


if __name__ == "__main__":
    RECORD.write_text(json.dumps(condense(predict()), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(RECORD.relative_to(ROOT))
