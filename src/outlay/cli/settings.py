"""Where an option's value comes from: flag, `OUTLAY_…` variable, `outlay.toml`, default; in this order.

`outlay.toml` is read from the current folder. Keys at the top serve every verb that has the option; a table serves one verb::

    format = "md"
    [cost.training]
    provider = "lambda"
    gpus-per-node = 8

A key or variable that no verb knows is an error, with the nearest name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from outlay.errors import InputError, UnknownName

FILE = "outlay.toml"
PREFIX = "OUTLAY_"


class Verb(click.Command):
    """A verb whose options also come from the environment and from `outlay.toml`."""

    def __init__(self, *args: Any, example: str = "", instead: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.example = example
        """What to write, for whoever left something out."""
        self.instead = instead or {}
        """Hints for options of other verbs that this one has not, by what it has instead."""
        self.context_settings = {"max_content_width": 80, **self.context_settings}
        for parameter in self.params:
            if isinstance(parameter, click.Option) and parameter.envvar is None and parameter.name:
                parameter.envvar = PREFIX + parameter.name.upper()

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse `args`, with the file's values as defaults."""
        completing = bool(extra.get("resilient_parsing")) or (parent is not None and parent.resilient_parsing)
        if not completing and parent is not None:
            path = (*parent.command_path.split()[1:], info_name or "")
            extra["default_map"] = settings_of(path, self, parent.find_root().command)
        return super().make_context(info_name, args, parent, **extra)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse an option that is given twice, of which the first would be dropped without a word."""
        try:
            if not ctx.resilient_parsing:
                refuse_twice(self, ctx, args)
            return super().parse_args(ctx, args)
        except click.UsageError as error:  # so that hints name this verb
            error.ctx = error.ctx or ctx
            raise


def refuse_twice(verb: click.Command, context: click.Context, args: list[str]) -> None:
    """An error for an option that takes one value and was given several."""
    _, _, order = verb.make_parser(context).parse_args(args=list(args))
    for option in order:
        single = isinstance(option, click.Option) and not (option.multiple or option.is_flag or option.count)
        if single and order.count(option) > 1:
            flag = max(option.opts, key=len)
            raise InputError(f"`{flag}` is given twice", expected="one value", hint="leave one of them out")


def came_from(context: click.Context) -> dict[str, str]:
    """The options that were given neither by a flag nor by default, and where they came from."""
    words = {ParameterSource.ENVIRONMENT: "environment", ParameterSource.DEFAULT_MAP: FILE}
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name: words[source] for name, source in sources.items() if source in words}


def settings_of(path: tuple[str, ...], verb: click.Command, root: click.Command) -> dict[str, Any]:
    """What `outlay.toml` says for the verb at `path`, by option name.

    :raises InputError: for a file that cannot be read, and for a key or a variable that no verb has.
    """
    mine = _options(verb)
    strange = [name for name in os.environ if name.startswith(PREFIX) and name[len(PREFIX) :].lower() not in mine]
    if strange:
        known = {PREFIX + name.upper() for name in _all_options(root)}
        for name in sorted(strange):
            if name not in known:
                raise _unknown("environment variable", name, known)
    document = _read(Path(FILE))
    if not document:
        return {}
    values = _flat(document, mine, root)
    _check_tables(document, root, ())
    table: Any = document
    for step in path:
        table = table.get(step, {})
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in mine:
            raise _unknown(f"key of `[{'.'.join(path)}]` in {FILE}", key, {entry.replace("_", "-") for entry in mine})
        values[name] = _value(key, value, mine[name])
    return values


def _flat(document: Mapping[str, Any], mine: Mapping[str, click.Option], root: click.Command) -> dict[str, Any]:
    """The keys at the top of the file that the verb has; the others must belong to some verb."""
    values: dict[str, Any] = {}
    for key, value in document.items():
        name = key.replace("-", "_")
        if isinstance(value, Mapping):
            continue
        if name in mine:
            values[name] = _value(key, value, mine[name])
        elif name not in (known := _all_options(root)):
            raise _unknown(f"key of {FILE}", key, {entry.replace("_", "-") for entry in known})
    return values


def _check_tables(table: Mapping[str, Any], group: click.Command, path: tuple[str, ...]) -> None:
    """Refuse a table that names no verb, and a key in the table of a group, which no verb would read."""
    verbs = getattr(group, "verbs", {})
    for key, value in table.items():
        where = ".".join((*path, key))
        if isinstance(value, Mapping):
            if key not in verbs:
                raise UnknownName(
                    f"verb (table `[{where}]` of {FILE})", key, verbs, listing=" ".join(("outlay", *path, "--help"))
                )
            member = group.get_command(click.Context(group), key) if isinstance(group, click.Group) else None
            if isinstance(member, click.Group):
                _check_tables(value, member, (*path, key))
        elif path:
            verb = ".".join((*path, next(iter(verbs), "verb")))
            raise InputError(
                f"`{key}` in the table `[{path[-1]}]` of {FILE}",
                expected="options under the verb that takes them",
                hint=f"write it under `[{verb}]`, or at the top of the file",
            )


def _value(key: str, value: Any, option: click.Option) -> Any:
    if isinstance(value, list) and option.multiple:
        return [str(entry) for entry in value]
    if isinstance(value, bool | int | float | str):
        if option.is_flag and not isinstance(value, bool | str):
            raise InputError(f"`{key}` in {FILE} is {value}", expected="true or false", hint=f"write `{key} = true`")
        if option.multiple:
            return [str(value)]
        return value if option.is_flag else str(value)
    raise InputError(
        f"`{key}` in {FILE} is {type(value).__name__}",
        expected="a string or a number",
        hint=f'write it as on the command line, in quotes: `{key} = "…"`',
    )


def _unknown(what: str, name: str, known: set[str]) -> InputError:
    """Unknown names of keys: the nearest, and where the right ones are listed."""
    return UnknownName(what, name, sorted(known), listing="outlay VERB --help")


def _options(command: click.Command) -> dict[str, click.Option]:
    return {entry.name: entry for entry in command.params if isinstance(entry, click.Option) and entry.name}


def _all_options(root: click.Command) -> set[str]:
    """The options of every verb: imports them all, so only a suspect key comes here."""
    return {name for verb in _leaves(root) for name in _options(verb)}


def _leaves(command: click.Command) -> Iterator[click.Command]:
    if not isinstance(command, click.Group):
        yield command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        member = command.get_command(context, name)
        if member is not None:
            yield from _leaves(member)


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    import tomllib

    if not path.is_file():
        raise InputError(f"`{path}` is not a plain file", hint="options are kept there, as `key = value` lines")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"`{path}` cannot be read: {error}", hint='it is TOML: `key = "value"`, one a line') from error
