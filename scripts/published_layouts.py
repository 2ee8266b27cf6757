"""Published layouts beside the plan's: docs/published-layouts.csv, and the tables that cog prints from it.

python scripts/published_layouts.py        look at all rows again (three minutes)
"""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "published-layouts.csv"


def main() -> None:
    """Compare all rows of the sources that state whole layouts, and write the table."""
    from outlay.accuracy.published import SOURCES, compare
    from outlay.accuracy.records import read_records
    from outlay.training import load_coefficients

    records = [
        record
        for source in SOURCES
        for record in read_records(ROOT / "validation" / "training" / f"{source}.csv").records
    ]
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["source", "id", "model", "published", "seconds", "planned", "planned_seconds", "faster"])
        for one in compare(records, load_coefficients()):
            times = (f"{one.published_seconds:.4g}", one.planned, f"{one.planned_seconds:.4g}", one.faster)
            writer.writerow([one.source, one.id, one.model, one.published, *times])


def rows() -> list[dict[str, str]]:
    """The committed table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def gain(row: dict[str, str]) -> float:
    """Time of the published layout over the plan's, minus 1."""
    return float(row["seconds"]) / float(row["planned_seconds"]) - 1.0


def by_source() -> None:
    """Rows, gains and how often the published layout is among our best five, by source."""
    import cog  # type: ignore[import-not-found]  # cog offers it while it runs

    cog.outl("\n| Source | Runs | Median gain | 9 in 10 within | Most | Published among our best five |")
    cog.outl("| --- | --: | --: | --: | --: | --: |")
    found = rows()
    for source in (*sorted({row["source"] for row in found}), "all"):
        own = [row for row in found if source in (row["source"], "all")]
        gains = sorted(gain(row) for row in own)
        among = sum(int(row["faster"]) < 5 for row in own) / len(own)
        high = gains[min(len(gains) - 1, int(0.9 * len(gains)))]
        cog.outl(f"| {source} | {len(own)} | {median(gains):.1%} | {high:.1%} | {gains[-1]:.0%} | {among:.0%} |")
    cog.outl()


def models() -> None:
    """For each model, the run in the middle of its gains: both layouts."""
    import cog

    cog.outl("\n| Run | Model | Published | Plan | Gain | Faster layouts |")
    cog.outl("| --- | --- | --- | --- | --: | --: |")
    found = rows()
    for model in sorted({row["model"].lower() for row in found}):
        own = sorted((row for row in found if row["model"].lower() == model), key=gain)
        row = own[len(own) // 2]
        layouts = f"{row['published']} | {row['planned']}"
        cog.outl(f"| `{row['id']}` | {row['model']} | {layouts} | {gain(row):.1%} | {int(row['faster']):,} |")
    cog.outl()


if __name__ == "__main__":
    main()
