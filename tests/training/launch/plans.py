"""Plans for the tests of launch files."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from outlay import catalog
from outlay.catalog import accelerator
from outlay.layout import Layout, Problem, Recompute, legal
from outlay.machine import cluster_for
from outlay.training import Recipe, software_for
from outlay.training.launch import Plan
from outlay.workload import Architecture, from_config


@cache
def model(name: str) -> Architecture:
    """A model of the catalog."""
    facts = catalog.model_config(name)
    return from_config(facts.config, name=facts.name)


def plan(name: str = "llama-3-8b", *, framework: str = "megatron-core", **degrees: Any) -> Plan:
    """A plan of these degrees, on as many devices as they make; `recipe_` fields go to the recipe."""
    recipe = {key.removeprefix("recipe_"): value for key, value in degrees.items() if key.startswith("recipe_")}
    layout = Layout(**{key: value for key, value in degrees.items() if not key.startswith("recipe_")})
    facts = {"sequence_length": 8192, "global_batch": 512} | recipe
    return Plan(
        recipe=Recipe(architecture=model(name), software=software_for(framework, None), **facts),
        layout=layout,
        cluster=cluster_for(accelerator("h100-sxm-80gb"), int(layout.devices)),
        steps=1000,
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Legal plans of a dense model and of a mixture, every degree among them."""
    name = draw(st.sampled_from(["llama-3-8b", "mixtral-8x7b", "gpt-3-175b"]))
    moe = model(name).is_moe
    degree = st.sampled_from([1, 1, 2, 4])
    data = draw(st.sampled_from([1, 2, 4, 8, 16]))
    zero = draw(st.integers(0, 3))
    shards = [0] + [part for part in (1, 2, 4, 8) if part < data and zero]
    recompute = draw(st.sampled_from(list(Recompute)))
    layout = Layout(
        tensor=draw(degree),
        pipeline=draw(degree),
        virtual=draw(st.sampled_from([1, 1, 1, 2, 4])),
        context=draw(st.sampled_from([1, 1, 2])),
        expert=draw(degree) if moe else 1,
        expert_tensor=draw(st.sampled_from([1, 1, 2])) if moe else 1,
        data=data,
        micro_batch=draw(st.sampled_from([1, 2, 4])),
        zero=zero,
        shard=draw(st.sampled_from(shards)),
        sequence_parallel=draw(st.booleans()),
        recompute=recompute,
        recompute_layers=draw(st.sampled_from([1.0, 1.0, 0.5, 0.25])) if recompute else 1.0,
        offload=draw(st.sampled_from([0.0, 0.0, 1.0, 0.5])),
    )
    found = dataclasses.replace(plan(name), layout=layout)
    problem = Problem(architecture=model(name), sequence_length=8192, global_batch=512, devices=int(layout.devices))
    assume(bool(legal(layout, problem).all()))
    cluster = cluster_for(accelerator("h100-sxm-80gb"), int(layout.devices))
    return dataclasses.replace(found, cluster=cluster)
