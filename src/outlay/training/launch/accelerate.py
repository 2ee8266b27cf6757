"""accelerate: the YAML of `accelerate launch --config_file`, in the back end that the layout asks for."""

from __future__ import annotations

from outlay.layout import Recompute
from outlay.training.launch import yaml
from outlay.training.launch.plan import Limits, Plan, Written, header

VERSION = "accelerate 1.15"
PRECISION = {"bf16": "bf16", "fp16": "fp16", "amp": "fp16", "fp32": "no", "fp8": "fp8"}


def write(plan: Plan) -> Written:
    """`accelerate.yaml`: DDP, FSDP 2, DeepSpeed or Megatron-LM, the first of them that can run the layout.

    :raises InputError: for interleaved pipelines and for what no back end does.
    """
    recipe, layout = plan.recipe, plan.layout
    limits, remarks = Limits("accelerate"), list[str]()
    limits.named(recipe, precisions=PRECISION)
    limits.refuse(layout.virtual > 1, "its pipelines are not interleaved", "vpp=1")
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
        document |= _fsdp(plan, limits)
    elif back_end == "DEEPSPEED":
        document["deepspeed_config"] = _deepspeed(plan, limits)
    elif back_end == "MEGATRON_LM":
        document["megatron_lm_config"] = _megatron(plan, limits)
    else:
        limits.refuse(layout.offload > 0, "plain data parallelism offloads nothing", "zero=3")
        limits.refuse(layout.recompute > 0, "plain data parallelism recomputes in the model's code only", "zero=3")
    limits.check()
    if plan.nodes > 1:
        remarks.append("main_process_ip, main_process_port and each node's machine_rank are left to you")
    remarks.append(
        f"the micro-batch is your script's: {int(layout.micro_batch)} sequences of {recipe.sequence_length:,} tokens, "
        f"gradient_accumulation_steps {plan.micro_batches}"
    )
    comment = [f"# {line}" for line in header(plan, "accelerate", version=VERSION, remarks=tuple(remarks))]
    return Written(name="accelerate.yaml", text="\n".join(comment) + "\n" + yaml.dump(document), remarks=tuple(remarks))


def _back_end(plan: Plan) -> str:
    layout = plan.layout
    model_parallel = layout.pipeline > 1 or layout.expert > 1 or layout.expert_tensor > 1
    inner = layout.tensor * layout.context > 1
    if plan.devices == 1 and not layout.zero:
        return "NO"
    if not layout.zero and not inner and not model_parallel:
        return "MULTI_GPU"
    if layout.zero >= 2 and not model_parallel and not (layout.zero == 2 and layout.offload):
        return "FSDP"
    return "MEGATRON_LM" if inner or model_parallel else "DEEPSPEED"


def _fsdp(plan: Plan, limits: Limits) -> dict[str, object]:
    layout = plan.layout
    share, kind = float(layout.recompute_layers), Recompute(int(layout.recompute))
    limits.whole(layout)
    limits.refuse(
        kind is Recompute.SELECTIVE and share, "its FSDP recomputes whole layers or nothing", "recompute=full"
    )
    limits.refuse(layout.data > 1 and layout.shards == 1, "sharding among one rank is plain data parallelism", "zero=0")
    limits.refuse(
        layout.tensor > 1 and layout.sequence_parallel, "its tensor parallelism has no sequence parallelism", "sp=off"
    )
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


def _deepspeed(plan: Plan, limits: Limits) -> dict[str, object]:
    layout = plan.layout
    limits.all_ranks(layout)
    limits.whole(layout, recompute=False)
    limits.refuse(layout.recompute > 0, "with DeepSpeed, recomputation is said in the model's code", "recompute=none")
    return {
        "zero_stage": int(layout.zero),
        "gradient_accumulation_steps": plan.micro_batches,
        "offload_optimizer_device": "cpu" if layout.offload else "none",
        "offload_param_device": "none",
        "zero3_init_flag": False,
    }


def _megatron(plan: Plan, limits: Limits) -> dict[str, object]:
    layout = plan.layout
    limits.refuse(layout.zero > 1, f"its Megatron-LM does not run with ZeRO-{int(layout.zero)}", "zero=1")
    limits.all_ranks(layout)
    limits.whole(layout)  # the layers of a stage are not known to accelerate
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
