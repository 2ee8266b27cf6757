"""`outlay cost finetune MODEL`: what tuning a trained model costs, line by line."""

from __future__ import annotations

from typing import Any

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, strictly, use_catalogs
from outlay.cli.complete import accelerators, models, optimizers, precisions, providers, tiers
from outlay.cli.save import check_apart
from outlay.cli.settings import Verb, came_from
from outlay.cli.terms import terms_options


@click.command(
    cls=Verb, name="finetune", example="outlay cost finetune llama-3-8b --method qlora --dataset alpaca --on rtx-4090"
)
@click.argument("model", metavar="MODEL|config.json", shell_complete=models)
@click.option("--on", metavar="NAME:COUNT", shell_complete=accelerators, required=True, help="Accelerators: rtx-4090.")
@click.option("--method", metavar="NAME", help="lora (default), qlora, full, adapter, ia3 or freeze.")
@click.option("--rank", metavar="N", help="Rank of LoRA's matrices: 16.")
@click.option("--targets", metavar="PARTS", help="Where they stand: query,value; attention, mlp or all (default).")
@click.option("--quantize", metavar="TYPE", help="How the frozen base is kept: nf4, nf4-dq, fp4, int8, fp8.")
@click.option("--layers", metavar="N", help="With --method freeze: the last layers, which are trained.")
@click.option("--examples", metavar="N", help="Examples to tune on: 52k.")
@click.option("--length", metavar="N", help="Tokens of an example (of a prompt, with grpo and ppo), in the mean.")
@click.option("--longest", metavar="N", help="Tokens at which examples are cut, or to which they are packed: 2048.")
@click.option("--dataset", metavar="NAME", help="Examples and lengths of alpaca, alpaca-2k, metamathqa …")
@click.option("--packing", metavar="on|off", help="Several examples in one sequence; off by default.")
@click.option("--epochs", metavar="N", help="How often each example is seen; 1 by default.")
@click.option("--batch", metavar="N", help="Examples of a step; 128 by default.")
@click.option("--micro-batch", metavar="N", help="Sequences of one forward pass; default: what is fastest.")
@click.option("--objective", metavar="NAME", help="sft (default), continue, distill, dpo, grpo or ppo.")
@click.option("--teacher", metavar="MODEL", shell_complete=models, help="With distill: the model to follow.")
@click.option("--reward", metavar="MODEL", shell_complete=models, help="With grpo, ppo: the model that rewards.")
@click.option("--answers", metavar="N", help="With grpo, ppo: answers to a prompt; 8 and 1 by default.")
@click.option("--answer-length", metavar="N", help="With grpo, ppo: tokens of an answer.")
@click.option("--generation-rate", metavar="N", help="With grpo, ppo: tokens a second that a device generates.")
@click.option("--layout", metavar="LAYOUT", help="auto (default), or degrees to fix: zero=fsdp,mbs=2.")
@click.option("--precision", metavar="NAME", shell_complete=precisions, help="bf16 (default where there is), fp16 …")
@click.option(
    "--optimizer",
    metavar="NAME",
    shell_complete=optimizers,
    help="adamw (default), adam8bit, paged-adamw-8bit, sgd …",
)
@click.option("--recompute", metavar="NAME", help="Checkpoints: none, selective or full; default: what fits fastest.")
@click.option("--framework", metavar="NAME", help="transformers (default), torchtune, litgpt, unsloth, nemo …")
@click.option("--gpus-per-node", metavar="N", help="Accelerators of one node.")
@click.option("--interconnect", metavar="TEXT", help="Network: 400 Gbit/s (of each accelerator).")
@click.option(
    "--provider", metavar="NAME", shell_complete=providers, help="Whose prices: `outlay show prices` lists them."
)
@click.option("--tier", metavar="TIER", shell_complete=tiers, help="on-demand (default), spot, reserved or owned.")
@terms_options
@click.option("--interval", metavar="PERCENT", help="Share of runs that ranges are to hold: 80 (default), 95.")
@click.option("--strict", is_flag=True, help="Exit with 3 if a line has no price.")
@catalog_option
@answer_options
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
    """Tune a trained model: in full, with adapters, by preference, from a teacher.

    MODEL is a name (`outlay show models`) or a Hugging Face config.json.

    \b
    outlay cost finetune llama-3-8b --method qlora --dataset alpaca --on rtx-4090
    outlay cost finetune llama-3-70b --examples 100k --length 600 --packing on \\
        --on h100-sxm:8 --rank 64 --epochs 2
    outlay cost finetune llama-3-8b --objective grpo --examples 10k --length 200 \\
        --answer-length 1024 --generation-rate 2500 --method full --on h100-sxm:16
    """
    form = prepare(output, format)
    check_apart(output, (model, asked.get("dataset"), *catalog))
    use_catalogs(catalog)
    given = {_LONG.get(name, name): value for name, value in asked.items() if value is not None}
    from outlay.cli.cache import keep_answer
    from outlay.scenarios.tuning.cost import cost_finetune
    from outlay.statement import to_json

    notes = tuple(
        f"--{name.replace('_', '-')} {given[_LONG.get(name, name)]} ({origin})"
        for name, origin in came_from(context).items()
        if _LONG.get(name, name) in given
    )
    statement = cost_finetune(model, **given, notes=notes)
    kept = keep_answer(to_json(statement, indent=None))
    emit(statement, format=form, output=output, kept=kept)
    return strictly(statement) if strict else 0


_LONG = {"batch": "global_batch"}
