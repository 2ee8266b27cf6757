"""vLLM: `vllm serve` with the degrees, limits and formats of the plan."""

from __future__ import annotations

from outlay.launch import Refusals, Written
from outlay.serving.launch.plan import Instances, ServingPlan, argument, model_remark, replicas_remark, script

VERSION = "vLLM 0.33"
IMAGE = "vllm/vllm-openai:v0.33.0"
QUANTIZATION = {"fp8": "fp8", "fp8-block": "fp8_per_block", "w8a16": "int8_per_channel_weight_only"}
"""Format → quantization of a 16-bit checkpoint while it is loaded."""
CHECKPOINTS = {
    "int8": "W8A8 (compressed-tensors)",
    "w4a16": "AWQ or GPTQ",
    "nvfp4": "NVFP4 (ModelOpt)",
    "mxfp4": "MXFP4",
}
"""Formats that have to be in the checkpoint: what it is called."""
TYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
CACHE = {"bf16": None, "fp16": None, "fp8": "fp8"}


def write(plan: ServingPlan) -> Written:
    """`vllm.sh`, which starts one instance.

    :raises InputError: for what vLLM cannot do, and for a plan whose prompts are computed apart.
    """
    refusals = Refusals("vLLM")
    refusals.refuse(plan.prefill, "prompts are computed apart: that takes a router", "`--export dynamo`")
    lines, remarks = arguments(plan, plan.decode, refusals)
    refusals.check()
    remarks += replicas_remark(plan)
    command = [f"vllm\tserve\t{plan.model}", *lines, argument("--port", plan.port)]
    text = script(plan, "vLLM", version=VERSION, remarks=remarks, command=command)
    return Written(name="vllm.sh", text=text, remarks=tuple(remarks))


def arguments(plan: ServingPlan, instances: Instances, refusals: Refusals) -> tuple[list[str], list[str]]:
    """The engine's own arguments, and remarks."""
    deployment, remarks = instances.deployment, model_remark(plan)
    form, layout = deployment.weights.name, deployment.layout
    data = instances.degree("data")
    lines = [argument("--tensor-parallel-size", instances.degree("tensor"))]
    if layout.pipeline > 1:
        lines.append(argument("--pipeline-parallel-size", instances.degree("pipeline")))
    if data > 1:
        lines.append(argument("--data-parallel-size", data))
    if layout.expert > 1:
        lines.append("--enable-expert-parallel")
    lines += [
        argument("--max-num-seqs", -(-instances.running // data)),
        argument("--max-num-batched-tokens", int(deployment.engine.chunk_tokens)),
        argument("--max-model-len", plan.longest),
        argument("--gpu-memory-utilization", f"{deployment.engine.memory_share:g}"),
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
    if instances.devices > plan.node:
        remarks.append(
            f"an instance spans {-(-instances.devices // plan.node)} machines: start vLLM's Ray or multi-node mode"
        )
    return lines, remarks
