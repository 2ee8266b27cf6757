"""Several processes find what one finds, in the same order, and fail as it does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from outlay.errors import InputError
from outlay.scenarios.serving_plan import workers
from outlay.scenarios.serving_plan.search import search_serving
from outlay.scenarios.serving_plan.workers import looked_at_by_all

ASKED = {"rate": "5/s", "input": 1024, "output": 256, "ttft": "1s", "on": "h100-sxm,l40s,rtx-4090", "count": 8}


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes for whatever is looked at."""
    monkeypatch.setattr(workers, "LONG", 1)
    monkeypatch.setattr(workers, "processes", lambda: 2)


def on(size: int, look: Callable[[str], object]) -> list[object]:
    return list(looked_at_by_all(look, ["a", "b", "c"], size=size))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_several_processes_find_the_same(two: None) -> None:
    steps: list[tuple[int, int]] = []
    many = search_serving("llama-3-8b", ASKED, progress=lambda done, whole: steps.append((done, whole)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "processes", lambda: 1)
        one = search_serving("llama-3-8b", ASKED)
    assert steps == [(done, 3) for done in range(4)]
    assert many.counts == one.counts
    assert many.best.decode.layout == one.best.decode.layout and many.best.dollars == one.best.dollars
    for name, values in one.offered.figures.items():
        assert np.array_equal(many.offered.figures[name], values)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_they_are_other_processes_and_their_errors_are_ones_own(two: None) -> None:
    assert os.getpid() not in on(1, lambda name: os.getpid())

    def fails(name: str) -> str:
        if name == "b":
            raise InputError("`b` is no name", hint="write `a`")
        return name

    with pytest.raises(InputError, match="is no name") as error:
        on(1, fails)
    assert error.value.hint == "write `a`"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
def test_what_an_ended_process_leaves_is_looked_at_all_the_same(two: None) -> None:
    here = os.getpid()

    def look(name: str) -> str:
        if os.getpid() != here:
            os._exit(1)
        return name

    assert on(1, look) == ["a", "b", "c"]


def test_a_short_search_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "processes", lambda: 2)
    assert on(1, lambda name: os.getpid()) == 3 * [os.getpid()]


def test_a_relief_is_asked_of_one_engine_and_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is other is one thing: a search over all engines and formats is not made again for each."""
    from outlay.scenarios.serving_plan import relief
    from outlay.serving import load_serving

    asked = []
    whole = relief.blocks_of
    monkeypatch.setattr(
        relief, "blocks_of", lambda wanted, *rest, **more: asked.append(wanted) or whole(wanted, *rest, **more)
    )
    found = search_serving("llama-3-8b", {**ASKED, "quant": "any", "engine": "any", "on": "h100-sxm"})
    relief.relief_table(found, load_serving())
    assert len(asked) >= 3
    for wanted in asked:
        assert len(wanted.formats) == 1
        assert [engine.name for engine in wanted.engines] == [found.best.block.engine.name]


SEARCH = """
import os, sys, time
from outlay.scenarios.serving_plan import workers

workers.LONG, workers.processes = 1, lambda: 2

def look(name):
    with open(os.path.join(sys.argv[1], str(os.getpid())), "w"):
        pass
    time.sleep(60)

list(workers.looked_at_by_all(look, ["a", "b"], size=1))
"""


def runs(pid: str) -> bool:
    """Whether a process is there, and no corpse that nobody has buried."""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells children that their parent is gone")
def test_none_outlives_the_one_that_started_it(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", SEARCH, str(tmp_path)])
    deadline = time.monotonic() + 30.0
    while len(started := os.listdir(tmp_path)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(started) == 2
    parent.kill()
    parent.wait()
    while any(map(runs, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(runs, started))
