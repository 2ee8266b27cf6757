"""`outlay show laws [NAME]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, use_catalogs
from outlay.cli.complete import laws as law_names
from outlay.cli.settings import Verb

if TYPE_CHECKING:
    from outlay.catalog import LawFacts


@click.command(cls=Verb, name="laws")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=law_names)
@catalog_option
@answer_options
def command(name: str | None, catalog: tuple[str, ...], format: str | None, output: str | None) -> int:
    """Scaling laws: form, constants, the runs behind them.

    NAME is one law.
    """
    form = prepare(output, format)
    use_catalogs(catalog)
    from outlay.catalog import law, laws
    from outlay.cli.facts import age, detail
    from outlay.statement import Table

    if name is not None:
        facts = law(name)
        plain = {"title": facts.title, "of": facts.domain, "form": facts.form, "size": facts.counts, **_extent(facts)}
        receipts = {"constants": facts.receipt}
        emit(detail(facts.name, plain, receipts, notes=(facts.receipt.note,)), format=form, output=output)
        return 0
    rows = [
        (facts.name, facts.title, facts.form, "yes" if facts.panel else "", age(facts.receipt.date)) for facts in laws()
    ]
    table = Table(
        f"{len(rows)} scaling laws",
        columns=("Name", "Law", "Form", "In ranges", "Published"),
        rows=rows,
        notes=(
            "In ranges: its answer counts in the low and high of `outlay size`. `outlay show laws NAME` gives constants and "
            "sources.",
        ),
        key="laws",
    )
    emit(table, format=form, output=output)
    return 0


def _extent(facts: LawFacts) -> dict[str, str]:
    """What its runs covered."""
    from outlay.units import format_number, format_quantity

    spans = {
        "parameters": (facts.parameters, "parameters"),
        "tokens": (facts.tokens, "tokens"),
        "tokens a parameter": (facts.ratio, ""),
        "FLOP": (facts.flop, "FLOP"),
    }
    return {
        f"runs: {name}": " to ".join(format_quantity(edge, unit) if unit else format_number(edge) for edge in span)
        for name, (span, unit) in spans.items()
        if span is not None
    }
