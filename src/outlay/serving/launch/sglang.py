"""SGLang: `sglang.launch_server` with the degrees, limits and formats of the plan."""

from __future__ import annotations

from outlay.launch import Refusals, Written
from outlay.serving.launch.plan import Instances, ServingPlan, argument, model_remark, replicas_remark, script

VERSION = "SGLang 0.5.23"
IMAGE = "lmsysorg/sglang:v0.5.23"
QUANTIZATION = {"fp8": "fp8", "nvfp4": "nvfp4_online"}
"""Format → quantization of a 16-bit checkpoint while it is loaded."""
CHECKPOINTS = {"int8": "W8A8 INT8", "w4a16": "AWQ or GPTQ", "fp8-block": "FP8 in blocks", "mxfp4": "MXFP4"}
TYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
CACHE = {"bf16": None, "fp16": None, "fp8": "fp8_e4m3"}


def write(plan: ServingPlan) -> Written:
    """`sglang.sh`, which starts one instance.

    :raises InputError: for what SGLang cannot do, and for a plan whose prompts are computed apart.
    """
    refusals = Refusals("SGLang")
    refusals.refuse(plan.prefill, "prompts are computed apart: that takes a router", "`--export dynamo`")
    lines, remarks = arguments(plan, plan.decode, refusals)
    refusals.check()
    remarks += replicas_remark(plan)
    command = [
        "python3\t-m\tsglang.launch_server",
        argument("--model-path", plan.model),
        *lines,
        argument("--host", "0.0.0.0"),
        argument("--port", plan.port),
        "--enable-metrics",
    ]
    text = script(plan, "SGLang", version=VERSION, remarks=remarks, command=command)
    return Written(name="sglang.sh", text=text, remarks=tuple(remarks))


def arguments(plan: ServingPlan, instances: Instances, refusals: Refusals) -> tuple[list[str], list[str]]:
    """The engine's own arguments, and remarks. Its tensor parallelism counts the devices of data-parallel attention too."""
    deployment, remarks = instances.deployment, model_remark(plan)
    form, layout, data = deployment.weights.name, deployment.layout, instances.degree("data")
    lines = [argument("--tp-size", instances.degree("tensor") * data)]
    if layout.pipeline > 1:
        lines.append(argument("--pp-size", instances.degree("pipeline")))
    if data > 1:
        lines += [argument("--dp-size", data), "--enable-dp-attention"]
    if layout.expert > 1:
        lines.append(argument("--ep-size", instances.degree("expert")))
    lines += [
        argument("--max-running-requests", instances.running),
        argument("--chunked-prefill-size", int(deployment.engine.chunk_tokens)),
        argument("--context-length", plan.longest),
        argument("--mem-fraction-static", f"{deployment.engine.memory_share:g}"),
    ]
    gguf = deployment.weights.scope == "all" and deployment.weights.dequantized
    refusals.refuse(gguf, f"{form} is a format of llama.cpp", "`--export llamacpp`")
    refusals.refuse(deployment.cache not in CACHE, f"no cache in {deployment.cache}", "`--kv bf16` or `--kv fp8`")
    if form in TYPES:
        lines.append(argument("--dtype", TYPES[form]))
    elif form != plan.published and form in QUANTIZATION:
        lines.append(argument("--quantization", QUANTIZATION[form]))
    elif form != plan.published:
        remarks.append(f"{plan.model} stands for a checkpoint of it in {CHECKPOINTS.get(form, form)}: name yours")
    if CACHE.get(deployment.cache):
        lines.append(argument("--kv-cache-dtype", CACHE[deployment.cache]))
    machines = -(-instances.devices // plan.node)
    if machines > 1:
        lines.append(argument("--nnodes", machines))
        remarks.append("run it on each machine, with `--node-rank` and `--dist-init-addr` of the first one")
    return lines, remarks
