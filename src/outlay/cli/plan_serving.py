"""`outlay plan serving MODEL`: the best machines, counts and engines for a load."""

from __future__ import annotations

from typing import Any

import click

from outlay.cli.answer import answer_options_of_tokens, catalog_option, emit, prepare, use_catalogs
from outlay.cli.complete import bare_accelerators, engines, formats, models, providers, tiers
from outlay.cli.export import check_target, deliver
from outlay.cli.plan_training import progress_bar
from outlay.cli.save import check_apart
from outlay.cli.settings import Verb, came_from
from outlay.cli.terms import serving_terms_options

ENGINES = ("vllm", "sglang", "trtllm", "llamacpp", "dynamo", "k8s")


@click.command(
    cls=Verb,
    name="serving",
    example="outlay plan serving llama-3-70b --rate 5/s --input 1024 --output 256 --ttft 500ms",
    instead={
        "--concurrency": "a plan takes `--rate 5/s` or `--users 10000`; `outlay cost serving` takes `--concurrency`",
        "--trace": "a plan takes `--rate 5/s` or `--users 10000`; `outlay cost serving` takes `--trace`",
    },
)
@click.argument("model", metavar="MODEL|config.json", shell_complete=models)
@click.option("input_tokens", "--input", metavar="N", help="Tokens of a prompt (with --turns, those that are new).")
@click.option("output_tokens", "--output", metavar="N", help="Tokens of an answer.")
@click.option("--rate", metavar="N/TIME", help="Requests: 5/s, 300/min, 20k/h, 1M/day; with --day, the day's mean.")
@click.option("--users", metavar="N", help="People who use it in a day: 10000.")
@click.option("--requests-per-user", metavar="N", help="With --users: requests of each in a day.")
@click.option("--peak", metavar="RATIO", help="Requests of the busiest hour over the mean: 2.5.")
@click.option("--day", metavar="diurnal|FILE.csv", help="Follow the load by hour with as many instances as it needs.")
@click.option("--start-up", metavar="TIME", help="With --day: until an instance answers; 5min by default.")
@click.option("--turns", metavar="N", help="Questions of a conversation, each with all that was said before.")
@click.option("--prefix-hit", metavar="PERCENT", help="Share of prompts that is in the cache: 40%.")
@click.option("--ttft", metavar="TIME", help="The first token comes within: 500ms.")
@click.option("--tpot", metavar="TIME", help="Each further token comes within: 50ms.")
@click.option("--p99", is_flag=True, help="99 of 100 requests keep both, not the mean one: plans are played.")
@click.option("--goal", metavar="GOAL", help="cheapest (default), fastest or greenest.")
@click.option("--under", metavar="DOLLARS", help="The most that a month may cost: 9k.")
@click.option("--carbon", metavar="MASS", help="The most that a month's electricity may emit: 2t.")
@click.option("--on", metavar="NAMES", shell_complete=bare_accelerators, help="any (default), or h100-sxm,l40s.")
@click.option("--count", metavar="COUNTS", help="The most accelerators: 1024 (default); or from 4 to 64: 4..64.")
@click.option(
    "--have",
    metavar="NAME:COUNT,…|FILE.csv",
    help="What there is of each accelerator; owned, unless --tier says else.",
)
@click.option("--without", metavar="NAMES", shell_complete=bare_accelerators, help="Accelerators that cannot be had.")
@click.option("--provider", metavar="NAMES", shell_complete=providers, help="Whose machines; default: anybody's.")
@click.option("--tier", metavar="TIERS", shell_complete=tiers, help="on-demand (default), spot, reserved, owned.")
@click.option(
    "--engine", metavar="NAMES", shell_complete=engines, help="The usual one (default), vllm,sglang …, or any."
)
@click.option("--mode", metavar="MODES", help="any (default), aggregated, or disaggregated (prompts by themselves).")
@click.option("--quant", metavar="FORMATS", shell_complete=formats, help="As published (default), fp8,w4a16 …, or any.")
@click.option(
    "--worse", metavar="PERCENT", help="Any format, unless it is published to be worse by more than this: 1%."
)
@click.option("--kv", metavar="FORMAT", help="Cache: bf16 (default), fp8, q8_0 …")
@click.option(
    "--max-num-seqs",
    metavar="N",
    help="Requests that run together in an instance at most; default: the engine's own limit.",
)
@serving_terms_options
@click.option("--interval", metavar="PERCENT", help="Share of deployments that ranges are to hold: 80 (default).")
@click.option("--all", "every", is_flag=True, help="List every plan.")
@click.option(
    "--export",
    type=click.Choice(ENGINES),
    multiple=True,
    metavar="TOOL",
    help="Write what starts the plan in place of the statement: vllm, sglang, trtllm, llamacpp, dynamo, k8s. "
    "-o names a file, or a folder for several.",
)
@click.option("--overwrite", is_flag=True, help="With --export: replace launch files that are there.")
@catalog_option
@answer_options_of_tokens
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    model: str,
    format: str | None,
    output: str | None,
    catalog: tuple[str, ...],
    export: tuple[str, ...],
    overwrite: bool,
    **asked: Any,
) -> int:
    """The best way to serve a model to a load, on machines that can be had.

    Looks at every accelerator, seller, number format, layout, mode and count, and answers with the best plan, those
    that no other beats, the limit that binds, and the plan that failed by the least.

    \b
    outlay plan serving llama-3-70b --rate 5/s --input 1024 --output 256 \\
        --ttft 500ms --tpot 50ms
    outlay plan serving llama-3-8b --users 10000 --day diurnal --quant any
    outlay plan serving deepseek-v3 --rate 20/s --on h200 --export dynamo
    """
    check_target(export, output, format, overwrite=overwrite)
    form = "text" if export else prepare(output, format)
    check_apart(output, (model, asked.get("day"), *catalog))
    use_catalogs(catalog)
    origins = came_from(context)
    asked = {_LONG.get(name, name): value for name, value in asked.items() if value not in (None, False)}
    if export:
        from outlay.scenarios.serving_plan.exporting import export_serving_plan

        exported = export_serving_plan(model, export, progress=progress_bar(), **asked)
        deliver(exported, output, overwrite=overwrite)
        return 0
    from outlay.cli.cache import keep_answer
    from outlay.scenarios.serving_plan.plan import plan_serving

    notes = tuple(
        f"--{_LONG.get(name, name).replace('_', '-')} {asked[_LONG.get(name, name)]} ({origin})"
        for name, origin in origins.items()
        if _LONG.get(name, name) in asked
    )
    statement = plan_serving(model, notes=notes, progress=progress_bar(), **asked)
    from outlay.statement import to_json

    kept = keep_answer(to_json(statement, indent=None))
    # A CSV is one table: that of all plans where it was asked for, else the lines.
    table = statement.find("all") if form == "csv" and asked.get("every") else statement
    emit(table, format=form, output=output, kept=kept)
    return 0


_LONG = {"input_tokens": "input", "output_tokens": "output"}
"""Options that are called otherwise where they come from the environment, in which `OUTLAY_OUTPUT` is a file."""
