"""The entry: which verbs there are, and how every way to fail is said.

Exit codes: 0 answered, yes · 1 answered, no · 2 asked wrongly · 3 answered in part · 70 our bug ·
130 interrupted · 141 the reader of our output went away.
"""

from __future__ import annotations

import errno
import gc
import os
import re
import shutil
import sys
from collections.abc import Sequence

import click

import outlay
from outlay.cli.lazy import LazyGroup
from outlay.errors import DoesNotFit, InputError

VERBS = {
    "cost": ("outlay.cli.cost:command", "What will it cost? A statement, line by line."),
    "plan": ("outlay.cli.plan:command", "What is the best way, on machines that can be had?"),
    "compare": ("outlay.cli.compare:command", "Own machines, or somebody's API?"),
    "size": ("outlay.cli.size:command", "Which model is worth training for a budget?"),
    "show": ("outlay.cli.show:command", "Chips, models, prices, APIs, engines, laws; with age and source."),
    "diff": ("outlay.cli.diff:command", "Subtract one statement from another."),
    "explain": ("outlay.cli.explain:command", "How one figure came about, down to its sources."),
    "cite": ("outlay.cli.cite:command", "The sources behind a statement."),
    "report": ("outlay.cli.report:command", "Print a saved statement again, in any format."),
    "import": ("outlay.cli.import_:command", "Read a launch file back into a layout, a batch and a model."),
    "validate": ("outlay.cli.validate:command", "Predict measured runs, and print the error."),
}

EPILOG = """\b
Try:  outlay cost training llama-3-8b --tokens 1T --on h100-sxm:256
Completion:  eval "$(_OUTLAY_COMPLETE=bash_source outlay)"  (or zsh_…, fish_…)
Exit codes: 0 yes, 1 no (does not fit), 2 asked wrongly, 3 in part, 70 a bug."""

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""A short process makes modules and classes that live to its end: looking for garbage among them every 700 is in vain."""

cli = LazyGroup(
    "outlay",
    verbs=VERBS,
    help="What a deep-learning model costs, line by line, every figure sourced.",
    epilog=EPILOG,
)
cli.params.append(
    click.Option(
        ["--version"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        help="Print the version and exit.",
        callback=lambda context, option, value: _version(context, bool(value)),
    )
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line on `arguments` (default: those of the process) and give the exit code."""
    if sys.stdout is None:  # closed by whoever started us: the answer goes nowhere, but it is kept
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open to the end of the process
    _never_choke_on_letters()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        code = cli.main(
            args=list(sys.argv[1:] if arguments is None else arguments), prog_name="outlay", standalone_mode=False
        )
        sys.stdout.flush()
    except InputError as error:
        return _say(_wrapped(error.screen()), error.exit_code)
    except DoesNotFit as error:
        return _say(_wrapped(f"no: {error.message}\n\nhint: {error.hint}"), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        return _say(error.format_message(), 2)
    except click.ClickException as error:
        return _say(_click_error(error), 2)
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", 130)
    except BrokenPipeError:
        _close_stdout()
        return 141
    except SystemExit as stop:  # click's way to say that the reader went away; completion leaves by it too
        if stop.code != 1 or "_OUTLAY_COMPLETE" in os.environ:
            raise
        _close_stdout()
        return 141
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO):
            return _no_room(error)
        return _bug(error)
    return code if isinstance(code, int) else 0


def _version(context: click.Context, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        click.echo(f"outlay {outlay.__version__}")
        context.exit(0)


def _click_error(error: click.ClickException) -> str:
    """What click found wrong, as one sentence and a hint in our form."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "outlay"
    hint = f"`{path} --help` shows what it takes"
    if isinstance(error, click.NoSuchOption):
        import difflib

        asked = error.option_name.lstrip("-")
        near = [
            f"`{entry}`"
            for entry in (error.possibilities or ())
            if difflib.SequenceMatcher(None, asked, entry.lstrip("-")).ratio() >= 0.6
        ]
        message = f"`{path}` has no option `{error.option_name}`"
        hint = f"did you mean {' or '.join(near)}?" if near else hint
        hint = getattr(context.command, "instead", {}).get(error.option_name, hint) if context else hint
    elif isinstance(error, click.MissingParameter) and error.param is not None:
        name = error.param.opts[0] if isinstance(error.param, click.Option) else _metavar(error.param)
        message = f"`{name}` is missing"
        example = getattr(context.command, "example", "") if context else ""
        hint = f"write `{example}`" if example else hint
    elif isinstance(error, click.BadOptionUsage) and "requires an argument" in error.message:
        message = f"`{error.option_name}` has no value"
    elif (
        isinstance(error, click.BadParameter)
        and error.param is not None
        and isinstance(kind := error.param.type, click.Choice)
    ):
        said = re.match(r"'(.*?)' is not one of", error.message)
        shown = f"`{error.param.opts[0]}` is `{said[1]}`" if said else f"`{error.param.opts[0]}`"
        message = f"{shown}: expected one of {', '.join(map(str, kind.choices))}"
    else:
        message = error.format_message().rstrip(".")
        message = message[:1].lower() + message[1:] if not message[:2].isupper() else message
    return f"error: {message}\n\nhint: {hint}"


def _wrapped(screen: str) -> str:
    """The details on lines of at most 80 columns; the error and its hint stay whole where a program may search for them, and
    are broken between words on a terminal."""
    shown = sys.stderr is not None and sys.stderr.isatty()
    width = max(min(shutil.get_terminal_size((80, 24)).columns, 120), 40) if shown else 80
    lines = []
    for line in screen.split("\n"):
        if (shown or line.startswith("  ")) and len(line) > width:
            import textwrap

            indent = "    " if line.startswith("  ") else "  "
            lines += textwrap.wrap(
                line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
        else:
            lines.append(line)
    return "\n".join(lines)


def _metavar(parameter: click.Parameter) -> str:
    """What an argument is called in the help."""
    return str(parameter.metavar or parameter.human_readable_name)


def _bug(error: BaseException) -> int:
    import traceback

    from outlay.cli.cache import keep_traceback

    kept = keep_traceback("".join(traceback.format_exception(error)) + f"\narguments: {sys.argv[1:]}\n")
    where = f"the trace is in `{kept}`" if kept else "the trace could not be saved"
    reason = " ".join(str(error).split())[:200]
    return _say(
        f"error: outlay failed ({type(error).__name__}: {reason}); this is our bug, not your mistake\n\n"
        f"hint: {where}; please report it with the command that you ran",
        70,
    )


def _no_room(error: OSError) -> int:
    _close_stdout()
    return _say(
        f"error: the answer cannot be written: {error.strerror}\n\n"
        "hint: free some space, or write elsewhere with `-o FILE`, and ask again",
        2,
    )


def _say(message: str, code: int) -> int:
    """Print `message` on stderr; an answer that was begun on stdout is flushed before it."""
    try:
        sys.stdout.flush()
    except OSError:
        _close_stdout()
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        pass
    return code


def _never_choke_on_letters() -> None:
    """A terminal that cannot show a sign shows `?`; it never stops the answer."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _close_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush cannot fail as well."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
    except (OSError, ValueError):
        pass
