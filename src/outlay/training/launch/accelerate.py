"""accelerate: the YAML of `accelerate launch --config_file`, in the back end that the layout asks for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from outlay.layout import Recompute
from outlay.training.launch import yaml
from outlay.training.launch.plan import Limits, Plan, Written, header, share_of

VERSION = "accelerate 1.15"
PRECISION = {"bf16": "bf16", "fp16": "fp16", "amp": "fp16", "fp32": "no", "fp8": "fp8"}


def write(plan: Plan) -> Written:
    """`accelerate.yaml`: DDP, FSDP 2, DeepSpeed or Megatron-LM, the first of them that can run the layout.

    :raises InputError: for interleaved pipelines and for what no back end does.
    """
    recipe, layout = plan.recipe, plan.layout
    limits(plan).check()
    remarks = list[str]()
    document: dict[str, object] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "NO",
        "mixed_precision": PRECISION.get(recipe.precision, "no"),
        "num_machines": plan.nodes,
        "num_processes": plan.devices,
        "machine_rank": 0,
        "main_training_function": "main",
        "rdzv_backend": "static",
        "same_network": True,
        "use_cpu": False,
    }
    back_end = _back_end(plan)
    document["distributed_type"] = back_end
    if back_end == "FSDP":
        document |= _fsdp(plan)
    elif back_end == "DEEPSPEED":
        document["deepspeed_config"] = _deepspeed(plan)
    elif back_end == "MEGATRON_LM":
        document["megatron_lm_config"] = _megatron(plan)
    if plan.nodes > 1:
        remarks.append("main_process_ip, main_process_port and each node's machine_rank are left to you")
    remarks.append(
        f"the micro-batch is your script's: {_sequences(int(layout.micro_batch))} of {recipe.sequence_length:,} tokens, "
        f"gradient_accumulation_steps {plan.micro_batches}"
    )
    comment = [f"# {line}" for line in header(plan, "accelerate", version=VERSION, remarks=tuple(remarks))]
    return Written(name="accelerate.yaml", text="\n".join(comment) + "\n" + yaml.dump(document), remarks=tuple(remarks))


def _back_end(plan: Plan) -> str:
    """The back end of one layout."""
    return str(_back_ends(plan)[()])


def _back_ends(plan: Plan) -> NDArray[np.str_]:
    """The back end of each layout."""
    layout = plan.layout
    model_parallel = np.greater(layout.pipeline * layout.expert * layout.expert_tensor, 1)
    inner = np.greater(layout.tensor * layout.context, 1)
    plain = np.equal(layout.zero, 0)
    sharded = np.greater_equal(layout.zero, 2) & ~(np.equal(layout.zero, 2) & np.greater(layout.offload, 0))
    return np.select(
        [
            plain & np.equal(layout.devices, 1),
            plain & ~inner & ~model_parallel,
            sharded & ~model_parallel,
            inner | model_parallel,
        ],
        ["NO", "MULTI_GPU", "FSDP", "MEGATRON_LM"],
        "DEEPSPEED",
    )


def limits(plan: Plan) -> Limits:
    """What none of its back ends does, or not the one that a layout asks for."""
    layout, found, back_end = plan.layout, Limits("accelerate"), _back_ends(plan)
    found.named(plan.recipe, precisions=PRECISION)
    found.refuse(np.greater(layout.virtual, 1), "its pipelines are not interleaved", "vpp=1")
    offloaded, again = np.greater(layout.offload, 0), np.greater(layout.recompute, 0)
    share = layout.recompute_layers
    parts = offloaded & np.less(layout.offload, 1)
    fewer = again & np.greater(share, 0) & np.less(share, 1)
    partial = np.greater(layout.zero, 0) & np.less(layout.shards, layout.data)
    plain = (back_end == "NO") | (back_end == "MULTI_GPU")
    fsdp, deepspeed, megatron = (back_end == name for name in ("FSDP", "DEEPSPEED", "MEGATRON_LM"))
    found.refuse(plain & offloaded, "plain data parallelism offloads nothing", "zero=3")
    found.refuse(plain & again, "plain data parallelism recomputes in the model's code only", "zero=3")
    found.refuse(
        megatron & np.greater(layout.zero, 1), f"its Megatron-LM does not run with ZeRO-{layout.zero}", "zero=1"
    )
    found.refuse((deepspeed | megatron) & partial, "it shards among all data ranks, not among some", "shard=0")
    found.refuse(~plain & parts, f"it offloads the whole, not {share_of(layout.offload)}", "offload=1")
    # The layers of a stage are not known to accelerate.
    found.refuse((fsdp | megatron) & fewer, f"it recomputes all layers, not {share_of(share)}", "recompute-layers=1")
    found.refuse(
        fsdp & np.equal(layout.recompute, Recompute.SELECTIVE) & np.greater(share, 0),
        "its FSDP recomputes whole layers or nothing",
        "recompute=full",
    )
    found.refuse(
        fsdp & np.greater(layout.data, 1) & np.equal(layout.shards, 1),
        "sharding among one rank is plain data parallelism",
        "zero=0",
    )
    found.refuse(
        fsdp & np.greater(layout.tensor, 1) & np.not_equal(layout.sequence_parallel, 0),
        "its tensor parallelism has no sequence parallelism",
        "sp=off",
    )
    found.refuse(deepspeed & again, "with DeepSpeed, recomputation is said in the model's code", "recompute=none")
    return found


def _fsdp(plan: Plan) -> dict[str, object]:
    layout = plan.layout
    kind = Recompute(int(layout.recompute))
    fsdp = {
        "fsdp_version": 2,
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_reshard_after_forward": bool(layout.zero == 3),
        "fsdp_offload_params": bool(layout.offload == 1),
        "fsdp_activation_checkpointing": kind is Recompute.FULL,
        "fsdp_cpu_ram_efficient_loading": True,
        "fsdp_state_dict_type": "SHARDED_STATE_DICT",
    }
    shards = int(layout.shards)
    mesh = {
        "parallelism_config_dp_replicate_size": int(layout.data) // shards,
        "parallelism_config_dp_shard_size": shards,
        "parallelism_config_tp_size": int(layout.tensor),
        "parallelism_config_cp_size": int(layout.context),
    }
    return {"fsdp_config": fsdp, "parallelism_config": mesh}


def _deepspeed(plan: Plan) -> dict[str, object]:
    layout = plan.layout
    return {
        "zero_stage": int(layout.zero),
        "gradient_accumulation_steps": plan.micro_batches,
        "offload_optimizer_device": "cpu" if layout.offload else "none",
        "offload_param_device": "none",
        "zero3_init_flag": False,
    }


def _megatron(plan: Plan) -> dict[str, object]:
    layout = plan.layout
    table: dict[str, object] = {
        "tp_degree": int(layout.tensor),
        "pp_degree": int(layout.pipeline),
        "context_parallel_size": int(layout.context),
        "num_micro_batches": plan.micro_batches,
        "use_distributed_optimizer": layout.zero == 1,
    }
    if layout.tensor > 1:
        table["sequence_parallelism"] = bool(layout.sequence_parallel)
    if plan.recipe.architecture.is_moe:
        table["expert_model_parallel_size"] = int(layout.expert)
        table["expert_tensor_parallel_size"] = int(layout.expert_tensor)
    if layout.offload:
        table["optimizer_cpu_offload"] = True
    kind = Recompute(int(layout.recompute))
    if kind is Recompute.SELECTIVE:
        table["recompute_granularity"] = "selective"
    elif kind is Recompute.FULL:
        table |= {"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1}
    return {f"megatron_lm_{key}": value for key, value in table.items()}


def _sequences(count: int) -> str:
    return "1 sequence" if count == 1 else f"{count} sequences"
