"""`outlay show formats [NAME]`."""

from __future__ import annotations

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, use_catalogs
from outlay.cli.complete import formats
from outlay.cli.settings import Verb


@click.command(cls=Verb, name="formats")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=formats)
@catalog_option
@answer_options
def command(name: str | None, catalog: tuple[str, ...], format: str | None, output: str | None) -> int:
    """Number formats of weights: bits, arithmetic, scope.

    NAME is one format (fp8, w4a16, q4_k_m), or another name of it (awq, int4).
    """
    form = prepare(output, format)
    use_catalogs(catalog)
    from outlay.cli.facts import age, detail
    from outlay.serving import format_for
    from outlay.serving import formats as known
    from outlay.statement import Table

    if name is not None:
        found = format_for(name)
        plain = {"products run in": found.compute, "inputs": found.activation, "stored so": _scope(found.scope),
                 "before a product": "widened" if found.dequantized else "as it is"}  # fmt: skip
        table = detail(found.name, plain, {"bits of a weight": found.receipt}, notes=(f"{found.description}.",))
        emit(table, format=form, output=output)
        return 0
    rows = [
        (
            entry.name,
            entry.weight_bits,
            f"{entry.compute}, widened" if entry.dequantized else entry.compute,
            _scope(entry.scope),
            entry.receipt.basis,
            age(entry.receipt.date),
        )
        for entry in known()
    ]
    table = Table(
        f"{len(rows)} formats of weights",
        columns=("Name", "Bits", "Products in", "Stored so", "Basis", "Age"),
        rows=rows,
        notes=(
            "Bits are those of a weight in memory, scales included. `outlay show formats NAME` gives the source.",
            "Published weights are widened first where a chip does not multiply in their format, and the answer says so.",
        ),
        receipts=tuple(entry.receipt for entry in known()),
        key="formats",
    )
    emit(table, format=form, output=output)
    return 0


def _scope(scope: str) -> str:
    return {"all": "all weights", "linear": "projections", "experts": "experts"}[scope]
