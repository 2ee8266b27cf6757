"""`outlay plan training MODEL`: the best plan over accelerators, counts, sellers, tiers and layouts."""

from __future__ import annotations

import re
import sys
import time
from typing import Any

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, use_catalogs
from outlay.cli.complete import bare_accelerators, models, optimizers, precisions, providers, tiers
from outlay.cli.export import check_target, deliver, export_options
from outlay.cli.save import check_apart
from outlay.cli.settings import Verb, came_from
from outlay.cli.terms import terms_options
from outlay.errors import InputError


@click.command(
    cls=Verb, name="training", example="outlay plan training llama-3-8b --tokens 1T --under 100k --within 30d"
)
@click.argument("models", metavar="MODEL|config.json…", nargs=-1, required=True, shell_complete=models)
@click.option("--tokens", metavar="N", help="Tokens to train on: 1T, 300B, 15.6e12.")
@click.option(
    "--stages", metavar="FILE.csv", help="Stages of the run: columns stage, tokens; seq, batch, precision, layout, on …"
)
@click.option("--done", metavar="N", help="Tokens of these that are trained already.")
@click.option("--goal", metavar="GOAL", help="cheapest (default), fastest or greenest.")
@click.option("--under", metavar="DOLLARS", help="The most that it may cost: 50k.")
@click.option("--within", metavar="TIME", help="The longest that it may take: 14d.")
@click.option("--carbon", metavar="MASS", help="The most that its electricity may emit: 20t.")
@click.option(
    "--on", metavar="NAMES", shell_complete=bare_accelerators, help="any (default), or h100-sxm,a100-sxm-80gb."
)
@click.option("--count", metavar="COUNTS", help="1..1024 (default; doublings), 96, or 32,64.")
@click.option(
    "--have",
    metavar="NAME:COUNT,…|FILE.csv",
    help="What there is of each accelerator; owned, unless --tier says else.",
)
@click.option("--without", metavar="NAMES", shell_complete=bare_accelerators, help="Accelerators that cannot be had.")
@click.option("--provider", metavar="NAMES", shell_complete=providers, help="Whose machines; default: anybody's.")
@click.option("--tier", metavar="TIERS", shell_complete=tiers, help="on-demand (default), spot, reserved, owned.")
@click.option("--layout", metavar="LAYOUT", help="auto (default), or degrees to fix: tp=8,pp=4,zero=fsdp.")
@click.option("--seq", metavar="N", help="Tokens of a sequence.")
@click.option("--batch", metavar="N", help="Sequences of a step (512), or tokens of it (4M tokens).")
@click.option(
    "--precision",
    metavar="NAME",
    shell_complete=precisions,
    help="bf16 (default where there is); the best of bf16,fp8.",
)
@click.option(
    "--optimizer", metavar="NAME", shell_complete=optimizers, help="adamw (default); the best of adamw,adam8bit."
)
@click.option("--recompute", metavar="NAME", help="none, selective or full; default: what fits fastest.")
@click.option("--framework", metavar="NAME", help="What runs it: megatron-core, nemo, torchtitan, deepspeed …")
@terms_options
@click.option("--interval", metavar="PERCENT", help="Share of runs that ranges are to hold: 80 (default), 95.")
@click.option("--all", "every", is_flag=True, help="List every plan; with --format csv, nothing else.")
@export_options
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
    export: tuple[str, ...],
    overwrite: bool,
    **asked: Any,
) -> int:
    """The best way to train a model, on machines that can be had; of several models, of each.

    Looks at every accelerator, count, seller, tier and layout, and answers with the best plan, those that no
    other beats, the limit that binds, and the plan that failed by the least.

    \b
    outlay plan training llama-3-8b --tokens 1T --under 100k --within 30d
    outlay plan training llama-3-70b --tokens 2T --on h100-sxm,h200 \\
        --count 64..4096 --goal fastest
    outlay plan training llama-3-8b --tokens 1T --have h100-sxm:64,l40s:16
    outlay plan training llama-3-8b llama-3-70b --tokens 1T --within 60d
    """
    names, prices = asked.pop("models"), _prices(asked.get("price"))
    if export and (len(names) > 1 or prices):
        raise InputError(
            f"`--export` writes what starts one plan, and {max(len(names), len(prices))} are asked for",
            expected="one model and one price",
            hint="name one model",
        )
    check_target(export, output, format, overwrite=overwrite)
    form = "text" if export else prepare(output, format)
    check_apart(output, (*names, *catalog))
    use_catalogs(catalog)
    if export:
        from outlay.scenarios.training_plan.exporting import export_plan

        exported = export_plan(names[0], export, progress=progress_bar(), **_renamed(asked))
        deliver(exported, output, overwrite=overwrite)
        return 0
    from outlay.cli.cache import keep_answer

    notes = tuple(
        f"--{name.replace('_', '-')} {asked[name]} ({origin})"
        for name, origin in came_from(context).items()
        if name in asked
    )
    from outlay.statement import to_json

    if len(names) > 1 or prices:
        from outlay.scenarios.training_plan.comparing import compare_plans

        asked["every"] = bool(asked.get("every")) or form != "text"
        found = compare_plans(names, prices=prices, notes=notes, progress=progress_bar(), **_renamed(asked))
        statement, code = found.statement, 0 if found.planned == found.asked else 3
    else:
        from outlay.scenarios.training_plan.plan import plan_training

        statement, code = plan_training(names[0], notes=notes, progress=progress_bar(), **_renamed(asked)), 0
    kept = keep_answer(to_json(statement, indent=None))
    listed = next((table for table in statement.sections if table.key == "all"), None)
    emit(listed if listed is not None and form == "csv" else statement, format=form, output=output, kept=kept)
    return code


def _prices(text: str | None) -> tuple[str, ...]:
    """Several prices; none where there is one, thousands among them."""
    if text is None or "," not in text or re.fullmatch(r"\s*\$?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?\s*", text):
        return ()
    prices = tuple(part.strip() for part in text.split(","))
    if not all(prices):
        raise InputError(f"`--price {text}` has an empty price", hint="write `--price 2.10,2.50`")
    return prices


_LONG = {"seq": "sequence_length", "batch": "global_batch"}


def _renamed(asked: dict[str, Any]) -> dict[str, Any]:
    return {_LONG.get(name, name): value for name, value in asked.items() if value is not None}


def progress_bar() -> Any:
    """A bar on stderr, on a terminal, once a second has passed."""
    begun = time.monotonic()

    def show(done: int, whole: int) -> None:
        if not sys.stderr.isatty() or time.monotonic() - begun < 1.0:
            return
        filled = 40 * done // max(whole, 1)
        end = "\r" + " " * 70 + "\r" if done == whole else ""
        print(
            f"\r[{'#' * filled}{'.' * (40 - filled)}] {done:,} of {whole:,}{end}", end="", file=sys.stderr, flush=True
        )

    return show
