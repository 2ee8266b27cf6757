"""The search for a layout against looking at every layout alone."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.catalog import accelerator, model_config
from outlay.layout import Layout, Problem, Recompute, broken_rules, parse
from outlay.machine import cluster_for
from outlay.training import (
    Coefficients,
    Recipe,
    choose_layout,
    choose_working,
    estimate,
    load_coefficients,
    software_for,
)
from outlay.training.axes import axes_of, layouts_of
from outlay.training.choose import TIE
from outlay.training.practice import whole_batch
from outlay.training.production import load_production
from outlay.workload import from_config


def test_the_choice_is_that_of_brute_force(gpt: Recipe, coefficients: Coefficients) -> None:
    cluster = cluster_for(accelerator("a100-sxm-80gb"), 16)
    problem = Problem(architecture=gpt.architecture, sequence_length=2048, global_batch=64, devices=16)
    chosen = choose_layout(
        gpt, cluster, coefficients, {"virtual": 1, "context": 1, "zero": 1, "recompute": 0, "offload": 0}
    )
    assert chosen is not None
    times, legal = [], 0
    sizes = (1, 2, 4, 8, 16, 32, 64)
    for tensor, pipeline, micro, parallel in itertools.product((1, 2, 4, 8), (1, 2, 4, 8, 16), sizes, (False, True)):
        if 16 % (tensor * pipeline) or (parallel and tensor == 1):
            continue
        layout = Layout(
            tensor=tensor,
            pipeline=pipeline,
            data=16 // (tensor * pipeline),
            micro_batch=micro,
            sequence_parallel=parallel,
        )
        if broken_rules(layout, problem):
            continue
        legal += 1
        found = estimate(gpt, layout, cluster, coefficients)
        if bool(found.fits):
            times.append(float(found.step_seconds))
    assert (chosen.legal, chosen.fitting) == (legal, len(times))
    assert float(chosen.estimate.step_seconds) <= TIE * min(times)


def test_switches_are_all_tried_and_each_layout_once(gpt: Recipe, coefficients: Coefficients) -> None:
    cluster = cluster_for(accelerator("a100-sxm-80gb"), 16)
    problem = Problem(architecture=gpt.architecture, sequence_length=2048, global_batch=64, devices=16)
    axes = axes_of(gpt, cluster, {"micro_batch": 1, "context": 1, "virtual": 1})
    found = [layout.at(place) for layout in layouts_of(axes, problem) for place in range(len(layout.data))]
    alone = set()
    for values in itertools.product(*axes.values()):
        named = dict(zip(axes, values, strict=True))
        layout = Layout(data=16 // (named["tensor"] * named["pipeline"]), **named)
        spelled_twice = layout.tensor == 1 and layout.sequence_parallel
        partial = layout.shard > 0 and (layout.zero < 3 or layout.shard >= layout.data)
        if layout.data > 0 and not broken_rules(layout, problem) and not spelled_twice and not partial:
            alone.add(layout)
    assert len(found) == len(set(found)) == len(alone)
    assert set(found) == alone
    assert {(layout.zero, layout.shard > 0) for layout in found} == {(1, False), (2, False), (3, False), (3, True)}


def test_what_is_fixed_stays(gpt: Recipe, coefficients: Coefficients) -> None:
    cluster = cluster_for(accelerator("a100-sxm-80gb"), 16)
    chosen = choose_layout(gpt, cluster, coefficients, {"tensor": 4, "recompute": Recompute.FULL})
    assert chosen is not None
    assert (chosen.layout.tensor, chosen.layout.recompute) == (4, Recompute.FULL)
    assert int(np.asarray(chosen.layout.devices)) == 16


def test_nothing_legal_is_none_and_nothing_fitting_is_the_smallest(gpt: Recipe, coefficients: Coefficients) -> None:
    cluster = cluster_for(accelerator("a100-sxm-80gb"), 16)
    assert choose_layout(gpt, cluster, coefficients, {"tensor": 5}) is None
    small = cluster_for(accelerator("rtx-3090"), 2)
    nearest = choose_layout(gpt, small, coefficients)
    assert nearest is not None
    assert nearest.fitting == 0
    assert float(nearest.estimate.memory_bytes) > nearest.estimate.memory_capacity


@pytest.mark.parametrize("count", [1, 7, 24, 4096])
def test_any_count_is_answered_or_refused(gpt: Recipe, coefficients: Coefficients, count: int) -> None:
    chosen = choose_layout(gpt, cluster_for(accelerator("h100-sxm-80gb"), count), coefficients)
    assert chosen is None or int(np.asarray(chosen.layout.devices)) == count


TYPED = ["", "offload=1", "offload=0.5", "cp=2", "cp=4", "zero=3", "recompute=full", "tp=2", "recompute=none", "mbs=2"]


@pytest.mark.parametrize("count", [1, 2, 4, 8, 64])
def test_no_layout_that_is_typed_is_faster_than_the_one_chosen(coefficients: Coefficients, count: int) -> None:
    recipe = Recipe(
        architecture=from_config(model_config("llama-3-8b").config),
        sequence_length=8192,
        global_batch=512,
        software=software_for("megatron-core", None),
    )
    cluster = cluster_for(accelerator("h100-sxm-80gb"), count)
    chosen = choose_layout(recipe, cluster, coefficients)
    assert chosen is not None
    assert bool(chosen.estimate.fits)
    for text in TYPED:
        typed = choose_layout(recipe, cluster, coefficients, parse(text))
        if typed is not None and bool(typed.estimate.fits):
            assert float(chosen.estimate.step_seconds) <= TIE * float(typed.estimate.step_seconds), text


def test_relief_is_no_more_than_is_needed(coefficients: Coefficients) -> None:
    recipe = Recipe(
        architecture=from_config(model_config("llama-3-8b").config),
        sequence_length=8192,
        global_batch=512,
        software=software_for("megatron-core", None),
    )
    cluster = cluster_for(accelerator("h100-sxm-80gb"), 3)
    chosen = choose_layout(recipe, cluster, coefficients, {"recompute": Recompute.NONE, "zero": 1})
    assert chosen is not None
    if chosen.layout.offload > 0.25:
        less = dataclasses.replace(chosen.layout, offload=chosen.layout.offload - 0.25)
        assert not bool(estimate(recipe, less, cluster, coefficients).fits)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 300), st.sampled_from(["llama-3-8b", "mixtral-8x7b", "gpt2"]), st.booleans())
def test_a_device_more_never_makes_the_run_longer(count: int, model: str, stated: bool) -> None:
    coefficients = load_coefficients()
    recipe = Recipe(
        architecture=from_config(model_config(model).config),
        sequence_length=1024,
        global_batch=512,
        software=software_for("megatron-core", None),
    )

    def hours(devices: int) -> float:
        found = choose_working(
            recipe,
            cluster_for(accelerator("h100-sxm-80gb"), devices),
            coefficients,
            batch=lambda devices: 512 if stated else whole_batch(512, devices),
            active=8e9,
        )
        if found is None or not bool(found.chosen.estimate.fits):
            return np.inf
        longer = load_production().factor(devices=found.devices, active=8e9)[1]
        tokens = float(found.chosen.estimate.tokens_per_second_per_device) * found.devices
        return longer / tokens

    # Few smaller counts are tried (`rounder`): one that is not, such as 200 beside 208, may be some 5 % shorter.
    assert hours(count + 1) <= hours(count) * TIE**6
