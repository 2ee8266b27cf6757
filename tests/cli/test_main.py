"""The frame of the command line: help, version, exit codes, bugs, lazy verbs."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys

import click
import pytest

import outlay
from outlay.cli import main as run
from outlay.cli.main import VERBS, cli


def test_help_fits_a_screen(ask):
    answer = ask("--help")
    lines = answer.out.splitlines()
    assert answer.code == 0
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


def test_every_verb_is_listed_and_loads(ask):
    listed = ask("--help").out
    for verb, (_, line) in VERBS.items():
        assert re.search(rf"^  {verb} +{re.escape(line)}$", listed, re.MULTILINE)
        command = cli.get_command(click.Context(cli), verb)
        assert command is not None
        assert command.help
        assert command.help.splitlines()[0].startswith(line.rstrip("."))


def test_every_help_is_80_columns(ask):
    def walk(command: click.Command, path: tuple[str, ...]) -> None:
        answer = ask(*path, "--help")
        assert answer.code == 0
        assert max(map(len, answer.out.splitlines())) <= 80, path
        if isinstance(command, click.Group):
            for name in command.list_commands(click.Context(command)):
                member = command.get_command(click.Context(command), name)
                assert member is not None
                walk(member, (*path, name))

    walk(cli, ())


def test_version(ask):
    assert ask("--version").out == f"outlay {outlay.__version__}\n"
    assert re.fullmatch(r"\d+\.\d+\.\d+(\.dev\d+)?", outlay.__version__)


def test_no_verb_shows_help_and_is_wrong(ask):
    answer = ask()
    assert (answer.code, answer.out) == (2, "")
    assert "Usage: outlay" in answer.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["shwo"], "did you mean `show`?"),
        (["--foo"], "`outlay` has no option `--foo`"),
        (["show", "model"], "did you mean `models`?"),
        (["show", "models", "--formt", "csv"], "`--format`"),
        (["show", "models", "--format", "yaml"], "text"),
        (["show"], "Usage: outlay show"),
    ],
)
def test_asked_wrongly(ask, arguments, says):
    answer = ask(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert says in answer.err
    assert "Traceback" not in answer.err


def _fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_args: object, **_keywords: object) -> None:
        raise error

    monkeypatch.setattr(cli, "main", fail)


def test_a_bug_is_said_shortly_and_its_trace_is_kept(ask, monkeypatch, tmp_path):
    _fail_with(monkeypatch, ZeroDivisionError("float division\nby zero"))
    answer = ask("show", "models")
    assert (answer.code, answer.out) == (70, "")
    assert "Traceback" not in answer.err
    assert "ZeroDivisionError: float division by zero" in answer.err
    (trace,) = (tmp_path / "cache" / "outlay").glob("bug-*.txt")
    assert str(trace) in answer.err
    assert "Traceback" in trace.read_text()


def test_a_bug_with_an_unwritable_cache(ask, monkeypatch, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder belongs")
    _fail_with(monkeypatch, ZeroDivisionError())
    assert "could not be saved" in ask("show", "models").err


def test_ways_to_stop(ask, monkeypatch):
    _fail_with(monkeypatch, KeyboardInterrupt())
    assert ask("show", "models").code == 130
    _fail_with(monkeypatch, click.Abort())
    assert ask("show", "models").code == 130


def test_no_is_one(ask, monkeypatch):
    _fail_with(monkeypatch, outlay.DoesNotFit("it does not fit", hint="use more"))
    answer = ask("cost", "training")
    assert (answer.code, answer.out, answer.err) == (1, "", "no: it does not fit\n\nhint: use more\n")


def test_full_screen_device(ask, monkeypatch):
    monkeypatch.setattr(sys.modules["outlay.cli.main"], "_close_stdout", lambda: None)
    _fail_with(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    answer = ask("show", "models")
    assert answer.code == 2
    assert "No space left on device" in answer.err
    assert "hint:" in answer.err


def test_public_names_all_load():
    for name in outlay.__all__:
        assert getattr(outlay, name) is not None
    assert set(outlay.__all__) <= set(dir(outlay))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = outlay.nonsense


def test_main_without_arguments_reads_the_process(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["outlay", "--version"])
    assert run() == 0
    assert capsys.readouterr().out.startswith("outlay ")


HEAVY = ("pydantic", "rich", "scipy", "pandas", "importlib.metadata", "tomllib", "asyncio", "jinja2")


@pytest.mark.parametrize(
    ("words", "forbidden"),
    [
        (["--help"], (*HEAVY, "numpy", "outlay.scenarios")),
        (["cost", "training", "llama-3-8b", "--tokens", "1T", "--on", "h100-sxm:64"], HEAVY),
        (["size", "--under", "1M", "--tokens-served", "2T"], HEAVY),
        (
            ["cost", "serving", "llama-3-8b", "--on", "h100-sxm", "--rate", "1/s"],
            (*HEAVY, "numpy.ma", "outlay.training.step", "outlay.accuracy.serving.validate"),
        ),
    ],
    ids=["help", "cost", "size", "serving"],
)
def test_a_cold_start_imports_little(words, forbidden, tmp_path):
    code = (
        "import sys; from outlay.cli import main; code = main(sys.argv[1:]);"
        "print(*sorted(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )
    loaded = set(done.stderr.split())
    assert not loaded & set(forbidden)
