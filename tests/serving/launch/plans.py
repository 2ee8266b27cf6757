"""Serving plans of many kinds, for the tests of launch files."""

from __future__ import annotations

import dataclasses

from hypothesis import strategies as st

from outlay.catalog import accelerator, model_config
from outlay.layout import Layout
from outlay.machine import cluster_for
from outlay.serving import Deployment, engine_for, format_for
from outlay.serving.launch import Instances, ServingPlan, Slots
from outlay.workload import from_config

MODELS = {
    "llama-3-70b": ("meta-llama/Meta-Llama-3-70B", "bf16"),
    "deepseek-v3": ("deepseek-ai/DeepSeek-V3", "fp8-block"),
    "gpt-oss-120b": ("openai/gpt-oss-120b", "mxfp4"),
}


def plan(
    model: str = "llama-3-70b",
    *,
    engine: str = "vllm",
    form: str = "fp8",
    cache: str = "bf16",
    chip: str = "h100-sxm",
    replicas: int = 2,
    least: int = 2,
    apart: bool = False,
    chunk: int = 2048,
    running: int = 37,
    **degrees: int,
) -> ServingPlan:
    """A plan with these degrees of an instance."""
    deployment = Deployment(
        architecture=from_config(model_config(model).config, name=model),
        cluster=cluster_for(accelerator(chip), 64),
        layout=Layout(sequence_parallel=False, **degrees),
        engine=dataclasses.replace(engine_for(engine), chunk_tokens=chunk),
        weights=format_for(form),
        cache=cache,
    )
    instances = Instances(deployment=deployment, replicas=replicas, running=running)
    name, published = MODELS[model]
    return ServingPlan(
        model=name,
        published=published,
        decode=instances,
        prefill=dataclasses.replace(instances, replicas=1) if apart else None,
        longest=8192,
        request=1280,
        slots=Slots(count=running, tokens=2048),
        least=least,
        start_up=240.0,
        engines=("vllm", "sglang", "trtllm", "llamacpp"),
    )


@st.composite
def plans(draw: st.DrawFn) -> ServingPlan:
    """Plans that some tools can start and others cannot."""
    model = draw(st.sampled_from(sorted(MODELS)))
    spread = draw(st.sampled_from([1, 2, 8])) if model != "llama-3-70b" else 1
    tensor = draw(st.sampled_from([1, 2, 4, 8]))
    apart = draw(st.booleans())
    experts = tensor * spread if model != "llama-3-70b" and draw(st.booleans()) else 1
    replicas = draw(st.integers(1, 40))
    return plan(
        model,
        engine=draw(st.sampled_from(["vllm", "sglang", "trtllm", "llamacpp"])),
        form=draw(st.sampled_from(["bf16", "fp16", "fp8", "fp8-block", "int8", "w4a16", "nvfp4", "mxfp4", "q4_k_m"])),
        cache=draw(st.sampled_from(["bf16", "fp8", "q8_0"])),
        chip=draw(st.sampled_from(["h100-sxm", "mi300x", "rtx-4090", "tpu-v5e", "m3-max"])),
        replicas=replicas,
        least=draw(st.integers(1, replicas)),
        apart=apart,
        chunk=draw(st.sampled_from([512, 8192])),
        running=draw(st.integers(1, 900)),
        tensor=tensor,
        pipeline=draw(st.sampled_from([1, 2, 4])),
        data=spread,
        expert=experts,
        expert_tensor=tensor * spread // experts if model != "llama-3-70b" else 1,
    )


@st.composite
def small_plans(draw: st.DrawFn) -> ServingPlan:
    """Plans whose instances are on one machine: what a pod can start."""
    engine = draw(st.sampled_from(["vllm", "sglang", "trtllm", "llamacpp"]))
    replicas = draw(st.integers(1, 40))
    return plan(
        engine=engine,
        form="q4_k_m" if engine == "llamacpp" else draw(st.sampled_from(["bf16", "fp8"])),
        cache="bf16",
        chip="h100-sxm" if engine == "trtllm" else draw(st.sampled_from(["h100-sxm", "mi300x", "rtx-4090"])),
        replicas=replicas,
        least=draw(st.integers(1, replicas)),
        running=draw(st.integers(1, 900)),
        tensor=1 if engine == "llamacpp" else draw(st.sampled_from([1, 2, 8])),
    )
