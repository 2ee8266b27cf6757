"""What machines there are, typed or in a file."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from outlay.errors import InputError, each
from outlay.scenarios.named import MOST_DEVICES, read_chip

_EXAMPLE = "write `--have h100-sxm:64,a100-sxm-80gb:128`"


def read_inventory(text: str) -> dict[str, int]:
    """Read `h100-sxm:64,a100-sxm-80gb:128`, or a CSV file with the columns accelerator and count: each accelerator once."""
    if text.strip().lower().endswith(".csv"):
        text = ",".join(_listed(Path(text.strip())))
    had: dict[str, int] = {}
    for chip, number in each(_counted, names_in(text, "--have", _EXAMPLE)):
        if chip in had:
            raise InputError(f"`--have` names {chip} twice", hint="write one count for each accelerator")
        had[chip] = number
    return had


def _counted(part: str) -> tuple[str, int]:
    """Name and count of one part of `--have`."""
    name, colon, number = part.rpartition(":")
    if not colon or not re.fullmatch(r"\s*[0-9]+\s*", number) or not 0 < int(number) <= MOST_DEVICES:
        raise InputError(f"`--have {part}`", expected="NAME:COUNT", hint=_EXAMPLE)
    return chip_named(name.strip(), "--have", count=int(number)), int(number)


def _listed(path: Path) -> Iterator[str]:
    """`NAME:COUNT` of each row of an inventory."""
    columns = ("accelerator", "count")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            if missing:
                raise InputError(
                    f"`--have {path}` has no column `{missing[0]}`",
                    expected="the columns accelerator and count",
                    hint="write a first line `accelerator,count`",
                )
            found = False
            for row in reader:
                name, number = ((row[column] or "").strip() for column in columns)
                if not re.fullmatch(r"[0-9]+", number) or int(number) > MOST_DEVICES:
                    raise InputError(
                        f"`--have {path}`, line {reader.line_num}: the count of {name or 'nothing'} is `{number}`",
                        expected="a whole number",
                        hint="write `h100-sxm,64`",
                    )
                try:
                    chip = read_chip(name, int(number) or 1).name
                except InputError as error:
                    raise InputError(
                        f"`--have {path}`, line {reader.line_num}: {error.message}",
                        hint=error.hint or "correct the name",
                    ) from None
                if int(number):
                    found = True
                    yield f"{chip}:{number}"
            if not found:
                raise InputError(f"`--have {path}` lists no machines", hint="write rows such as `h100-sxm,64`")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or "it is no text in UTF-8"
        raise InputError(
            f"`--have {path}` cannot be read: {why}", expected="a CSV file", hint="write `--have h100-sxm:64`"
        ) from None


def chip_named(name: str, flag: str, *, count: int | None = None) -> str:
    """The catalog's name of an accelerator of `flag`; errors offer what that flag takes."""
    try:
        return read_chip(name, count or 8).name
    except InputError as error:
        shown = error.hint.replace("`--on ", f"`{flag} ")
        if count is None:
            shown = shown.replace(":8`", "`")
        error.hint = shown
        raise


def names_in(text: str, flag: str, hint: str = "") -> Iterable[str]:
    names = [part.strip() for part in text.split(",")]
    if not text.strip():
        raise InputError(f"`{flag}` is empty", hint=hint or f"write `{flag} NAME`, or leave it out")
    if not all(names):
        raise InputError(f"`{flag} {text}` has an empty name", hint=hint or f"write `{flag} NAME,NAME`")
    return names
