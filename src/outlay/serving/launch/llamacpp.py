"""llama.cpp: `llama-server` with slots, context, split and cache of the plan."""

from __future__ import annotations

from outlay.launch import Refusals, Written
from outlay.serving.launch.plan import Instances, ServingPlan, argument, replicas_remark, script

VERSION = "llama.cpp, llama-server of 2026-11"
IMAGE = "ghcr.io/ggml-org/llama.cpp:server-cuda"
FILES = {"bf16": "BF16", "fp16": "F16", "fp32": "F32"}
"""Format → what GGUF files of it are called; the others have their own names."""
CACHE = {"bf16": "bf16", "fp16": "f16", "fp32": "f32", "q8_0": "q8_0", "q4_0": "q4_0"}


def write(plan: ServingPlan) -> Written:
    """`llamacpp.sh`, which starts one instance.

    :raises InputError: for heads split over devices, and formats that are in no GGUF file.
    """
    refusals = Refusals("llama.cpp")
    refusals.refuse(plan.prefill, "prompts are computed apart: it has no such mode", "`--mode aggregated`")
    lines, remarks = arguments(plan, plan.decode, refusals)
    refusals.check()
    remarks += replicas_remark(plan)
    form = plan.decode.deployment.weights.name
    file = f"{plan.name}-{FILES.get(form, form.upper())}.gguf"
    remarks.append(
        f"{file} stands for the model in GGUF: download it, or convert and quantize it with llama.cpp's tools"
    )
    command = ["llama-server", argument("--model", file), *lines, argument("--host", "0.0.0.0")]
    command += [argument("--port", plan.port), "--metrics"]
    text = script(plan, "llama.cpp", version=VERSION, remarks=remarks, command=command)
    return Written(name="llamacpp.sh", text=text, remarks=tuple(remarks))


def arguments(plan: ServingPlan, instances: Instances, refusals: Refusals) -> tuple[list[str], list[str]]:
    """The server's own arguments, and remarks. Its context is shared by the slots."""
    deployment = instances.deployment
    form, layout = deployment.weights, deployment.layout
    gguf = (form.scope == "all" and form.dequantized) or form.name in FILES
    refusals.refuse(not gguf, f"no GGUF file is in {form.name}", "`--engine llamacpp --quant q4_k_m`")
    refusals.refuse(layout.tensor * layout.data > 1, "it splits layers over devices, not heads", "`--engine llamacpp`")
    refusals.refuse(deployment.cache not in CACHE, f"no cache in {deployment.cache}", "`--kv q8_0`")
    lines = [
        argument("--parallel", plan.slots.count),
        argument("--ctx-size", plan.slots.count * plan.slots.tokens),
        argument("--ubatch-size", int(deployment.engine.chunk_tokens)),
        argument("--batch-size", max(2048, int(deployment.engine.chunk_tokens))),
        argument("--cache-type-k", CACHE.get(deployment.cache, "f16")),
        argument("--cache-type-v", CACHE.get(deployment.cache, "f16")),
        argument("--flash-attn", "on"),
    ]
    if deployment.cluster.accelerator.category not in ("cpu",):
        lines.append(argument("--n-gpu-layers", "all"))
    if layout.pipeline > 1:
        lines.append(argument("--split-mode", "layer"))
    remark = (
        f"each of {plan.slots.count:,} slots takes requests of up to {plan.slots.tokens:,} tokens, answer included; "
    )
    remark += f"those of the load were said to have {plan.request:,}"
    return lines, [remark]
