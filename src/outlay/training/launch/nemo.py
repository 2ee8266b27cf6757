"""NeMo's Megatron-Bridge: a pre-training recipe, and what the plan changes in it."""

from __future__ import annotations

import numpy as np

from outlay.layout import Recompute
from outlay.training.launch import keys
from outlay.training.launch.megatron import SHARDING, modules
from outlay.training.launch.plan import Limits, Plan, Written, header, share_of
from outlay.training.schedule import stage_layers

VERSION = "Megatron-Bridge 0.6"
PRECISION = {
    "bf16": "bf16_mixed",
    "fp16": "fp16_mixed",
    "fp8": "bf16_with_fp8_delayed_scaling_mixed",
    "fp8-block": "bf16_with_fp8_subchannel_scaling_mixed",
    "mxfp8": "bf16_with_mxfp8_mixed",
    "nvfp4": "bf16_with_nvfp4_mixed",
}
"""Precision → a name that `mixed_precision` takes (megatron-bridge 0.6.2, `training/mixed_precision.py`)."""


def write(plan: Plan) -> Written:
    """`nemo.py`: the recipe of the model with the plan's fields set, ready for `pretrain`.

    :raises InputError: for precisions and shares of recomputation that the recipes have no name for.
    """
    limits(plan).check()
    remarks = list[str]()
    fields = _fields(plan)
    module, function = keys.names("nemo").get(plan.model, "YOUR.RECIPE pretrain_config").split()
    if "YOUR" in module:
        remarks.append(f"outlay knows no recipe for {plan.model}: name the module and the function of yours")
    remarks.append("data, tokenizer, learning rate and checkpoints are the recipe's")
    comment = [f"# {line}" for line in header(plan, "NeMo Megatron-Bridge", version=VERSION, remarks=tuple(remarks))]
    lines = [
        *comment,
        f"# start: torchrun --nnodes {plan.nodes} --nproc-per-node {plan.node_size} nemo.py",
        "# the same fields are overrides on the command line of a recipe's script: model.tensor_model_parallel_size=8 …",
        f"from megatron.bridge.recipes.{module} import {function}"
        if "YOUR" not in module
        else f"# from {module} import {function}",
        "from megatron.bridge.training.gpt_step import forward_step",
        "from megatron.bridge.training.pretrain import pretrain",
        "",
        f"config = {function}()",
        *(f"config.{name} = {value!r}" for name, value in fields.items()),
        "",
        'if __name__ == "__main__":',
        "    pretrain(config=config, forward_step_func=forward_step)",
    ]
    return Written(name="nemo.py", text="\n".join(lines) + "\n", remarks=tuple(remarks))


def limits(plan: Plan) -> Limits:
    """What the recipes have no name for, and what Megatron refuses."""
    layout, found = plan.layout, Limits("Megatron-Bridge")
    found.named(plan.recipe, precisions=PRECISION, optimizers=("adam",))
    found.refuse(
        np.greater(layout.pipeline, 1) & np.equal(layout.zero, 3),
        "Megatron FSDP does not run in a pipeline",
        "zero=1",
    )
    share = layout.recompute_layers
    fewer = np.greater(share, 0) & np.less(share, 1)
    found.refuse(
        np.equal(layout.recompute, Recompute.SELECTIVE) & fewer,
        f"it recomputes all layers, not {share_of(share)}",
        "recompute-layers=1",
    )
    layers = np.asarray(share * stage_layers(plan.recipe.architecture.depth, layout) / layout.virtual)
    found.refuse(
        np.equal(layout.recompute, Recompute.FULL) & fewer & (np.abs(layers - np.rint(layers)) > 1e-6),
        "recomputation is of whole layers"
        if np.ndim(layers)
        else f"recomputation is of whole layers, not of {float(layers):g}",
        "recompute-layers=1",
    )
    return found


def _fields(plan: Plan) -> dict[str, object]:
    """Fields of Bridge's `ConfigContainer`, as paths."""
    recipe, layout = plan.recipe, plan.layout
    fields: dict[str, object] = {
        "model.tensor_model_parallel_size": int(layout.tensor),
        "model.pipeline_model_parallel_size": int(layout.pipeline),
        "model.virtual_pipeline_model_parallel_size": int(layout.virtual) if layout.virtual > 1 else None,
        "model.context_parallel_size": int(layout.context),
        "model.sequence_parallel": bool(layout.sequence_parallel and layout.tensor > 1),
        "model.seq_length": recipe.sequence_length,
        "dataset.seq_length": recipe.sequence_length,
        "train.micro_batch_size": int(layout.micro_batch),
        "train.global_batch_size": plan.global_batch,
        "train.train_iters": plan.steps,
        "mixed_precision": PRECISION.get(recipe.precision),
        "ddp.use_distributed_optimizer": bool(layout.zero),
        "optimizer.use_distributed_optimizer": bool(layout.zero),
    }
    if recipe.architecture.is_moe:
        fields["model.expert_model_parallel_size"] = int(layout.expert)
        fields["model.expert_tensor_parallel_size"] = int(layout.expert_tensor)
    if layout.zero >= 2:
        fields["ddp.use_megatron_fsdp"] = True
        fields["dist.use_megatron_fsdp"] = True
        fields["ddp.data_parallel_sharding_strategy"] = SHARDING[int(layout.zero)]
    if layout.zero and layout.shards < layout.data:
        fields["ddp.num_distributed_optimizer_instances"] = int(layout.data // layout.shards)
    if layout.offload:
        fields |= {
            "optimizer.optimizer_cpu_offload": True,
            "optimizer.optimizer_offload_fraction": float(layout.offload),
            "optimizer.use_precision_aware_optimizer": True,
        }
    return fields | _recompute(plan)


def _recompute(plan: Plan) -> dict[str, object]:
    layout, depth = plan.layout, plan.recipe.architecture.depth
    kind, share = Recompute(int(layout.recompute)), float(layout.recompute_layers)
    if kind is Recompute.NONE or share == 0:
        return {"model.recompute_granularity": None}
    if kind is Recompute.SELECTIVE:
        return {"model.recompute_granularity": "selective", "model.recompute_modules": modules(plan).split()}
    layers = share * float(stage_layers(depth, layout)) / int(layout.virtual)
    return {
        "model.recompute_granularity": "full",
        "model.recompute_method": "uniform" if share == 1 else "block",
        "model.recompute_num_layers": 1 if share == 1 else round(layers),
    }
