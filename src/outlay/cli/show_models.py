"""`outlay show models [NAME|config.json]`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import click

from outlay.cli.answer import answer_options, catalog_option, emit, emit_text, prepare, use_catalogs
from outlay.cli.complete import models as model_names
from outlay.cli.settings import Verb
from outlay.errors import InputError

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

    if seq is not None:
        from outlay.units import parse

        parse(seq, "count", name="--seq", example="4096")
        if name is None:
            raise InputError(
                "`--seq` says something of one model",
                expected="its name",
                hint=f"write `outlay show models gpt2 --seq {seq}`",
            )
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
    from outlay.statement import Table
    from outlay.workload import from_config, parameters

    wanted = "" if part is None else part.strip().lower()
    rows = []
    for entry in catalog.models():
        if not any(_starts_a_word(wanted, name) for name in (entry.name, *entry.aliases)):
            continue
        architecture = from_config(entry.config, name=entry.name, source=entry.name)
        count = parameters(architecture)
        size, active = count.total / 1e9, count.active / 1e9
        rows.append(
            (entry.name, architecture.depth, architecture.hidden, size, active, entry.receipt.date or "undated")
        )
    return Table(
        f"{len(rows)} models",
        columns=("Name", "Layers", "Width", "Billions", "Active", "Published"),
        rows=rows,
        notes=("Billions of parameters: all, and those that a token passes (active).",
               "Any Hugging Face config.json serves too: `outlay show models config.json`.",),
        key="models",
    )  # fmt: skip


def _starts_a_word(part: str, name: str) -> bool:
    """Whether a word of a name begins with `part`: `llama-3` finds no codellama-34b.

    >>> _starts_a_word("llama-3", "codellama-34b"), _starts_a_word("8b", "llama-3-8b"), _starts_a_word("", "gpt2")
    (False, True, True)
    """
    folded = name.lower()
    begins = r"(?<![a-z0-9])" if part[:1].isalnum() else ""
    ends = r"(?![0-9])" if part[-1:].isdigit() else ""
    return re.search(begins + re.escape(part) + ends, folded) is not None
