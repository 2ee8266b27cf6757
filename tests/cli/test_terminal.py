"""What a terminal shows beside the answer: a bar while a question takes long, and refusals in lines of its width."""

from __future__ import annotations

import io
import itertools
import os
import sys

from outlay.cli import main
from outlay.cli.plan_training import progress_bar

NO = ["cost", "serving", "llama-3-8b", "--prefill-on", "h100-sxm:1", "--decode-on", "h100-sxm:1", "--rate", "60/s"]


def terminal(monkeypatch):
    """stderr as a terminal of 60 columns; what it shows."""
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((60, 24)))
    return screen.getvalue


def test_refusals_are_broken_between_words_at_its_width(monkeypatch):
    shown = terminal(monkeypatch)
    assert main(NO) == 1
    err = shown()
    lines = err.splitlines()
    assert max(map(len, lines)) <= 60 < len(" ".join(lines))
    assert "hint: " in err


def test_a_hint_stays_whole_for_programs(capsys):
    assert main(NO) == 1
    hints = [line for line in capsys.readouterr().err.splitlines() if line.startswith("hint:")]
    assert len(hints) == 1
    assert hints[0].count("`") % 2 == 0


def test_a_bar_once_a_second_has_passed(monkeypatch):
    shown = terminal(monkeypatch)
    clock = itertools.chain([0.0, 0.4], itertools.repeat(2.0))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    show = progress_bar()
    show(0, 4)
    assert shown() == ""
    show(2, 4)
    assert "2 of 4" in shown()
    show(4, 4)
    assert shown().endswith("\r")


def test_none_where_nobody_looks(monkeypatch, capsys):
    clock = itertools.chain([0.0], itertools.repeat(9.0))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    progress_bar()(1, 4)
    assert capsys.readouterr().err == ""


def test_a_comparison_says_how_far_it_is():
    from outlay.scenarios.buying.compare import compare

    seen: list[tuple[int, int]] = []
    compare("llama-3.1-8b", rate=2, input=500, output=100, progress=lambda done, whole: seen.append((done, whole)))
    assert len(seen) > 10
    assert [done for done, _ in seen] == list(range(seen[-1][1] + 1))
