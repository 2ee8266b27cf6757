"""Screens that cog prints into Markdown, so that no page holds by hand what outlay prints.

Run by `make docs` (rewrite) and `make check` (compare). Each screen is a real process, 80 columns wide and without
colour, in an empty folder, with a configuration and cache of its own, on a fixed date: no page changes overnight.
"""

from __future__ import annotations

import datetime
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

TODAY = "1795651200"  # 2026-11-26, as SOURCE_DATE_EPOCH: the age of a price is counted to this day


def day() -> datetime.date:
    """The day of the screens."""
    return datetime.datetime.fromtimestamp(int(TODAY), tz=datetime.UTC).date()


def _out(text: str) -> None:
    """Text into the page that cog is filling."""
    import cog  # type: ignore[import-not-found]  # cog offers it while it runs

    cog.outl(text)


class Desk:
    """An empty folder in which commands run one after another; the page shows them and what they print."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="outlay-screens-")
        self.path = Path(self._folder.name) / "my-model"
        self.path.mkdir()

    def _environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("OUTLAY_", "XDG_"))}
        home = self._folder.name
        return kept | {
            "COLUMNS": "80",
            "NO_COLOR": "1",
            "PYTHONIOENCODING": "utf-8",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}",
            "SOURCE_DATE_EPOCH": TODAY,
            "XDG_CACHE_HOME": f"{home}/cache",
            "XDG_CONFIG_HOME": f"{home}/config",
        }

    def file(self, name: str, text: str, *, language: str = "", show: bool = True) -> None:
        """Write a file that later commands read, and show it under its name."""
        text = text.strip() + "\n"
        (self.path / name).write_text(text, encoding="utf-8")
        if show:
            _out(f'\n```{language or Path(name).suffix[1:]} title="{name}"\n{text}```\n')

    def run(self, *commands: str, exits: int = 0, until: str = "") -> None:
        """Show `commands` as typed and what each prints on both streams; all must exit with `exits`.

        What follows the line `until` is left out.
        """
        _out("\n```console")
        for command in commands:
            text = self._output(command, exits)
            if until:
                shown, found, _ = text.partition(f"\n{until}\n")
                if not found:
                    raise SystemExit(f"`{command}` does not print the line `{until}`:\n{text}")
                text = f"{shown.rstrip()}\n…"
            _out(f"$ {command}")
            if text:
                _out(text)
        _out("```\n")

    def _output(self, command: str, exits: int) -> str:
        done = subprocess.run(
            command,
            shell=True,
            cwd=self.path,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        if done.returncode != exits:
            raise SystemExit(f"`{command}` exited with {done.returncode}, the page says {exits}:\n{done.stdout}")
        return "\n".join(line.rstrip() for line in done.stdout.replace(str(self.path), ".").splitlines()).strip("\n")


def screen(*commands: str, exits: int = 0, until: str = "") -> None:
    """One screen on a desk of its own."""
    Desk().run(*commands, exits=exits, until=until)


def command_line() -> None:
    """Every verb's `--help`, in the order of `outlay --help`."""
    import click

    from outlay.cli.main import cli

    def walk(command: click.Command, names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield names
        if isinstance(command, click.Group):
            context = click.Context(command, info_name=names[-1])
            for name in command.list_commands(context):
                member = command.get_command(context, name)
                if member is not None and not member.hidden:
                    yield from walk(member, (*names, name))

    desk = Desk()
    for names in walk(cli, ("outlay",)):
        _out(f"\n{'#' * (1 + len(names))} {shlex.join(names)}")
        desk.run(shlex.join([*names, "--help"]))
