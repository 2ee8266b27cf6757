"""TensorRT-LLM: `trtllm-serve` with the degrees and limits of the plan; the rest in a YAML of its own."""

from __future__ import annotations

from outlay.launch import Refusals, Written
from outlay.launch.yaml import dump
from outlay.serving.launch.plan import Instances, ServingPlan, argument, model_remark, replicas_remark, script

VERSION = "TensorRT-LLM of 2026-11 (trtllm-serve, PyTorch backend)"
IMAGE = "nvcr.io/nvidia/tensorrt-llm/release"
CHECKPOINTS = {
    "fp8": "FP8",
    "int8": "W8A8",
    "w4a16": "AWQ",
    "nvfp4": "NVFP4",
    "fp8-block": "FP8 in blocks",
    "mxfp4": "MXFP4",
}
CACHE = {"bf16": "auto", "fp16": "auto", "fp8": "fp8", "fp4": "nvfp4"}


def write(plan: ServingPlan) -> Written:
    """`trtllm.sh`, which writes the YAML beside itself and starts one instance.

    :raises InputError: for what TensorRT-LLM cannot do, and for a plan whose prompts are computed apart.
    """
    refusals = Refusals("TensorRT-LLM")
    refusals.refuse(plan.prefill, "prompts are computed apart: that takes a router", "`--export dynamo`")
    lines, options, remarks = arguments(plan, plan.decode, refusals)
    refusals.check()
    remarks += replicas_remark(plan)
    command = [f"trtllm-serve\tserve\t{plan.model}", *lines, argument("--config", "trtllm.yaml")]
    command += [argument("--host", "0.0.0.0"), argument("--port", plan.port)]
    text = script(plan, "TensorRT-LLM", version=VERSION, remarks=remarks, command=command)
    before, _, after = text.partition("set -euo pipefail\n")
    text = f"{before}set -euo pipefail\n\ncat > trtllm.yaml <<'END'\n{dump(options)}END\n{after}"
    return Written(name="trtllm.sh", text=text, remarks=tuple(remarks))


def arguments(
    plan: ServingPlan, instances: Instances, refusals: Refusals
) -> tuple[list[str], dict[str, object], list[str]]:
    """Arguments, the YAML of those that are none, and remarks. Tensor parallelism counts data-parallel attention too."""
    deployment, remarks = instances.deployment, model_remark(plan)
    form, layout, data = deployment.weights.name, deployment.layout, instances.degree("data")
    tensor = instances.degree("tensor")
    chip = deployment.cluster.accelerator
    refusals.refuse(
        chip.vendor.lower() != "nvidia", f"it runs on NVIDIA's accelerators, not on a {chip.name}", "`--export vllm`"
    )
    refusals.refuse(
        data > 1 and tensor > 1, "attention is split by heads or by sequences, not by both", "`--export vllm`"
    )
    lines = [argument("--tp_size", tensor * data)]
    if layout.pipeline > 1:
        lines.append(argument("--pp_size", instances.degree("pipeline")))
    if layout.expert > 1:
        lines.append(argument("--ep_size", instances.degree("expert")))
    lines += [
        argument("--max_batch_size", -(-instances.running // data)),
        argument("--max_num_tokens", int(deployment.engine.chunk_tokens)),
        argument("--max_seq_len", plan.longest),
    ]
    gguf = deployment.weights.scope == "all" and deployment.weights.dequantized
    refusals.refuse(gguf, f"{form} is a format of llama.cpp", "`--export llamacpp`")
    refusals.refuse(deployment.cache not in CACHE, f"no cache in {deployment.cache}", "`--kv bf16` or `--kv fp8`")
    if form not in (plan.published, "bf16", "fp16", "fp32"):
        remarks.append(f"{plan.model} stands for a checkpoint of it in {CHECKPOINTS.get(form, form)}: name yours")
    options: dict[str, object] = {
        "enable_chunked_prefill": True,
        "kv_cache_config": {
            "free_gpu_memory_fraction": deployment.engine.memory_share,
            "dtype": CACHE.get(deployment.cache, "auto"),
        },
    }
    if data > 1:
        options["enable_attention_dp"] = True
    if instances.devices > plan.node:
        remarks.append("an instance spans machines: start it with mpirun or srun and `trtllm-llmapi-launch`")
    return lines, options, remarks
