"""`--export`: launch files to the screen, a file or a folder."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from outlay.cli.save import check_writable, save
from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.scenarios.training_plan.exporting import Exported

TOOLS = ("torchtitan", "megatron", "deepspeed", "accelerate", "fsdp2", "nemo", "slurm", "skypilot")

Verb = TypeVar("Verb", bound=Callable[..., Any])


def export_options(verb: Verb) -> Verb:
    """Add `--export TOOL`, which may be given several times, and `--overwrite`."""
    verb = click.option("--overwrite", is_flag=True, help="With --export: replace launch files that are there.")(verb)
    return click.option(
        "--export",
        type=click.Choice(TOOLS),
        multiple=True,
        metavar="TOOL",
        help="Write the launch file in place of the statement: torchtitan, megatron, deepspeed, accelerate, fsdp2, nemo, "
        "slurm, skypilot. -o names a file, or a folder for several.",
    )(verb)


def check_target(tools: Sequence[str], output: str | None, format: str | None, *, overwrite: bool) -> None:
    """Refuse, before any work, a place that the files cannot go to.

    :raises InputError: for several tools and no folder, for a format, and for a file that is there.
    """
    if overwrite and not tools:
        raise InputError("`--overwrite` goes with `--export`", hint="leave `--overwrite` out, or add `--export TOOL`")
    if not tools:
        return
    if format is not None:
        raise InputError(
            f"`--format {format}` goes with statements", expected="the tool's own format", hint="leave `--format` out"
        )
    if output is not None and not output.strip():
        raise InputError("`-o` is empty", expected="a file or a folder", hint="write `-o launch/`, or leave `-o` out")
    if len(set(tools)) > 1 and (output is None or not _is_folder(output)):
        raise InputError(
            f"{len(set(tools))} files cannot go to one place", expected="a folder", hint="write `-o launch/`"
        )
    if output is not None and not _is_folder(output):
        check_writable(Path(output))
        _check_free([Path(output)], overwrite=overwrite)


def deliver(exported: Exported, output: str | None, *, overwrite: bool) -> None:
    """Print the one file, or save it, or all of them under their own names in a folder; notes and remarks go to stderr."""
    files = exported.files
    if output is not None:
        folder = Path(output) if _is_folder(output) else None
        paths = [folder / file.name if folder else Path(output) for file in files]
        _check_free(paths, overwrite=overwrite)  # all of them before the first is written
        if folder:
            _make(folder)
        for path, file in zip(paths, files, strict=True):
            save(path, file.text)
            if file.name.endswith((".sh", ".sbatch")) and path.is_file():
                path.chmod(path.stat().st_mode | 0o111)
            print(f"saved in {path}", file=sys.stderr)
    for file in files:
        if output is None:
            sys.stdout.write(file.text)
            sys.stdout.flush()
        for remark in file.remarks:
            print(f"note: {remark}", file=sys.stderr)
    for note in exported.notes:
        print(f"note: {note}", file=sys.stderr)


def _check_free(paths: Sequence[Path], *, overwrite: bool) -> None:
    """A launch file is edited after it is written: it is not replaced unless somebody says so."""
    there = [path for path in paths if path.is_file()]
    if there and not overwrite:
        raise InputError(
            f"{' and '.join(f'`{path}`' for path in there)} {'is' if len(there) == 1 else 'are'} there already",
            expected="a new file",
            hint="write `--overwrite` to replace it, or another `-o`",
        )


def _is_folder(output: str) -> bool:
    return output.endswith("/") or Path(output).is_dir()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder `{folder}` cannot be made: {error.strerror or error}", hint="name another: `-o launch/`"
        ) from error
