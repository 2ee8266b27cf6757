"""`outlay show models [NAME|config.json]`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from outlay.cli.answer import answer_options, catalog_option, emit, emit_text, prepare, use_catalogs
from outlay.cli.complete import models as model_names
from outlay.cli.settings import Verb

if TYPE_CHECKING:
    from outlay.statement import Table


@click.command(cls=Verb, name="models")
@click.argument("name", metavar="[NAME|config.json]", required=False, shell_complete=model_names)
@click.option("--seq", metavar="N", help="Tokens of a sequence, for FLOP (default: that of its training).")
@catalog_option
@answer_options
def command(name: str | None, seq: str | None, catalog: tuple[str, ...], format: str | None, output: str | None) -> int:
    """Models, or a config.json: parameters, FLOP, cache.

    NAME is one model or the path of a Hugging Face config.json, or a part of names (llama).
    """
    form = prepare(output, format)
    use_catalogs(catalog)
    from outlay.errors import AmbiguousName
    from outlay.scenarios.named import read_model

    if name is None:
        emit(_listing(None), format=form, output=output)
        return 0
    try:
        architecture, receipt = read_model(name)
    except AmbiguousName:
        emit(_listing(name), format=form, output=output)
        return 0
    from outlay.scenarios.model_facts import facts_of, table_of

    facts = facts_of(architecture, receipt, sequence_length=seq)
    if form == "json":
        emit_text(json.dumps(facts, indent=2, ensure_ascii=False), output=output, format=form)
    else:
        emit(table_of(facts), format=form, output=output)
    return 0


def _listing(part: str | None) -> Table:
    from outlay import catalog
    from outlay.cli.facts import age
    from outlay.statement import Column, Table
    from outlay.workload import from_config, parameters

    wanted = "" if part is None else part.strip().lower()
    rows = []
    for entry in catalog.models():
        if wanted not in entry.name:
            continue
        architecture = from_config(entry.config, name=entry.name, source=entry.name)
        count = parameters(architecture)
        published = age(entry.receipt.date)
        size, active = count.total / 1e9, count.active / 1e9
        rows.append((entry.name, architecture.depth, architecture.hidden, size, active, entry.receipt.basis, published))
    return Table(
        f"{len(rows)} models",
        columns=("Name", "Layers", "Width", Column("Parameters", unit="×10⁹"), Column("Active", unit="×10⁹"),
                 "Basis", "Published"),
        rows=rows,
        notes=("Any Hugging Face config.json serves too: `outlay show models config.json`.",),
        key="models",
    )  # fmt: skip
