"""`outlay show engines [NAME]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, use_catalogs
from outlay.cli.complete import engines
from outlay.cli.settings import Verb

if TYPE_CHECKING:
    from outlay.serving import Engine

_HOSTS = {"eager": "Python, kernel by kernel", "compiled": "a compiled program", "graph": "captured graphs"}


@click.command(cls=Verb, name="engines")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=engines)
@catalog_option
@answer_options
def command(name: str | None, catalog: tuple[str, ...], format: str | None, output: str | None) -> int:
    """Serving engines: batches, chunks, cache.

    NAME is one engine (vllm, trtllm, sglang, llamacpp …).
    """
    form = prepare(output, format)
    use_catalogs(catalog)
    from outlay.cli.facts import age, detail
    from outlay.scenarios.serving.software import engine_named, engine_names
    from outlay.serving import engine_for
    from outlay.statement import Receipt, Table

    if name is not None:
        found = engine_named(name)
        plain = {
            "kernels are launched by": _HOSTS[found.host],
            "batches": found.batching,
            "prompts and decoding": "share steps" if found.mixed else "have steps of their own",
            "devices": "hold layers, one after another" if found.sequential_layers else "work together",
        }
        receipts = {
            field: Receipt(getattr(found, field), unit="", source=found.source, date=found.date, basis=found.basis)
            for field in ("chunk_tokens", "most_sequences", "memory_share", "block_tokens", "graph_sequences")
        }
        emit(detail(found.name, plain, receipts, notes=(f"{found.note}.",)), format=form, output=output)
        return 0
    found_all = [engine_for(entry) for entry in engine_names()]
    table = Table(
        f"{len(found_all)} serving engines",
        columns=("Name", "Batches", "Prompts", "Chunk", "Together", "Fills", "Basis, age"),
        rows=[_row(entry, age(entry.date)) for entry in found_all],
        notes=(
            "Chunk: most tokens of a step. Together: most sequences that decode at once. Fills: share of the memory.",
            "They are the defaults of each engine's newest version that is known here; "
            "`outlay show engines NAME` gives the source.",
        ),
        key="engines",
    )
    emit(table, format=form, output=output)
    return 0


def _row(engine: Engine, age: str) -> tuple[str, str, str, int, int, str, str]:
    from outlay.units import format_quantity

    prompts = "mixed" if engine.mixed else "apart"
    return (
        engine.name,
        engine.batching,
        prompts,
        engine.chunk_tokens,
        engine.most_sequences,
        format_quantity(engine.memory_share, "%"),
        f"{engine.basis}, {age}",
    )
