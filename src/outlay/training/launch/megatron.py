"""Megatron-LM: a shell script with the argument list, and that list alone for schedulers that start it themselves."""

from __future__ import annotations

import shlex

import numpy as np

from outlay.layout import Recompute
from outlay.training.launch.megatron_model import model_arguments
from outlay.training.launch.plan import Limits, Plan, Written, header, share_of
from outlay.training.schedule import stage_layers

VERSION = "Megatron-LM, arguments of megatron-core 0.19"
SHARDING = {0: "no_shard", 1: "optim", 2: "optim_grads", 3: "optim_grads_params"}
"""ZeRO stage → `--data-parallel-sharding-strategy`."""
PRECISION = {
    "bf16": ["--bf16"],
    "fp16": ["--fp16"],
    "amp": ["--fp16"],
    "fp32": [],
    "fp8": ["--bf16", "--fp8-format hybrid", "--fp8-recipe delayed"],
    "fp8-block": ["--bf16", "--fp8-format e4m3", "--fp8-recipe blockwise"],
    "mxfp8": ["--bf16", "--fp8-format e4m3", "--fp8-recipe mxfp8"],
    "nvfp4": ["--bf16", "--fp4-format e2m1", "--fp4-recipe nvfp4"],
}
OPTIMIZER = {
    "adam": ["--optimizer adam"],
    "adam-bf16": [
        "--optimizer adam",
        "--use-precision-aware-optimizer",
        "--exp-avg-dtype bf16",
        "--exp-avg-sq-dtype bf16",
    ],
    "lion": ["--optimizer lion"],
    "muon": ["--optimizer muon"],
    "momentum": ["--optimizer sgd"],
}


def write(plan: Plan) -> Written:
    """`megatron.sh`: torchrun on each node, with all that the plan decides; data, tokenizer and learning rate follow as `"$@"`.

    :raises InputError: for a precision, an optimizer or a recomputation that Megatron has no argument for.
    """
    lines, remarks = arguments(plan)
    comment = [f"# {line}" for line in header(plan, "Megatron-LM", version=VERSION, remarks=remarks)]
    script = [
        "#!/usr/bin/env bash",
        *comment,
        "# start it once on each node, with what it leaves out: ./megatron.sh --data-path … --tokenizer-type … --lr …",
        "set -euo pipefail",
        *(f"export {setting}" for setting in environment(plan)),
        "",
        "LAUNCH=(",
        f"  --nnodes {plan.nodes}",
        f"  --nproc-per-node {plan.node_size}",
        *(
            ['  --node-rank "${NODE_RANK:-0}"', '  --master-addr "${MASTER_ADDR:-localhost}"', "  --master-port 29500"]
            if plan.nodes > 1
            else []
        ),
        ")",
        "ARGUMENTS=(",
        *(f"  {line}" for line in lines),
        ")",
        'torchrun "${LAUNCH[@]}" pretrain_gpt.py "${ARGUMENTS[@]}" "$@"',
    ]
    return Written(name="megatron.sh", text="\n".join(script) + "\n", remarks=remarks)


def environment(plan: Plan) -> list[str]:
    """Variables that Megatron asks for: before Blackwell it refuses to divide tensors or sequences without this one, and
    its FSDP refuses to run with it (megatron-core 0.19.2, `validate_args`)."""
    divided = plan.layout.tensor * plan.layout.context > 1
    return ["CUDA_DEVICE_MAX_CONNECTIONS=1"] if divided and plan.layout.zero < 2 else []


def arguments(plan: Plan) -> tuple[list[str], tuple[str, ...]]:
    """The arguments of `pretrain_gpt.py`, an option with its value each, and remarks.

    :raises InputError: for what Megatron has no argument for.
    """
    recipe, layout = plan.recipe, plan.layout
    limits(plan).check()
    shape, remarks = model_arguments(recipe.architecture, recipe.sequence_length, Limits("Megatron-LM"))
    lines = shape + _layout(plan) + _recompute(plan)
    if layout.data * layout.shards > 1 and int(layout.zero) >= 2 and recipe.optimizer not in ("adam", "momentum"):
        remarks.append("Megatron FSDP takes adam and sgd only")
    lines += [
        f"--seq-length {recipe.sequence_length}",
        f"--micro-batch-size {int(layout.micro_batch)}",
        f"--global-batch-size {plan.global_batch}",
        f"--train-iters {plan.steps}",
        *PRECISION[recipe.precision],
        *OPTIMIZER[recipe.optimizer],
    ]
    if recipe.dropout == 0:
        lines += ["--attention-dropout 0", "--hidden-dropout 0"]
    else:
        lines += [f"--attention-dropout {recipe.dropout:g}", f"--hidden-dropout {recipe.dropout:g}"]
    remarks.append("data, tokenizer, learning rate, saving and logging are left to you")
    return list(dict.fromkeys(lines)), tuple(remarks)


