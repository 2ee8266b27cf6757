"""All measured serving rows predicted anew: what `make accuracy` writes to `docs/accuracy-serving.json`.

Predictions are those of fits that have not seen a row's source.
"""

from __future__ import annotations

import functools
import json
import operator
from pathlib import Path
from typing import Any

from judge import factor

from outlay.accuracy.records import Records
from outlay.accuracy.serving.judged import judged
from outlay.accuracy.serving.tracked import TARGETS, groups, tracked
from outlay.accuracy.serving.validate import read_serving
from outlay.accuracy.summary import by_source, reasons
from outlay.accuracy.validate import Comparison

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "accuracy-serving.json"
WORST = 2
"""Rows that are shown of each source and figure."""


def records() -> Records:
    """Every measured serving row of the repository."""
    return functools.reduce(operator.add, map(read_serving, sorted((ROOT / "validation" / "serving").glob("*.csv"))))


def figures(read: Records) -> dict[str, Any]:
    """What the page shows."""
    unseen = judged(read, cross=True)
    known = {(record.source, record.id): record for record in read.records}
    worst = []
    for name, rows in groups(read.records, unseen).items():
        if name not in TARGETS:
            continue
        for group in by_source(rows).values():
            for one in sorted(group, key=lambda one: (-factor(one), one.id))[:WORST]:
                worst.append({"figure": name, **_brief(one), "model": known[one.source, one.id].word("model")})
    return {
        "answered": unseen.answered,
        "skipped": len(unseen.skipped),
        "tracked": tracked(read.records, unseen),
        "worst": sorted(worst, key=lambda row: (row["figure"], row["source"])),
        "skipped_by_reason": dict(reasons(unseen)),
    }


def _brief(one: Comparison) -> dict[str, Any]:
    return {key: getattr(one, key) for key in ("id", "source", "metric", "measured", "predicted")}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    """Write the record."""
    content = _rounded(figures(records()))
    RECORD.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print("docs/accuracy-serving.json")


if __name__ == "__main__":
    main()
