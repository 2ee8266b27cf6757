"""What a tool can run, asked of an array of layouts, is what its writer does not refuse."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.training.launch.plans import plan, plans

from outlay.catalog import accelerator
from outlay.errors import InputError, UnknownName
from outlay.layout import Problem
from outlay.machine import cluster_for
from outlay.scenarios.training.able import Able
from outlay.training import choose_layout, estimate, load_coefficients
from outlay.training.axes import axes_of, layouts_of
from outlay.training.choose import TIE
from outlay.training.launch import WRITERS, Plan, able, write


def _written(tool: str, one: Plan) -> bool:
    try:
        write(tool, one)
    except InputError:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(
    one=plans(),
    tool=st.sampled_from(sorted(WRITERS)),
    framework=st.sampled_from(["megatron-core", "deepspeed", "torchtitan"]),
)
def test_one_layout_is_able_where_it_is_written(one: Plan, tool: str, framework: str) -> None:
    several = dataclasses.replace(one, layout=dataclasses.replace(one.layout).broadcast())
    many = dataclasses.replace(one, layout=_twice(several))
    mask = able(tool, many)
    assert mask.shape == (2,)
    assert mask.tolist() == [_written(tool, one)] * 2


def _twice(one: Plan) -> object:
    names = [field.name for field in dataclasses.fields(one.layout)]
    return type(one.layout)(**{name: np.repeat(getattr(one.layout, name), 2) for name in names})


@pytest.mark.parametrize("tool", sorted(WRITERS))
@pytest.mark.parametrize("name", ["llama-3-8b", "mixtral-8x7b"])
def test_the_layout_chosen_is_the_fastest_that_the_tool_can_run(tool: str, name: str) -> None:
    """By brute force: every legal layout is estimated, sorted, and written one after another."""
    coefficients = load_coefficients()
    recipe = dataclasses.replace(plan(name).recipe, global_batch=32)
    cluster = cluster_for(accelerator("h100-sxm-80gb"), 16)
    problem = Problem(architecture=recipe.architecture, sequence_length=8192, global_batch=32, devices=16)
    found = choose_layout(recipe, cluster, coefficients, allowed=Able((tool,)))
    best = np.inf
    for layouts in layouts_of(axes_of(recipe, cluster, {}), problem):
        judged = estimate(recipe, layouts, cluster, coefficients)
        seconds = np.where(judged.fits, judged.step_seconds, np.inf)
        for place in np.argsort(seconds)[:4000]:
            if seconds[place] >= best:
                break
            if _written(tool, Plan(recipe=recipe, layout=layouts.at(int(place)), cluster=cluster, steps=1)):
                best = float(seconds[place])
                break
    assert found is not None
    assert _written(tool, Plan(recipe=recipe, layout=found.layout, cluster=cluster, steps=1))
    if np.isfinite(best):  # parts that are recomputed or offloaded may be faster than what the grid has
        assert float(found.estimate.step_seconds) <= TIE * best


def test_a_tool_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownName, match="torchtitam"):
        able("torchtitam", plan())
