"""The errors of a fit, as its page in the docs and the screen of the fit show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def error_table(content: Mapping[str, Any]) -> list[str]:
    """Errors on held-out shapes as a Markdown table, one row a chip and data type."""
    carried = any("left_out" in record for record in content["curves"])
    heads = ["chip", "type", "rows", "training: median", "p90", "bias", "other: median", "p90"]
    heads += ["left out: median", "bias"] if carried else []
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- |{' --: |' * (len(heads) - 2)}"]
    for record in content["curves"]:
        training, other, left = record["training"], record["other"], record.get("left_out")
        figures = [training["median"], training["p90"], training["bias"], other["median"], other["p90"]]
        figures += [left["median"], left["bias"]] if left else []
        cells = [f"{100 * figure:.1f} %" for figure in figures]
        lines.append(f"| {record['chip']} | {record['dtype']} | {record['rows']:,} | {' | '.join(cells)} |")
    return lines
