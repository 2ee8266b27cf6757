"""`outlay cost training MODEL`: what a pre-training costs, line by line."""

from __future__ import annotations

from typing import Any

import click

from outlay.cli.answer import answer_options, catalog_option, emit, prepare, strictly, use_catalogs
from outlay.cli.complete import accelerators, models, optimizers, precisions, providers, tiers
from outlay.cli.export import check_target, deliver, export_options
from outlay.cli.save import check_apart
from outlay.cli.settings import Verb, came_from
from outlay.cli.terms import terms_options


@click.command(cls=Verb, name="training", example="outlay cost training llama-3-8b --tokens 1T --on h100-sxm:64")
@click.argument("model", metavar="MODEL|config.json", shell_complete=models, required=False)
@click.option("--tokens", metavar="N", help="Tokens to train on: 1T, 300B, 15.6e12.")
@click.option(
    "--stages", metavar="FILE.csv", help="Stages of the run: columns stage, tokens; seq, batch, precision, layout, on …"
)
@click.option("--done", metavar="N", help="Tokens of these that are trained already.")
@click.option("--on", metavar="NAME:COUNT", shell_complete=accelerators, help="Accelerators: h100-sxm:256.")
@click.option("--layout", metavar="LAYOUT", help="auto (default), or degrees to fix: tp=8,pp=4,zero=fsdp.")
@click.option("--seq", metavar="N", help="Tokens of a sequence.")
@click.option("--batch", metavar="N", help="Sequences of a step (512), or tokens of it (4M tokens).")
@click.option(
    "--precision",
    metavar="NAME",
    shell_complete=precisions,
    help="bf16 (default where there is), fp16, fp8, tf32, fp32 …",
)
@click.option(
    "--optimizer",
    metavar="NAME",
    shell_complete=optimizers,
    help="adamw (default), adam8bit, adafactor, lion, muon, sgd.",
)
@click.option("--recompute", metavar="NAME", help="none, selective or full; default: what fits fastest.")
@click.option("--framework", metavar="NAME", help="What runs it: megatron-core, nemo, torchtitan, deepspeed …")
@click.option("--gpus-per-node", metavar="N", help="Accelerators of one node.")
@click.option("--interconnect", metavar="TEXT", help="Network: 400 Gbit/s (of each accelerator), 8x 400 Gbit/s.")
@click.option(
    "--provider", metavar="NAME", shell_complete=providers, help="Whose prices: `outlay show prices` lists them."
)
@click.option("--tier", metavar="TIER", shell_complete=tiers, help="on-demand (default), spot, reserved or owned.")
@terms_options
@click.option("--interval", metavar="PERCENT", help="Share of runs that ranges are to hold: 80 (default), 95.")
@click.option("--import", "launch", metavar="FILE", help="Price the run of a launch file (`outlay import --help`).")
@click.option("--ignore-unknown", is_flag=True, help="With --import: leave out keys that its tool does not have.")
@export_options
@click.option("--strict", is_flag=True, help="Exit with 3 if a line has no price.")
@catalog_option
@answer_options
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    format: str | None,
    output: str | None,
    strict: bool,
    catalog: tuple[str, ...],
    launch: str | None,
    ignore_unknown: bool,
    export: tuple[str, ...],
    overwrite: bool,
    **asked: Any,
) -> int:
    """Train a model from scratch on a number of tokens.

    MODEL is a name (`outlay show models`) or a Hugging Face config.json.

    \b
    outlay cost training llama-3-8b --tokens 15T --on h100-sxm:64
    outlay cost training llama-3-8b --tokens 1T --on h100-sxm:64 --export megatron
    outlay cost training --import run.sh --on h100-sxm
    outlay cost training config.json --tokens 1T --on a100-sxm-80gb:512 \\
        --layout tp=4,pp=2 --seq 4096 --batch "4M tokens" --provider lambda
    """
    check_target(export, output, format, overwrite=overwrite)
    form = "text" if export else prepare(output, format)
    check_apart(output, (asked.get("model"), launch, *catalog))
    use_catalogs(catalog)
    origins = came_from(context)
    asked = _renamed(asked)
    run_notes: tuple[str, ...] = ()
    if launch is not None:
        asked, run_notes = _imported(launch, ignore_unknown, asked)
    _require(context, asked)
    model = asked.pop("model")
    if export:
        from outlay.scenarios.training_plan.exporting import export_training

        deliver(export_training(model, export, **asked), output, overwrite=overwrite)
        return 0
    from outlay.cli.cache import keep_answer
    from outlay.scenarios.training.cost import cost_training

    notes = tuple(
        f"--{name.replace('_', '-')} {asked[_LONG.get(name, name)]} ({origin})"
        for name, origin in origins.items()
        if _LONG.get(name, name) in asked
    )
    statement = cost_training(model, **asked, notes=(*notes, *run_notes))
    from outlay.statement import to_json

    kept = keep_answer(to_json(statement, indent=None))
    emit(statement, format=form, output=output, kept=kept)
    return strictly(statement) if strict else 0


def _imported(launch: str, ignore_unknown: bool, asked: dict[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What was asked, completed by a launch file; and what the file says that was not counted."""
    from outlay.cli.import_ import text_of
    from outlay.scenarios.training.launching import import_run, question_of

    run = import_run(text_of(launch), source=launch, ignore_unknown=ignore_unknown, model=asked.get("model"))
    notes = (f"Read from {launch} ({run.imported.tool}).", *(f"{launch}: {remark}." for remark in run.imported.remarks))
    return question_of(run, asked), notes


def _require(context: click.Context, asked: dict[str, Any]) -> None:
    """Refuse a question without its three facts, the first that is missing first."""
    for parameter in context.command.params:
        if parameter.name == "tokens" and asked.get("stages") is not None:  # they have tokens of their own
            continue
        if parameter.name in ("model", "tokens", "on") and asked.get(parameter.name) is None:
            raise click.MissingParameter(ctx=context, param=parameter)


_LONG = {"seq": "sequence_length", "batch": "global_batch"}


def _renamed(asked: dict[str, Any]) -> dict[str, Any]:
    """Flags are short, parameters are the field's words; what was not given is left to the scenario."""
    return {_LONG.get(name, name): value for name, value in asked.items() if value is not None}
