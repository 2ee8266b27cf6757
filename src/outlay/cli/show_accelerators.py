"""`outlay show accelerators [NAME]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, use_catalogs
from outlay.cli.complete import bare_accelerators
from outlay.cli.settings import Verb

if TYPE_CHECKING:
    from outlay.catalog import Accelerator


@click.command(cls=Verb, name="accelerators")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=bare_accelerators)
@catalog_option
@answer_options
def command(name: str | None, catalog: tuple[str, ...], format: str | None, output: str | None) -> int:
    """Chips: memory, bandwidth, peaks, power, links.

    NAME is one chip (every figure with its source), or a part of names (h100), a vendor or a category.
    """
    form = prepare(output, format)
    use_catalogs(catalog)
    from outlay.catalog import accelerator, accelerators
    from outlay.cli.facts import age, detail
    from outlay.errors import AmbiguousName, UnknownName
    from outlay.statement import Column, Table

    chips: tuple[Accelerator, ...] = accelerators()
    if name is not None:
        try:
            chip = accelerator(name)
        except (AmbiguousName, UnknownName):
            wanted = name.strip().lower()
            chips = tuple(
                chip
                for chip in chips
                if wanted and (wanted in chip.name or wanted in (chip.vendor.lower(), chip.category, chip.generation))
            )
            if not chips:
                raise
        else:
            plain = {"vendor": chip.vendor, "generation": chip.generation, "category": chip.category,
                     "also called": ", ".join(chip.aliases)}  # fmt: skip
            emit(detail(chip.name, plain, chip.receipts, notes=(chip.note,)), format=form, output=output)
            return 0
    rows = [
        (
            chip.name,
            chip.memory,
            chip.memory_bandwidth,
            chip.peaks.get("bf16") or chip.peaks.get("fp16") or chip.peaks.get("fp32"),
            chip.tdp,
            f"{_basis(chip)}, {age(chip.receipts['year'].date)}",
        )
        for chip in chips
    ]
    table = Table(
        f"{len(rows)} accelerators",
        columns=("Name", Column("Memory", unit="B"), Column("Bandwidth", unit="B/s"),
                 Column("16-bit peak", unit="FLOP/s"), Column("TDP", unit="W"), "Basis, age"),
        rows=rows,
        notes=("Peaks are dense: bf16, else fp16, else fp32. `outlay show accelerators NAME` gives every source.",),
        key="accelerators",
    )  # fmt: skip
    emit(table, format=form, output=output)
    return 0


def _basis(chip: Accelerator) -> str:
    """That of the peak, on which times rest most."""
    names = [name for name in ("peaks.bf16", "peaks.fp16", "peaks.fp32") if name in chip.receipts]
    return chip.receipts[names[0]].basis if names else "assumed"
