"""The user's own facts: TOML files that add rows to the tables or change them, marked as `yours`.

Files come from `--catalog FILE` and from `outlay/catalog/*.toml` in the user's configuration folder
(`$XDG_CONFIG_HOME`, or `~/.config`). All mistakes of all files are told at once.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from outlay.catalog import rows
from outlay.catalog.entries import accelerator_row, grid_row, model_facts, price_row, server_row
from outlay.catalog.published import ModelFacts, add_models, restore_models
from outlay.errors import InputError

MAX_BYTES = 4 * 2**20
TABLES = ("accelerator", "server", "price", "grid", "model")


class Used:
    """What :func:`use` did; as a context it is undone at the end, otherwise it lasts for the process."""

    def __init__(self, files: tuple[Path, ...]) -> None:
        self.files = files

    def __enter__(self) -> Used:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        restore()


def user_files() -> tuple[Path, ...]:
    """The TOML files of the user's configuration folder, in alphabetical order."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    folder = Path(base).expanduser() / "outlay" / "catalog"
    try:
        return tuple(sorted(path for path in folder.glob("*.toml") if path.is_file()))
    except OSError:
        return ()


def use(files: Iterable[str | Path] = (), *, folder: bool = True) -> Used:
    """Take in the user's folder (unless `folder` is False) and then `files`, in place of what was taken in before.

    A later entry comes before an earlier one of the same name. Raises one :class:`InputError` that names the file,
    entry and key of everything that is wrong; the catalog is then as shipped.

    >>> with use(folder=False) as used:
    ...     used.files
    ()
    """
    paths = (*(user_files() if folder else ()), *(Path(file).expanduser() for file in files))
    restore()
    if not paths:
        return Used(())
    problems: list[str] = []
    entries = [entry for path in paths for entry in _read(path, problems)]
    if not problems:
        _take(entries, problems)
    if problems:
        restore()
        count = "a mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        raise InputError(
            f"the catalog files hold {count}",
            details=problems,
            hint="keys and units are those of docs/reference/catalog.md; nothing was taken from these files",
        )
    return Used(paths)


def restore() -> None:
    """The catalog as shipped."""
    restore_models()
    rows.restore()


def _read(path: Path, problems: list[str]) -> list[tuple[str, str, Path, dict[str, Any]]]:
    """Checked entries of one file: table, label for messages, file, values."""
    try:
        if path.is_fifo():  # it would be waited for, perhaps for ever
            problems.append(f"{path}: not a plain file")
            return []
        if path.is_file() and path.stat().st_size > MAX_BYTES:
            problems.append(f"{path}: larger than {MAX_BYTES // 2**20} MiB")
            return []
        document = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        problems.append(f"{path}: {(error.strerror or str(error)).lower()}")
        return []
    except UnicodeDecodeError:
        problems.append(f"{path}: not UTF-8 text")
        return []
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        problems.append(f"{path}: not TOML: {error}")
        return []
    entries = []
    for table, listed in document.items():
        if table not in TABLES:
            problems.append(f"{path}: `{table}` is not a table{_meant(table, TABLES)}")
        elif not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
            problems.append(f"{path}: `{table}` must be a list of entries, each under `[[{table}]]`")
        else:
            names: set[object] = set()
            for number, entry in enumerate(listed, 1):
                named = entry.get("name") or entry.get("provider")
                label = f"{path}: [[{table}]] {number}" + (f" (`{named}`)" if isinstance(named, str) else "")
                if isinstance(name := entry.get("name"), str):
                    if name.lower() in names:
                        problems.append(f"{label}: the name stands in this file twice")
                    names.add(name.lower())
                entries.extend(_checked(table, label, path, entry, problems))
    return entries


def _checked(
    table: str, label: str, path: Path, entry: dict[str, Any], problems: list[str]
) -> list[tuple[str, str, Path, dict[str, Any]]]:
    from pydantic import ValidationError

    from outlay.catalog import schema

    kind = schema.TABLES[table]
    try:
        checked = kind.model_validate(entry)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            key = str(problem["loc"][0]) if problem["loc"] else table
            if problem["type"] == "extra_forbidden":
                problems.append(f"{label}: `{key}` is not a key{_meant(key, kind.model_fields)}")
            elif problem["type"] == "missing":
                problems.append(f"{label}: `{key}` is missing")
            else:
                expected = str(problem["msg"]).removeprefix("Input ").replace("should", "must")
                if problem["type"] == "string_pattern_mismatch":
                    expected = "must be like 2026-05-24" if key == "date" else "must be 1 to 80 characters without `;`"
                problems.append(f"{label}: `{key}` is {_shown(problem['input'])}: {expected}")
        return []
    return [(table, label, path, checked.model_dump(exclude_unset=True))]


def _take(entries: list[tuple[str, str, Path, dict[str, Any]]], problems: list[str]) -> None:
    """Turn entries into rows, accelerators first, because servers and prices name them."""
    makers = {"accelerator": accelerator_row, "server": server_row, "price": price_row, "grid": grid_row}
    models: list[ModelFacts] = []
    for table, label, path, values in sorted(entries, key=lambda entry: TABLES.index(entry[0])):
        try:
            if table == "model":
                models.append(model_facts(values, path))
            else:
                rows.extend(f"{table}s", [makers[table](values, path)])
        except InputError as error:
            problems.append(f"{label}: {error.message} ({error.hint})")
    add_models(models)


def _meant(key: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, list(known), n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else f"; known: {', '.join(known)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"
