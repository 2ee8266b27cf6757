"""What every answering verb shares: its output options, and the way from a result to the screen or a file."""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from outlay.cli.save import check_writable, save
from outlay.errors import InputError

if TYPE_CHECKING:
    from outlay.statement import Statement

FORMATS = ("text", "json", "csv", "md", "html")
SUFFIXES = {".txt": "text", ".json": "json", ".csv": "csv", ".md": "md", ".html": "html", ".htm": "html"}
LARGEST = 16 * 10**6
"""Bytes of a statement or a config that is still read: the largest that outlay writes is well below 1 MB."""

Verb = TypeVar("Verb", bound=Callable[..., Any])


def answer_options(verb: Verb) -> Verb:
    """Add `--format` and `-o` to a verb; they arrive as `format` and `output`."""
    return _with_format(
        click.option("-o", "--output", metavar="FILE", help="Write the answer to FILE, not to the screen.")(verb)
    )


def answer_options_of_tokens(verb: Verb) -> Verb:
    """The same for verbs whose `--output` are tokens of an answer: the file is `-o` or `--output-file`."""
    return _with_format(
        click.option(
            "output", "-o", "--output-file", metavar="FILE", help="Write the answer to FILE, not to the screen."
        )(verb)
    )


def _with_format(verb: Verb) -> Verb:
    return click.option(
        "--format", type=click.Choice(FORMATS), metavar="FORMAT", help="text (default), json, csv, md or html."
    )(verb)


def catalog_option(verb: Verb) -> Verb:
    """Add `--catalog FILE`, which may be given several times."""
    return click.option(
        "--catalog", metavar="FILE", multiple=True, help="Your own chips, machines, models and prices (TOML)."
    )(verb)


def use_catalogs(files: tuple[str, ...]) -> None:
    """Take in the user's facts: the folder in the configuration, then `files`."""
    if not files and not _user_folder().is_dir():
        return
    from outlay.catalog import use

    use(files)


def _user_folder() -> Path:
    """Where lasting facts of the user's own lie; looked at here, so that most questions need no TOML reader."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    return Path(base) / "outlay" / "catalog"


def prepare(output: str | None, format: str | None) -> str:
    """The format of the answer (by flag, else by the file's suffix, else text); a bad `-o` is refused before any work.

    >>> prepare(None, None), prepare(None, "csv")
    ('text', 'csv')
    """
    if output is None:
        return format or "text"
    if not output.strip():
        raise InputError(
            "`-o` is empty", expected="the name of a file", hint="write `-o answer.json`, or leave `-o` out"
        )
    path = Path(output)
    check_writable(path)
    usual = SUFFIXES.get(path.suffix.lower())
    if format is None and usual is None and re.fullmatch(r"\.[A-Za-z]\w*", path.suffix):
        raise InputError(
            f"`-o {output}` names a {path.suffix} file, which outlay does not write",
            expected=f"a file that ends in {', '.join(list(SUFFIXES)[:5])}",
            hint=f"write `-o {path.with_suffix('.html')}`, or add `--format text`",
        )
    if format is not None and usual not in (None, format):
        raise InputError(
            f"`-o {output}` names a {path.suffix} file, and `--format {format}` is not what belongs in one",
            expected="one format",
            hint=f"leave `--format` out, or write `-o {path.with_suffix('.txt' if format == 'text' else f'.{format}')}`",
        )
    return format or usual or "text"


def emit(thing: Any, *, format: str, output: str | None, kept: bool = False) -> None:
    """Render `thing` and print it, or save it; `kept` says that `outlay report` can print it again."""
    from outlay.render import render

    text = render(thing, format=format, width=80 if output else _width(), color=output is None and _color())
    emit_text(text, output=output, format=format, kept=kept)


def strictly(statement: Statement) -> int:
    """The exit code of `--strict`: 3 if a line has no price, and which ones they are."""
    unpriced = [line.name for line in statement.lines if not line.priced]
    if unpriced:
        print(f"--strict: no price for {', '.join(unpriced)}", file=sys.stderr)
    return 3 if unpriced else 0


def emit_text(text: str, *, output: str | None, format: str = "text", kept: bool = False) -> None:
    """Print `text`, or save it; what programs read is UTF-8 whatever the terminal can show."""
    text = text if text.endswith("\n") else text + "\n"
    if output is not None:
        save(Path(output), text, kept=kept)
        print(f"saved in {output}", file=sys.stderr)
        return
    if format != "text" and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)
    sys.stdout.flush()


def read_text(path: str, *, what: str) -> str:
    """The text of a file that a user named.

    :raises InputError: for a folder, a missing, unreadable, too large or binary file.
    """
    file = Path(path)
    hint = f"name a file with {what}"
    if file.is_dir():
        raise InputError(f"`{path}` is a folder", expected=f"a file with {what}", hint=hint)
    try:
        with file.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror or error}", hint=hint) from error
    if len(raw) > LARGEST:
        raise InputError(f"`{path}` is larger than {LARGEST // 10**6} MB", expected=what, hint=hint)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"`{path}` is not text in UTF-8", expected=what, hint=hint) from error


def _width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return max(40, min(shutil.get_terminal_size((80, 24)).columns, 120)) if sys.stdout.isatty() else 80


def _color() -> bool:
    """Colour only on a terminal, and never against `NO_COLOR` (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