def limits(plan: Plan) -> Limits:
    """What Megatron has no argument for, and what it refuses."""
    recipe, layout, found = plan.recipe, plan.layout, Limits("Megatron-LM")
    found.named(recipe, precisions=PRECISION, optimizers=OPTIMIZER)
    model_arguments(recipe.architecture, recipe.sequence_length, found)
    found.refuse(
        np.greater(layout.pipeline, 1) & np.equal(layout.zero, 3),
        "Megatron FSDP does not run in a pipeline",
        "zero=1",
    )
    depth, share = recipe.architecture.depth, layout.recompute_layers
    fewer = np.greater(share, 0) & np.less(share, 1)
    found.refuse(
        np.equal(layout.recompute, Recompute.SELECTIVE) & fewer,
        f"it recomputes all layers, not {share_of(share)}",
        "recompute-layers=1",
    )
    held = stage_layers(depth, layout) / layout.virtual
    layers = np.asarray(share * held, dtype=np.float64)
    odd = (np.abs(layers - np.rint(layers)) > 1e-6) | np.not_equal(depth % (layout.pipeline * layout.virtual), 0)
    one = not np.ndim(layers)
    found.refuse(
        np.equal(layout.recompute, Recompute.FULL) & fewer & odd,
        f"recomputation is of whole layers: {share_of(share)} of {float(held):g} in a chunk are {float(layers):g}"
        if one
        else "recomputation is of whole layers",
        f"recompute-layers={max(round(float(layers)), 1) / float(held):g}" if one and held else "",
    )
    return found


def _layout(plan: Plan) -> list[str]:
    """Degrees of parallelism and what is sharded; all of them are said, those of 1 too where a default would differ."""
    layout, recipe = plan.layout, plan.recipe
    lines = [
        f"--tensor-model-parallel-size {int(layout.tensor)}",
        f"--pipeline-model-parallel-size {int(layout.pipeline)}",
        f"--context-parallel-size {int(layout.context)}",
    ]
    chunks, depth = int(layout.pipeline * layout.virtual), recipe.architecture.depth
    even = depth % chunks == 0 and not (chunks > 1 and recipe.architecture.multi_token_prediction)
    if not even and (depth + 2) % chunks:
        lines.append(
            f'--pipeline-model-parallel-layout "{stages(depth, chunks, recipe.architecture.multi_token_prediction)}"'
        )
    else:
        if not even:
            lines += ["--account-for-embedding-in-pipeline-split", "--account-for-loss-in-pipeline-split"]
        if layout.virtual > 1:
            lines.append(f"--num-virtual-stages-per-pipeline-rank {int(layout.virtual)}")
    if layout.tensor > 1 and layout.sequence_parallel:
        lines.append("--sequence-parallel")
    if recipe.architecture.is_moe:
        lines += [
            f"--expert-model-parallel-size {int(layout.expert)}",
            f"--expert-tensor-parallel-size {int(layout.expert_tensor)}",
        ]
    zero, groups = int(layout.zero), int(layout.data // layout.shards)
    if zero >= 2:
        lines += [
            "--use-distributed-optimizer",
            "--use-megatron-fsdp",
            f"--data-parallel-sharding-strategy {SHARDING[zero]}",
            "--ckpt-format fsdp_dtensor",
            "--no-gradient-accumulation-fusion",
        ]
    elif zero == 1:
        lines.append("--use-distributed-optimizer")
    if zero and layout.data > 1 and recipe.software.overlap_data:
        lines += ["--overlap-grad-reduce", "--overlap-param-gather"]
    if groups > 1 and zero:
        lines.append(f"--num-distributed-optimizer-instances {groups}")
    if layout.offload > 0:
        lines += [
            "--optimizer-cpu-offload",
            f"--optimizer-offload-fraction {float(layout.offload):g}",
            "--use-precision-aware-optimizer",
        ]
    return lines


def stages(depth: int, chunks: int, prediction_depths: int = 0) -> str:
    """Which part of a pipeline has which layers, as `--pipeline-model-parallel-layout` takes it: embedding, transformer
    layers, multi-token prediction, loss; the ends have fewer layers where they do not divide.

    >>> stages(10, 4)
    'Et*2|t*3|t*3|t*2,L'
    """
    least, more = divmod(depth, chunks)
    inner = [*range(1, chunks - 1), 0, chunks - 1]
    counts = [least + (place in inner[:more]) for place in range(chunks)]
    parts = [f"t*{count}" if count > 1 else "t" * count for count in counts]
    parts[0] = f"E{parts[0]}"
    parts[-1] = ",".join(filter(None, [parts[-1], "m" * prediction_depths, "L"]))
    return "|".join(parts)


def _recompute(plan: Plan) -> list[str]:
    """Selective of named modules, full of all layers, or full of the first layers of each stage."""
    layout, architecture = plan.layout, plan.recipe.architecture
    kind, share = Recompute(int(layout.recompute)), float(layout.recompute_layers)
    if kind is Recompute.NONE or share == 0:
        return []
    if kind is Recompute.SELECTIVE:
        return ["--recompute-granularity selective", f"--recompute-modules {modules(plan)}"]
    if share == 1:
        return ["--recompute-granularity full", "--recompute-method uniform", "--recompute-num-layers 1"]
    held = float(stage_layers(architecture.depth, layout)) / int(layout.virtual)
    return ["--recompute-granularity full", "--recompute-method block", f"--recompute-num-layers {round(share * held)}"]


def modules(plan: Plan) -> str:
    """What selective recomputation makes again, as the cost was counted.

    The core of attention where it is not fused; else norms, activations of experts, and up-projections of latent attention.
    """
    if not plan.recipe.software.fused_attention:
        return "core_attn"
    blocks = plan.recipe.architecture.blocks
    latent = any(getattr(block.layer.mixer, "kv_rank", None) for block in blocks)
    moe = plan.recipe.architecture.is_moe
    return " ".join(["layernorm", *(["moe_act"] if moe else []), *(["mla_up_proj"] if latent else [])])


def words(lines: list[str]) -> list[str]:
    """Option lines as the words of a command line."""
    return [word for line in lines for word in shlex.split(line)]
