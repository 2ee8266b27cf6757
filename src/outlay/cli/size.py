"""`outlay size`: the model worth training for a budget."""

from __future__ import annotations

from typing import Any

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, use_catalogs
from outlay.cli.complete import accelerators, laws, providers, tiers
from outlay.cli.save import check_apart
from outlay.cli.settings import Verb, came_from


@click.command(cls=Verb, name="size", example="outlay size --under 1M --tokens-served 2T")
@click.option("--under", metavar="DOLLARS", help="Budget in dollars: 1M, 50k.")
@click.option("--flop", metavar="FLOP", help="Budget in operations: 1e22.")
@click.option(
    "--on",
    metavar="NAME[:COUNT]",
    shell_complete=accelerators,
    help="Accelerator that is paid for; default: h100-sxm-80gb.",
)
@click.option("--tokens-served", metavar="N", help="Tokens to serve over the model's life, within the budget.")
@click.option("--unique-tokens", metavar="N", help="Tokens of data there are; more are repeats.")
@click.option("--law", metavar="NAME", shell_complete=laws, help="Scaling law: `outlay show laws` lists them.")
@click.option("--fit", metavar="LOSSES.csv", help="Fit a law: columns parameters, tokens, loss.")
@click.option("--utilisation", metavar="PERCENT", help="Of training; default: what our model of training gives.")
@click.option("--serving-utilisation", metavar="PERCENT", help="Of serving; default: what our model of serving gives.")
@click.option(
    "--provider", metavar="NAME", shell_complete=providers, help="Whose prices: `outlay show prices` lists them."
)
@click.option("--tier", metavar="TIER", shell_complete=tiers, help="on-demand (default), spot or reserved.")
@click.option("--price", metavar="DOLLARS", help="Your price of an accelerator-hour.")
@click.option("--discount", metavar="PERCENT", help="Off the price: 30%.")
@click.option("--interval", metavar="PERCENT", help="Share that ranges of cost and of a fit hold: 80 (default).")
@catalog_option
@answer_options
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    format: str | None,
    output: str | None,
    catalog: tuple[str, ...],
    fit: str | None,
    **asked: Any,
) -> int:
    """Which model is worth training for a budget?

    The best size and data by published scaling laws, or by one fitted to your own runs; with what serving will
    take, data that run out, and mixtures of experts.

    \b
    outlay size --flop 1e22
    outlay size --under 1M --on h100-sxm --tokens-served 2T
    outlay size --fit losses.csv --flop 1e22
    """
    form = prepare(output, format)
    check_apart(output, (fit, *catalog))
    use_catalogs(catalog)
    from outlay.cli.cache import keep_answer
    from outlay.scenarios.sizing.best import best_size

    notes = tuple(
        f"--{name.replace('_', '-')} {({**asked, 'fit': fit})[name]} ({origin})"
        for name, origin in came_from(context).items()
        if name in asked or name == "fit"
    )
    statement = best_size(losses=fit, notes=notes, **asked)
    from outlay.statement import to_json

    kept = keep_answer(to_json(statement, indent=None))
    emit(statement, format=form, output=output, kept=kept)
    return 0
