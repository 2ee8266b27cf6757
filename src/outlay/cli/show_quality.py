"""`outlay show quality [NAME]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, use_catalogs
from outlay.cli.complete import models
from outlay.cli.settings import Verb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from outlay.catalog import Quality
    from outlay.statement import Table


@click.command(cls=Verb, name="quality")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=models)
@click.option("--technique", metavar="NAME", help="quantization, pruning, distillation …")
@catalog_option
@answer_options
def command(
    name: str | None, technique: str | None, catalog: tuple[str, ...], format: str | None, output: str | None
) -> int:
    """What compression was published to do to quality.

    NAME is a model: its results, or those of the nearest models; or a format or a method that the table lists (fp8,
    q4_k_m): its results of all models. Changes are relative to the model before.
    """
    form = prepare(output, format)
    use_catalogs(catalog)
    emit(
        _every(technique) if name is None else _ways(name, technique) or _of(name, technique),
        format=form,
        output=output,
    )
    return 0


def _ways(name: str, technique: str | None) -> Table | None:
    """The results of a format or a method, of all models; None for what none is called."""
    from outlay.catalog import quality

    wanted = name.strip().lower()
    found = [entry for entry in quality(technique=technique) if (entry.format or entry.method).lower() == wanted]
    if not found:
        return None
    return _results(found, found[0].format or found[0].method, of="model")


def _every(technique: str | None) -> Table:
    """One row for each format or method: how many results there are, and how far they reach."""
    from outlay.catalog import quality
    from outlay.scenarios.serving.quality import effects_of
    from outlay.statement import Table

    groups: dict[tuple[str, str], list[Quality]] = {}
    for entry in quality(technique=technique):
        groups.setdefault((entry.technique, entry.format or entry.method), []).append(entry)
    rows = [
        (
            what,
            kind,
            len(entries),
            len({entry.model for entry in entries}),
            "; ".join(effect.words() for effect in effects_of(entries)),
        )
        for (kind, what), entries in groups.items()
    ]
    return Table(
        f"{sum(len(entries) for entries in groups.values())} published results of compression",
        columns=("What", "Technique", "Results", "Models", "Effect, from the least to the most"),
        rows=rows,
        notes=("`outlay show quality MODEL` has the results of one model, with their benchmarks.",),
        key="quality",
    )


def _of(name: str, technique: str | None) -> Table:
    """The results of a model; where it has none, what is published of models like it."""
    from outlay.catalog import model_config, quality
    from outlay.errors import UnknownName
    from outlay.scenarios.serving.quality import quality_note, quality_section
    from outlay.statement import Table

    try:
        called = model_config(name).name
    except UnknownName:
        if not quality(name):
            raise
        called = name
    found = quality(called, technique=technique)
    if not found:
        formats = dict.fromkeys(entry.format for entry in quality(technique="quantization") if entry.format)
        near = [entry for entry in formats if quality_note(called, entry).effects]
        section = quality_section(called, near)
        return Table(
            f"No result of {called} is published{' so' if technique else ''}; models like it",
            columns=section.columns,
            rows=section.rows,
            notes=section.notes,
            receipts=section.receipts,
            key="quality",
        )
    return _results(found, called, of="format")


def _results(found: Sequence[Quality], called: str, *, of: str) -> Table:
    """Results one by one, of a model by format, or of a format by model."""
    from outlay.statement import Column, Figure, Interval, Table

    by_model = of == "model"
    return Table(
        f"{len(found)} published result{'' if len(found) == 1 else 's'} of {called}",
        columns=(
            "Model" if by_model else "What",
            "Method",
            "Benchmark",
            Column("Before", digits=4),
            Column("After", digits=4),
            "Effect",
            "Source",
        ),
        rows=[
            (
                entry.model if by_model else entry.format or entry.technique,
                entry.method,
                entry.benchmark,
                entry.baseline,
                entry.compressed,
                Figure(Interval.exact(-entry.worse if entry.kind == "score" else entry.worse), unit="%"),
                _short(entry.receipt.source),
            )
            for entry in sorted(
                found,
                key=lambda entry: (
                    (entry.parameters, entry.model) if by_model else (entry.technique, entry.format),
                    entry.benchmark,
                ),
            )
        ],
        notes=("Effect: change of the benchmark. Scores are better when higher, perplexity and loss when lower.",),
        receipts=tuple({entry.receipt.source: entry.receipt for entry in found}.values()),
        key="quality",
    )


def _short(address: str) -> str:
    """Whose page it is: the owner and the project of a repository or a model card, else the site.

    >>> _short("https://github.com/mit-han-lab/llm-awq/blob/main/tinychat/README.md"), _short("https://arxiv.org/abs/1")
    ('mit-han-lab/llm-awq', 'arxiv.org')
    """
    site, *path = address.partition("://")[2].split("/")
    return "/".join(path[:2]) if site in ("github.com", "huggingface.co") and len(path) >= 2 else site
