"""Groups of verbs whose files are imported when the verb is used.

`outlay --help` reads the one-line helps from a table, so no verb is imported to list them;
a test holds that table against the verbs themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import click

from outlay.errors import InputError, UnknownName


class LazyGroup(click.Group):
    """A group whose members are named by `"module:attribute"` and a one-line help."""

    def __init__(self, name: str, *, verbs: Mapping[str, tuple[str, str]], help: str, epilog: str = "") -> None:
        super().__init__(name, help=help, epilog=epilog or None, context_settings={"max_content_width": 80})
        self.verbs = dict(verbs)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of the table (that of the questions, not of the alphabet)."""
        return list(self.verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb `cmd_name`, imported now."""
        if cmd_name not in self.verbs:
            return None
        module, _, attribute = self.verbs[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, but an unknown verb is said in our own words."""
        name = args[0]
        if name not in self.verbs and not name.startswith("-"):
            if name == "export":
                raise InputError(
                    "`export` is an option, not a verb",
                    hint="write `outlay plan serving llama-3-8b --rate 5/s --export vllm`",
                )
            raise UnknownName("verb", name, self.verbs, listing=f"{ctx.command_path} --help")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs with their one-line helps, without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, line) for name, (_, line) in self.verbs.items()])
