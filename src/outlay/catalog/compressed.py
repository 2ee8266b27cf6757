"""What compression was published to do to a model: quantization, pruning, distillation, each on one benchmark.

Rows of `quality.csv` are results: a model, what was done to it, and the benchmark before and after. A change is relative
and signed so that above 0 is worse: of scores that fell, of perplexities and losses that rose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from outlay.catalog import rows
from outlay.catalog.published import squeeze
from outlay.errors import UnknownName
from outlay.statement import Receipt

LISTING = "outlay show quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """One published result of a model after compression, beside the model before it."""

    model: str
    """As the catalog calls it, where it has the model."""
    line: str
    """The house of models that it comes from (`llama`, `qwen`); a size of one tells something of the others."""
    parameters: float
    technique: str
    """quantization, cache quantization, quantization-aware training, pruning, pruning and quantization, distillation."""
    format: str
    """The format of the weights (of the cache, where that is the technique), as `outlay show formats` has it; "" for others."""
    method: str
    benchmark: str
    kind: Literal["score", "perplexity", "loss"]
    baseline: float | None
    """Before; None where only the change is published."""
    compressed: float | None
    worse: float
    """Share by which the benchmark is worse: 0.02 of a score is 2 % lower, of a perplexity 2 % higher. Below 0 is better."""
    speed_up: float | None
    size_ratio: float | None
    receipt: Receipt = field(repr=False, compare=False)


@rows.cached
def quality(
    model: str | None = None, *, format: str | None = None, technique: str | None = None
) -> tuple[Quality, ...]:
    """The results that fit, as the table has them; None leaves a question open.

    >>> results = quality("llama-3.1-70b", format="fp8")
    >>> [(entry.benchmark, round(entry.worse, 4)) for entry in results]
    [('MMLU', 0.0038)]

    :raises UnknownName: for a technique that no row has; a model or format without results has none.
    """
    if technique is not None and technique not in techniques():
        raise UnknownName("technique of compression", technique, techniques(), listing=LISTING)
    return tuple(
        entry
        for entry in _results()
        if (model is None or squeeze(entry.model) == squeeze(model))
        and (format is None or entry.format == format)
        and (technique is None or entry.technique == technique)
    )


def techniques() -> tuple[str, ...]:
    """Every technique that a row has."""
    return tuple(dict.fromkeys(entry.technique for entry in _results()))


@rows.cached
def _results() -> tuple[Quality, ...]:
    return tuple(_result(row) for row in rows.read("quality"))


def _result(row: Mapping[str, str]) -> Quality:
    before, after = rows.number(row["baseline"]), rows.number(row["compressed"])
    change = rows.needed(row, "change") if before is None or after is None else after / before - 1.0
    worse = -change if row["better"] == "higher" else change
    return Quality(
        model=row["model"],
        line=row["line"],
        parameters=rows.needed(row, "parameters"),
        technique=row["technique"],
        format=row["format"],
        method=row["method"],
        benchmark=row["benchmark"],
        kind=cast("Literal['score', 'perplexity', 'loss']", row["kind"]),
        baseline=before,
        compressed=after,
        worse=worse,
        speed_up=rows.number(row["speed_up"]),
        size_ratio=rows.number(row["size_ratio"]),
        receipt=rows.receipt(
            row, "compressed" if after is not None else "change", change if after is None else after, unit=""
        ),
    )
