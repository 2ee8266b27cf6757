"""`outlay cost serving MODEL`: what a month of serving costs, line by line, and how quick its answers are."""

from __future__ import annotations

from typing import Any

import click

from outlay.cli.answer import answer_options_of_tokens, catalog_option, emit, prepare, strictly, use_catalogs
from outlay.cli.complete import accelerators, engines, formats, models, providers, tiers
from outlay.cli.plan_training import progress_bar
from outlay.cli.save import check_apart
from outlay.cli.settings import Verb, came_from
from outlay.cli.terms import serving_terms_options

EXAMPLE = "outlay cost serving llama-3-8b --on h100-sxm:1 --input 1024 --output 256 --rate 5/s"


@click.command(cls=Verb, name="serving", example=EXAMPLE)
@click.argument("model", metavar="MODEL|config.json", shell_complete=models)
@click.option("--on", metavar="NAME:COUNT", shell_complete=accelerators, help="Accelerators: h100-sxm:8.")
@click.option(
    "--prefill-on", metavar="NAME:COUNT", shell_complete=accelerators, help="For prompts alone (with --decode-on)."
)
@click.option("--decode-on", metavar="NAME:COUNT", shell_complete=accelerators, help="For answers alone.")
@click.option("input_tokens", "--input", metavar="N", help="Tokens of a prompt (with --turns, those that are new).")
@click.option("output_tokens", "--output", metavar="N", help="Tokens of an answer.")
@click.option("--rate", metavar="N/TIME", help="Requests: 5/s, 300/min, 20k/h, 1M/day.")
@click.option("--concurrency", metavar="N", help="Requests that are open at a time: 32.")
@click.option(
    "--trace", metavar="FILE", help="Requests one by one: Azure's CSV, Mooncake's JSONL, arrival,input,output."
)
@click.option("--users", metavar="N", help="People who use it in a day: 10000.")
@click.option("--requests-per-user", metavar="N", help="With --users: requests of each in a day.")
@click.option("--peak", metavar="RATIO", help="Requests of the busiest hour over the mean: 2.5.")
@click.option(
    "--burstiness", metavar="SHAPE", help="With --rate: 1 comes at random (default), 0.5 in bursts, 2 evenly."
)
@click.option("--turns", metavar="N", help="Questions of a conversation, each with all that was said before.")
@click.option("--prefix-hit", metavar="PERCENT", help="Share of prompts that is in the cache: 40%.")
@click.option(
    "--engine", metavar="NAME", shell_complete=engines, help="vllm (default on GPUs), trtllm, sglang, llamacpp …"
)
@click.option("--quant", metavar="FORMAT", shell_complete=formats, help="Weights: bf16, fp8, w4a16, q4_k_m …")
@click.option("--kv", metavar="FORMAT", help="Cache: bf16 (default), fp8, q8_0 …")
@click.option(
    "--layout", metavar="LAYOUT", help="auto (default), or degrees of an instance: tp=8, dp=8,ep=8; others are 1."
)
@click.option("--prefill-layout", metavar="LAYOUT", help="With --prefill-on: the same of prompts; default: --layout.")
@click.option("--step-tokens", metavar="N", help="Tokens of a step at most; default: the engine's own limit.")
@click.option(
    "--max-num-seqs",
    metavar="N",
    help="Requests that run together in an instance at most; default: the engine's own limit.",
)
@click.option("--replicas", metavar="N", help="Instances; default: as many as there are devices for.")
@click.option("--ttft", metavar="TIME", help="The first token comes within: 500ms.")
@click.option("--tpot", metavar="TIME", help="Each further token comes within: 50ms.")
@click.option("--draft", metavar="MODEL", help="What guesses the next tokens: a small model, mtp or lookup.")
@click.option("--draft-tokens", metavar="N", help="With --draft: tokens that are guessed before a step.")
@click.option("--acceptance", metavar="PERCENT", help="With --draft: guessed tokens that are right: 70%.")
@click.option("--adapters", metavar="N", help="Low-rank adapters (LoRA) that stay in memory.")
@click.option("--offload-to", metavar="NAME", help="Processor for the layers that do not fit (llama.cpp).")
@click.option("--battery", metavar="ENERGY", help="What the battery holds: 99.6Wh.")
@click.option("--gpus-per-node", metavar="N", help="Accelerators of one node.")
@click.option("--interconnect", metavar="TEXT", help="Network: 400 Gbit/s (of each accelerator), 8x 400 Gbit/s.")
@click.option(
    "--provider", metavar="NAME", shell_complete=providers, help="Whose prices: `outlay show prices` lists them."
)
@click.option("--tier", metavar="TIER", shell_complete=tiers, help="on-demand (default), spot, reserved or owned.")
@serving_terms_options
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
    """Serve a model to a load: dollars a month, a million tokens and a request; latency, memory, energy.

    MODEL is a name (`outlay show models`) or a Hugging Face config.json.

    \b
    outlay cost serving llama-3-70b --on h100-sxm:8 --quant fp8 \\
        --input 1024 --output 256 --rate 5/s
    outlay cost serving llama-3-8b --on l4:1 --users 10000 --quant fp8
    outlay cost serving llama-3-8b --on m3-max --quant q4_k_m \\
        --input 512 --output 256 --concurrency 1
    """
    form = prepare(output, format)
    check_apart(output, (model, asked.get("trace"), *catalog))
    use_catalogs(catalog)
    origins = came_from(context)
    asked = {_LONG.get(name, name): value for name, value in asked.items() if value is not None}
    if not {"on", "prefill_on", "decode_on"} & set(asked):
        on = next(parameter for parameter in context.command.params if parameter.name == "on")
        raise click.MissingParameter(ctx=context, param=on)
    from outlay.cli.cache import keep_answer
    from outlay.scenarios.serving.cost import cost_serving

    notes = tuple(
        f"--{_LONG.get(name, name).replace('_', '-')} {asked[_LONG.get(name, name)]} ({origin})"
        for name, origin in origins.items()
        if _LONG.get(name, name) in asked
    )
    statement = cost_serving(model, **asked, notes=notes, progress=progress_bar())
    from outlay.statement import to_json

    kept = keep_answer(to_json(statement, indent=None))
    emit(statement, format=form, output=output, kept=kept)
    return strictly(statement) if strict else 0


_LONG = {"input_tokens": "input", "output_tokens": "output"}
"""Options that are called otherwise where they come from the environment, in which `OUTLAY_OUTPUT` is a file."""
