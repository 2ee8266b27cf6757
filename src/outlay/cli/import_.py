"""`outlay import FILE`: a launch file as the options of `outlay cost training`."""

from __future__ import annotations

import sys

import click

from outlay.cli.answer import LARGEST, read_text
from outlay.cli.complete import accelerators
from outlay.cli.settings import Verb
from outlay.errors import InputError

LAUNCH_FILE = "the settings of a run"


@click.command(cls=Verb, name="import", example="outlay import run.sh")
@click.argument("file", metavar="FILE")
@click.option(
    "--from", "tool", metavar="TOOL", help="megatron, torchtitan, deepspeed or accelerate; default: as it looks."
)
@click.option("--on", metavar="NAME[:COUNT]", shell_complete=accelerators, help="Accelerators, for the command.")
@click.option("--ignore-unknown", is_flag=True, help="Leave out keys that the tool does not have.")
@click.option("--format", type=click.Choice(("text", "json")), metavar="FORMAT", help="text (default) or json.")
def command(file: str, tool: str | None, on: str | None, ignore_unknown: bool, format: str | None) -> int:
    """Read a launch file back into a layout, a batch and a model.

    Prints the command that prices the run. FILE is a script or list with Megatron's arguments, a torchtitan TOML, a
    DeepSpeed JSON or an accelerate YAML; - is the standard input.

    \b
    outlay import run.sh --on h100-sxm
    outlay cost training --import run.sh --on h100-sxm
    """
    if on is not None:  # the command that is printed must work
        from outlay.scenarios.named import read_chip, read_on

        read_chip(*read_on(on))
    text = text_of(file)
    from outlay.scenarios.training.launching import import_run, summary

    run = import_run(text, source=file, tool=tool, ignore_unknown=ignore_unknown)
    if format == "json":
        import json

        options = {**run.options(), "model": run.model, "devices": run.imported.devices, "from": run.imported.tool}
        answer = {"schema": "outlay/import/1", **options, "notes": list(run.imported.remarks)}
        print(json.dumps(answer, indent=2))
        return 0
    print(run.command(on=on or "NAME"), flush=True)
    for line in summary(run):
        print(f"note: {line}", file=sys.stderr)
    return 0


def text_of(file: str) -> str:
    """The text of a launch file; `-` is the standard input."""
    if file != "-":
        return read_text(file, what=LAUNCH_FILE)
    try:
        text = sys.stdin.read(LARGEST + 1)
    except UnicodeDecodeError as error:
        raise InputError(
            "the standard input is not text in UTF-8", expected=LAUNCH_FILE, hint="pipe the file itself"
        ) from error
    if len(text) > LARGEST:
        raise InputError(
            f"the standard input is larger than {LARGEST // 10**6} MB",
            expected=LAUNCH_FILE,
            hint="pipe the file itself",
        )
    return text
