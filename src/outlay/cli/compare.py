"""`outlay compare MODEL`: own machines, or somebody's API?"""

from __future__ import annotations

from typing import Any

import click

from outlay.cli.answer import answer_options_of_tokens, catalog_option, emit, prepare, strictly, use_catalogs
from outlay.cli.complete import accelerators, engines, formats, grids, models, providers, tiers
from outlay.cli.plan_training import progress_bar
from outlay.cli.save import check_apart
from outlay.cli.settings import Verb, came_from

EXAMPLE = "outlay compare llama-3.1-8b --users 10000 --on l4 --api any"


@click.command(cls=Verb, name="compare", example=EXAMPLE)
@click.argument("model", metavar="MODEL|config.json", shell_complete=models)
@click.option("--api", metavar="NAMES", help="any (default), groq,together, openai/gpt-5-mini, mine=0.10/0.40.")
@click.option(
    "--on", metavar="NAME[:COUNT]", shell_complete=accelerators, help="Own machines: any (default), l4, l4:2."
)
@click.option("input_tokens", "--input", metavar="N", help="Tokens of a prompt (with --turns, those that are new).")
@click.option("output_tokens", "--output", metavar="N", help="Tokens of an answer.")
@click.option("--rate", metavar="N/TIME", help="Requests: 5/s, 300/min, 20k/h, 1M/day.")
@click.option("--users", metavar="N", help="People who use it in a day: 10000.")
@click.option("--requests-per-user", metavar="N", help="With --users: requests of each in a day.")
@click.option("--peak", metavar="RATIO", help="Requests of the busiest hour over the mean: 2.5.")
@click.option("--turns", metavar="N", help="Questions of a conversation, each with all that was said before.")
@click.option("--cached", metavar="PERCENT", help="Share of prompts that is in the cache, theirs and yours: 40%.")
@click.option("--batch-share", metavar="PERCENT", help="Share of requests that may wait for hours: 20%.")
@click.option("--engine", metavar="NAME", shell_complete=engines, help="vllm (default on GPUs), trtllm, sglang …")
@click.option("--quant", metavar="FORMAT", shell_complete=formats, help="Own weights: bf16, fp8, w4a16 …")
@click.option("--kv", metavar="FORMAT", help="Own cache: bf16 (default), fp8 …")
@click.option("--ttft", metavar="TIME", help="Own machines send the first token within: 500ms.")
@click.option("--tpot", metavar="TIME", help="And each further one within: 50ms.")
@click.option(
    "--provider", metavar="NAME", shell_complete=providers, help="Whose machines: `outlay show prices` lists them."
)
@click.option("--tier", metavar="TIER", shell_complete=tiers, help="on-demand (default), spot, reserved or owned.")
@click.option("--price", metavar="DOLLARS", help="Your price of an accelerator-hour.")
@click.option("--discount", metavar="PERCENT", help="Off the price: 30%.")
@click.option("--hardware", metavar="DOLLARS", help="What an accelerator of yours cost, with its share of the server.")
@click.option("--life", metavar="YEARS", help="With --hardware: years that it is used; 5 by default.")
@click.option("--use", metavar="PERCENT", help="With --hardware: share of its life that it works; 70% by default.")
@click.option("--grid", metavar="NAME", shell_complete=grids, help="Where the machines' electricity comes from.")
@click.option("--pue", metavar="RATIO", help="Energy of the building over that of its computers.")
@click.option("--electricity", metavar="DOLLARS", help="Price of a kWh (owned machines).")
@click.option("--people", metavar="HOURS:DOLLARS", help="Who keeps machines running: 40h/month:$90, or 3k a month.")
@click.option(
    "--quality-difference", metavar="DOLLARS", help="What the API's answers cost you beside your own, a month."
)
@click.option("--lock-in", metavar="DOLLARS", help="What depending on the API's seller costs you, a month.")
@click.option("--data-leaving", metavar="DOLLARS", help="What data that leave the house cost you, a month.")
@click.option("--interval", metavar="PERCENT", help="Share of deployments that ranges are to hold: 80 (default).")
@click.option("--strict", is_flag=True, help="Exit with 3 if a line has no price.")
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
    strict: bool,
    catalog: tuple[str, ...],
    **asked: Any,
) -> int:
    """Own machines, or somebody's API?

    Build or buy: a month of both for a load, and the load at which the bills cross. MODEL is a name
    (`outlay show models`) or a Hugging Face config.json. The lines are those of the cheaper choice, with what
    is on no price list; the tables have both.

    \b
    outlay compare llama-3.1-8b --users 10000 --on l4 \\
        --api groq,together,fireworks,openai/gpt-5-mini
    outlay compare llama-3.3-70b --rate 2/s --input 2000 --output 400 \\
        --cached 40% --batch-share 20% --people '40h/month:$90'
    """
    form = prepare(output, format)
    check_apart(output, (model, *catalog))
    use_catalogs(catalog)
    origins = came_from(context)
    asked = {_LONG.get(name, name): value for name, value in asked.items() if value is not None}
    from outlay.cli.cache import keep_answer
    from outlay.scenarios.buying.compare import compare

    notes = tuple(
        f"--{_LONG.get(name, name).replace('_', '-')} {asked[_LONG.get(name, name)]} ({origin})"
        for name, origin in origins.items()
        if _LONG.get(name, name) in asked
    )
    statement = compare(model, **asked, notes=notes, progress=progress_bar())
    from outlay.statement import to_json

    kept = keep_answer(to_json(statement, indent=None))
    emit(statement, format=form, output=output, kept=kept)
    return strictly(statement) if strict else 0


_LONG = {"input_tokens": "input", "output_tokens": "output"}
"""Options that are called otherwise where they come from the environment, in which `OUTLAY_OUTPUT` is a file."""
