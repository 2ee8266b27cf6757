"""An engine is named by all of its name: nothing that merely holds one is taken for it."""

from __future__ import annotations

import pytest

from outlay.errors import InputError
from outlay.scenarios.buying.compare import compare
from outlay.scenarios.serving.cost import cost_serving
from outlay.scenarios.serving.software import engine_named, engine_names
from outlay.scenarios.serving_plan.plan import plan_serving

NONSENSE = ["not-vllm", "nvllmx", "sglang or vllm", "vllm 99.9", "vllm,sglang", "vllm,", "sarathi", ".", "", "hfx"]


@pytest.mark.parametrize("name", NONSENSE)
def test_a_name_that_holds_an_engine_is_none(name: str) -> None:
    with pytest.raises(InputError) as caught:
        cost_serving("llama-3-8b", on="h100-sxm:1", rate=1, engine=name)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["not-vllm", "vllm 99.9", "sglang,nvllmx"])
def test_plans_and_comparisons_refuse_it_too(name: str) -> None:
    with pytest.raises(InputError):
        plan_serving("llama-3-8b", on="h100-sxm", rate=1, engine=name)
    with pytest.raises(InputError):
        compare("llama-3-8b", on="l4", rate=1, engine=name)


def test_two_engines_are_for_plans() -> None:
    with pytest.raises(InputError, match="names 2 engines") as caught:
        engine_named("vllm,sglang")
    assert "`--engine vllm`" in caught.value.hint and "plan serving" in caught.value.hint


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("vLLM", "vllm"),
        ("TensorRT-LLM", "trtllm"),
        ("trt llm", "trtllm"),
        ("llama.cpp", "llamacpp"),
        ("Ollama", "llamacpp-server"),
        ("mlx-lm", "llamacpp"),
        ("huggingface", "transformers"),
        ("text-generation-inference", "tgi"),
    ],
)
def test_names_by_which_an_engine_goes(said: str, meant: str) -> None:
    assert engine_named(said).name == meant


def test_every_listed_engine_is_taken_by_its_name() -> None:
    assert all(engine_named(name).name == name for name in engine_names())


def test_a_plan_takes_every_engine_that_a_cost_takes() -> None:
    plan = plan_serving("llama-3-8b", on="h100-sxm", rate=0.5, engine="hf", price=2)
    cost = cost_serving("llama-3-8b", on="h100-sxm:1", rate=0.5, engine="hf", price=2)
    assert plan.answer["tpot"].value.likely == pytest.approx(cost.answer["tpot"].value.likely, rel=1e-3)
