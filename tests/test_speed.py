"""Speed that is promised: layouts a second on one core, and a cold answer. What is slow about the machine is allowed for."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
TRIES = 3
"""Another program may take the core for a moment; a slower outlay is slow every time."""
SAMPLE = 1 << 18


@pytest.fixture(scope="module")
def layouts() -> Any:
    """The benchmark's module."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from benchmarks import layouts

    return layouts


@pytest.fixture(scope="module")
def grid(layouts: Any) -> Any:
    return layouts.grid()


def test_the_grid_is_large_legal_and_without_repeats(layouts: Any, grid: Any) -> None:
    from outlay.layout import Problem, legal

    assert grid.count >= 200_000
    problem = Problem(
        architecture=grid.recipe.architecture,
        sequence_length=layouts.SEQUENCE,
        global_batch=layouts.BATCH,
        devices=layouts.DEVICES,
    )
    assert legal(grid.layouts, problem).all()
    columns = [np.asarray(getattr(grid.layouts, name)) for name in (*layouts.AXES, "data")]
    code = np.zeros(grid.count, dtype=np.int64)
    for column in columns:
        values, index = np.unique(column, return_inverse=True)
        code = code * len(values) + index
    assert len(np.unique(code)) == grid.count


@pytest.mark.parametrize(("order", "share"), [("in order", 1.0), ("shuffled", 0.5)])
def test_arrays_answer_a_million_legal_layouts_a_second(layouts: Any, grid: Any, order: str, share: float) -> None:
    from benchmarks import machine

    # Random order is the hard one: neighbours share no degrees.
    whole = layouts.shuffled(grid) if order == "shuffled" else grid
    part = replace(whole, layouts=whole.layouts.at(slice(0, SAMPLE)), count=min(SAMPLE, whole.count))
    speeds = []
    for _ in range(TRIES):
        allowed = share * layouts.LEAST / max(machine.slowness(), machine.slowness())
        speeds.append(part.count / layouts.answer(part) / allowed)
        if speeds[-1] >= 1.0:
            break
    assert max(speeds) >= 1.0, f"{max(speeds):.2f} of the speed that this machine should reach"


def test_a_plan_of_the_whole_catalog_takes_seconds(layouts: Any) -> None:
    from benchmarks import machine, plans

    shares = []
    for _ in range(TRIES):
        allowed = plans.WHOLE * max(1.0, machine.slowness(), machine.slowness())
        shares.append(plans.whole_catalog() / allowed)
        if shares[-1] <= 1.0:
            break
    assert min(shares) <= 1.0, f"{min(shares):.2f} of the time that this machine should take"
    assert plans.large_cluster() <= plans.LARGE * max(1.0, machine.slowness())


@pytest.mark.usefixtures("layouts")
@pytest.mark.parametrize(("order", "share"), [("in order", 1.0), ("shuffled", 0.8)])
@pytest.mark.parametrize("kind", ["closed", "open"])
def test_arrays_answer_a_million_serving_configurations_a_second(kind: str, order: str, share: float) -> None:
    from benchmarks import machine, serving

    # Random order is the hard one at a rate: neighbours share no lengths. It is so near to a million that a machine's mood
    # decides; the benchmark says by how much.
    whole = serving.grid(serving.POINTS // 4)
    part = serving.shuffled(whole) if order == "shuffled" else whole
    assert part.count > 250_000
    speeds = []
    for _ in range(TRIES):
        allowed = share * serving.LEAST / max(machine.slowness(), machine.slowness())
        speeds.append(part.count / serving.answer(part, kind) / allowed)
        if speeds[-1] >= 1.0:
            break
    assert max(speeds) >= 1.0, f"{max(speeds):.2f} of the speed that this machine should reach"


@pytest.mark.usefixtures("layouts")
@pytest.mark.parametrize(("what", "replicas"), [("trace", 8), ("many_replicas", 64), ("out_of_blocks", 8)])
def test_many_requests_are_played_in_seconds(what: str, replicas: int) -> None:
    from benchmarks import machine, serving

    requests = getattr(serving, what)()
    shares = []
    for _ in range(TRIES):
        allowed = serving.MOST_SECONDS * max(1.0, machine.slowness(), machine.slowness())
        shares.append(serving.play(requests, replicas) / allowed)
        if shares[-1] <= 1.0:
            break
    assert min(shares) <= 1.0, f"{min(shares):.2f} of the time that this machine should take"


@pytest.mark.usefixtures("layouts")
@pytest.mark.parametrize("model", ["llama-3-70b", "gpt-oss-120b", "deepseek-v3"])
def test_a_serving_plan_of_the_whole_catalog_takes_seconds(model: str) -> None:
    from benchmarks import machine, serving_plans

    shares = []
    for _ in range(TRIES):
        allowed = serving_plans.allowed(model) * max(1.0, machine.slowness(), machine.slowness())
        shares.append(serving_plans.whole_catalog(model=model) / allowed)
        if shares[-1] <= 1.0:
            break
    assert min(shares) <= 1.0, f"{min(shares):.2f} of the time that this machine should take"


@pytest.mark.usefixtures("layouts")
def test_a_serving_plan_of_every_format_and_engine_takes_seconds() -> None:
    from benchmarks import machine, serving_plans

    shares = []
    for _ in range(TRIES):
        allowed = serving_plans.ANYTHING * max(1.0, machine.slowness(), machine.slowness())
        shares.append(serving_plans.anything() / allowed)
        if shares[-1] <= 1.0:
            break
    assert min(shares) <= 1.0, f"{min(shares):.2f} of the time that this machine should take"


@pytest.mark.usefixtures("layouts")
def test_a_comparison_with_every_seller_takes_seconds() -> None:
    from benchmarks import machine, serving_plans

    shares = []
    for _ in range(TRIES):
        allowed = serving_plans.WHOLE * max(1.0, machine.slowness(), machine.slowness())
        shares.append(serving_plans.comparing("gpt-oss-120b") / allowed)
        if shares[-1] <= 1.0:
            break
    assert min(shares) <= 1.0, f"{min(shares):.2f} of the time that this machine should take"


def test_arrays_and_single_layouts_agree(layouts: Any, grid: Any) -> None:
    from outlay.training import estimate

    picked = np.arange(0, grid.count, grid.count // 20)
    together = estimate(grid.recipe, grid.layouts.at(picked), grid.cluster, grid.coefficients)
    for place, index in enumerate(picked):
        alone = estimate(grid.recipe, grid.layouts.at(int(index)), grid.cluster, grid.coefficients)
        assert float(alone.step_seconds) == pytest.approx(float(together.step_seconds[place]), rel=1e-12)
        assert float(alone.memory_bytes) == pytest.approx(float(together.memory_bytes[place]), rel=1e-12)


@pytest.mark.usefixtures("layouts")
@pytest.mark.parametrize(("command", "most"), [("answer", "MOST"), ("serving", "SERVING_MOST")])
def test_a_cold_answer_takes_few_times_the_import_of_numpy(command: str, most: str) -> None:
    from benchmarks import start_up

    allowed = getattr(start_up, most)
    ratios = []
    for _ in range(TRIES):
        seconds = start_up.medians(["numpy", command], 5)
        ratios.append(seconds[command] / seconds["numpy"])
        if ratios[-1] <= allowed:
            break
    assert min(ratios) <= allowed, f"{min(ratios):.2f} times the import"
