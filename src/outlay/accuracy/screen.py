"""A validation as text, JSON, CSV or Markdown. Text keeps to 80 columns; the summary stands last, where a terminal stops."""

from __future__ import annotations

import csv
import io
import json
import textwrap
from collections import Counter
from collections.abc import Sequence

from outlay.accuracy import metrics
from outlay.accuracy.runs_columns import METRIC as HOURS
from outlay.accuracy.summary import MEMORY, Coverage, Errors, by_source, once_a_kind, once_a_row, reasons, summarise
from outlay.accuracy.validate import Comparison, Validation
from outlay.training.ranges import percent

SCHEMA = "outlay/validation/1"
UNITS = {"step_time_s": "s", "tokens_per_s_per_gpu": "tok/s/dev", "samples_per_s": "samples/s", "peak_mem_gb": "GB"} | {
    HOURS: "hours",
    **metrics.UNITS,
}
_FEW = 40
"""Rows up to which the text says of each row what was assumed; beyond, assumptions are counted."""
_SHOWN = 12
_ASSUMED_COLUMN = "assumed"


def as_json(validation: Validation) -> str:
    """The whole validation, of schema `outlay/validation/1`."""
    data = {
        "schema": SCHEMA,
        "rows": [
            {
                "id": one.id,
                "source": one.source,
                "metric": one.metric,
                "measured": one.measured,
                "predicted": one.predicted,
                "low": one.low,
                "high": one.high,
                "error": one.error,
            }
            for one in validation.comparisons
        ],
        "skipped": [
            {"id": one.id, "reason": one.reason} | ({"line": one.line} if one.line else {})
            for one in validation.skipped
        ],
        "summary": summarise(validation),
    }
    return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def as_csv(validation: Validation) -> str:
    """One line a comparison, with what was assumed; then one a skipped row, with its reason."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["id", "source", "metric", "measured", "predicted", "low", "high", "error", _ASSUMED_COLUMN, "reason"]
    )
    for one in validation.comparisons:
        assumed = "; ".join(validation.assumed[one.row][1])
        bounds = ["" if bound is None else bound for bound in (one.low, one.high)]
        writer.writerow(
            [
                one.id,
                one.source,
                one.metric,
                one.measured,
                one.predicted,
                *bounds,
                one.error,
                assumed,
                one.contradiction,
            ]
        )
    for skip in validation.skipped:
        writer.writerow([skip.id, *[""] * 8, skip.reason])
    return out.getvalue()


def as_text(validation: Validation, *, rows: bool = True) -> str:
    """Rows (unless told not to), assumptions, skipped rows and the summary."""
    blocks = [_rows(validation) if rows else "", _assumed(validation), _skipped(validation)]
    blocks += _summary(validation)
    return "\n\n".join(block for block in blocks if block) + "\n"


def as_markdown(validation: Validation, *, rows: bool = True) -> str:
    """The summary as Markdown tables, then (with `rows`) every row."""
    parts = [_headline(validation), ""]
    for text in (*validation.notes, *_ranges(validation)):
        parts += [text, ""]
    for title, group in _groups(validation):
        parts += [
            f"### {title}",
            "",
            "| Source | Rows | Median | Mean | Bias | p90 | Worst |",
            "| --- | --: | --: | --: | --: | --: | --- |",
        ]
        for name, e in group:
            figures = f"{e.median:.1%} | {e.mean:.1%} | {e.bias:+.1%} | {e.p90:.1%}"
            parts.append(f"| {name} | {e.rows:,} | {figures} | {e.worst.time_error:+.1%} (`{e.worst.id}`) |")
        parts.append("")
    if validation.skipped:
        parts += ["### Skipped", "", "| Rows | Reason |", "| --: | --- |"]
        parts += [f"| {count:,} | {reason.replace('|', chr(92) + '|')} |" for reason, count in reasons(validation)] + [
            ""
        ]
    if rows and validation.comparisons:
        parts += [
            "### Rows",
            "",
            "| Row | Metric | Measured | Predicted | Low | High | Error |",
            "| --- | --- | --: | --: | --: | --: | --: |",
        ]
        parts += [
            f"| {one.id} | {one.metric} | {one.measured:.5g} | {one.predicted:.5g} | {_bound(one.low)} | {_bound(one.high)} "
            f"| {one.error:+.1%} |"
            for one in validation.comparisons
        ]
    return "\n".join(parts).rstrip() + "\n"


def _headline(validation: Validation) -> str:
    skipped = len(validation.skipped)
    total = validation.answered + skipped
    return f"Predicted {validation.answered:,} of {total:,} rows; {skipped:,} skipped."


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"


def _clip(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _rows(validation: Validation) -> str:
    if not validation.comparisons:
        return ""
    lines = [f" {'Row':<20} {'Metric':>9} {'Measured':>10} {'Predicted':>10} {'low':>8} {'high':>8} {'Error':>7}"]
    for one in validation.comparisons:
        mark = "*" if one.flagged else " "
        low, high = ("" if bound is None else _brief(bound) for bound in (one.low, one.high))
        lines.append(
            f" {_end(one.id, 20):<20} {UNITS[one.metric]:>9} {_number(one.measured):>10} {_number(one.predicted):>10} "
            f"{low:>8} {high:>8} {_percent(one.error):>7}{mark}"
        )
    if any(one.flagged for one in validation.comparisons):
        lines.append(" * the source contradicts itself here: left out of the summary")
        said = dict.fromkeys((one.id, one.contradiction) for one in validation.comparisons if one.contradiction)
        lines += [line for name, why in said for line in _wrapped(f"{name}: {why}", "   ")]
    return "\n".join(line.rstrip() for line in lines)


def _number(value: float) -> str:
    """Five significant digits, with separators where they help.

    >>> _number(0.0123456), _number(17895.4), _number(2.0)
    ('0.012346', '17,895', '2')
    """
    if value >= 1e4:
        return f"{value:,.0f}" if value < 1e9 else f"{value:.4g}"
    return f"{value:.5g}"


def _brief(value: float) -> str:
    """Three significant digits.

    >>> _brief(0.0123456), _brief(17895.4), _brief(2.0)
    ('0.0123', '17,900', '2')
    """
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if 1e3 <= rounded < 1e6 else f"{rounded:.3g}"


def _end(text: str, width: int) -> str:
    """The end of a name that is too long: its number is there.

    >>> _end("bigscience_bloom-0031", 12)
    '…_bloom-0031'
    """
    return text if len(text) <= width else "…" + text[1 - width :]


def _percent(error: float) -> str:
    """An error in a cell of nine columns; a large one as the ratio.

    >>> _percent(0.25), _percent(41), _percent(3e12)
    ('+25.0%', '×42', '×3e+12')
    """
    if abs(error) < 10:
        return f"{error:+.1%}"
    return f"×{error + 1:,.0f}" if error < 99_998 else f"×{error + 1:.3g}"


def _wrapped(text: str, indent: str, width: int = 80) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False)


def _assumed(validation: Validation) -> str:
    rows = [(row, values) for row, values in validation.assumed if values]
    if not rows:
        return ""
    if len(validation.assumed) <= _FEW:
        lines = [line for row, values in rows for line in _wrapped(f"{row}: {'; '.join(values)}", " ")]
        return "\n".join(["Assumed", *lines])
    counted = Counter(value for _, values in rows for value in values)
    lines = [line for value, count in counted.most_common(_SHOWN) for line in _wrapped(f"{count:>6,}  {value}", " ")]
    rest = len(counted) - _SHOWN
    if rest > 0:
        lines.append(f"         and {rest:,} others; `--format csv` or `json` says them row by row")
    return "\n".join(["Assumed (rows)", *lines])


def _skipped(validation: Validation) -> str:
    if not validation.skipped:
        return ""
    if len(validation.skipped) <= _SHOWN:
        return "\n".join(["Skipped", *(line for one in validation.skipped for line in _wrapped(one.said, " "))])
    counted = reasons(validation)
    lines = [line for reason, count in counted[:_SHOWN] for line in _wrapped(f"{count:>6,}  {reason}", " ")]
    rest = counted[_SHOWN:]
    if rest:
        lines.append(
            f" {sum(count for _, count in rest):>6,}  for {len(rest)} other reasons; `--format json` lists them"
        )
    unread = [one for one in validation.skipped if one.reason.startswith("row ")]
    lines += [line for one in unread[:_SHOWN] for line in _wrapped(one.said, " ")]
    return "\n".join(["Skipped (rows)", *lines])


def _groups(validation: Validation) -> list[tuple[str, list[tuple[str, Errors]]]]:
    """Speed and memory, each by source and overall."""
    kept = [one for one in validation.comparisons if not one.flagged]
    groups: list[tuple[str, Sequence[Comparison]]] = [
        ("Speed, as time", once_a_row(validation.comparisons)),
        ("Peak memory", [one for one in kept if one.metric == MEMORY]),
        ("Whole runs", [one for one in kept if one.metric == HOURS]),
        *((metrics.TITLES[kind], group) for kind, group in once_a_kind(kept).items()),
    ]
    tables = []
    for title, comparisons in groups:
        if comparisons:
            rows = [(source, Errors.of(group)) for source, group in by_source(comparisons).items()]
            tables.append((title, [*rows, ("overall", Errors.of(comparisons))]))
    return tables


def _ranges(validation: Validation) -> list[str]:
    """One sentence each of speed and memory: how often their ranges held, and how wide they are."""
    if validation.level is None:
        return []
    kept = [one for one in validation.comparisons if not one.flagged]
    held = (
        ("speed", Coverage.of(once_a_row(validation.comparisons))),
        ("peak memory", Coverage.of(one for one in kept if one.metric == MEMORY)),
        ("device-hours", Coverage.of(one for one in kept if one.metric == HOURS)),
        *((metrics.TITLES[kind].lower(), Coverage.of(group)) for kind, group in once_a_kind(kept).items()),
    )
    return [
        f"{percent(validation.level)} ranges of {name} hold {found.share:.1%} of {found.rows:,} rows; "
        f"median high/low {found.width:.2f}."
        for name, found in held
        if found
    ]


def _summary(validation: Validation) -> list[str]:
    blocks = []
    for title, rows in _groups(validation):
        lines = [f" {title:<26} {'Rows':>6} {'Median':>8} {'Mean':>8} {'Bias':>8} {'p90':>8} {'Worst':>9}"]
        for name, errors in rows:
            if name == "overall" and len(rows) == 2:
                continue
            values = (f"{errors.median:.1%}", f"{errors.mean:.1%}", f"{errors.bias:+.1%}", f"{errors.p90:.1%}")
            cells = " ".join(f"{_clip(value, 8):>8}" for value in values)
            if name == "overall":
                lines.append(" " + "─" * 78)
            lines.append(f" {_clip(name, 26):<26} {errors.rows:>6,} {cells} {_percent(errors.worst.time_error):>9}")
        lines.append(" Worst: " + rows[-1][1].worst.id)
        if len(rows) > 2:
            worst = ", ".join(errors.worst.id for _, errors in rows[:-1])
            lines += _wrapped(f"Worst of each source: {worst}", " ")
        blocks.append("\n".join(lines))
    if ranges := _ranges(validation):
        blocks.append("\n".join(line for text in ranges for line in _wrapped(text, "")))
    blocks.append(_headline(validation))
    notes = []
    for text in validation.notes:
        notes += _wrapped(text, "")
    if validation.ignored_columns:
        notes += _wrapped(f"Columns not read: {', '.join(validation.ignored_columns)}", "")
    notes += _wrapped(
        "Error = predicted / measured - 1. The summary counts errors of speed as errors of time (tokens and samples a second "
        "turned over), so that +100% is twice the measured time. Median, mean and p90 are of the size, bias is the median with "
        "its sign. Each run counts once: by step time, else by tokens or samples a second.",
        "",
    )
    return [*blocks, "\n".join(notes)]
