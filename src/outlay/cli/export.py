"""`--export`: launch files to the screen, a file or a folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from outlay.cli.save import check_writable, save
from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.training.launch import Written

TOOLS = ("torchtitan", "megatron", "deepspeed", "accelerate", "fsdp2", "nemo", "slurm", "skypilot")


def check_target(tools: Sequence[str], output: str | None, format: str | None) -> None:
    """Refuse, before any work, a place that the files cannot go to.

    :raises InputError: for several tools and no folder, and for a format.
    """
    if format is not None:
        raise InputError(
            f"`--format {format}` goes with statements", expected="the tool's own format", hint="leave `--format` out"
        )
    if len(set(tools)) > 1 and (output is None or not _is_folder(output)):
        raise InputError(
            f"{len(set(tools))} files cannot go to one place", expected="a folder", hint="write `-o launch/`"
        )
    if output is not None and not _is_folder(output):
        check_writable(Path(output))


def deliver(files: Sequence[Written], output: str | None) -> None:
    """Print the one file, or save it, or all of them under their own names in a folder; remarks go to stderr."""
    for file in files:
        if output is None:
            sys.stdout.write(file.text)
            sys.stdout.flush()
        else:
            path = Path(output) / file.name if _is_folder(output) else Path(output)
            if _is_folder(output):
                _make(path.parent)
            save(path, file.text)
            if file.name.endswith((".sh", ".sbatch")) and path.is_file():
                path.chmod(path.stat().st_mode | 0o111)
            print(f"saved in {path}", file=sys.stderr)
        for remark in file.remarks:
            print(f"note: {remark}", file=sys.stderr)


def _is_folder(output: str) -> bool:
    return output.endswith("/") or Path(output).is_dir()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder `{folder}` cannot be made: {error.strerror or error}", hint="name another: `-o launch/`"
        ) from error
