"""DeepSpeed: the JSON that `deepspeed.initialize` and the trainers built on it take."""

from __future__ import annotations

import json

import numpy as np

from outlay.layout import Recompute
from outlay.training.launch.plan import Limits, Plan, Written, share_of

VERSION = "DeepSpeed 0.19"
OPTIMIZERS = {"adam": "AdamW", "lion": "Lion", "lamb": "Lamb", "muon": "Muon", "adafactor": "Adafactor", "sgd": "SGD"}


def write(plan: Plan) -> Written:
    """`deepspeed.json`; JSON has no comments, so all remarks are beside it.

    :raises InputError: for interleaved pipelines, sequence parallelism, partial sharding and the like.
    """
    recipe, layout = plan.recipe, plan.layout
    limits(plan).check()
    remarks = list[str]()
    tensor, pipeline, context = int(layout.tensor), int(layout.pipeline), int(layout.context)
    config: dict[str, object] = {
        "train_batch_size": plan.global_batch,
        "train_micro_batch_size_per_gpu": int(layout.micro_batch),
        "gradient_accumulation_steps": plan.micro_batches,
        "optimizer": {"type": OPTIMIZERS.get(recipe.optimizer, ""), "params": {}},
        "zero_optimization": _zero(plan),
    }
    if recipe.precision != "fp32":
        config[recipe.precision] = {"enabled": True}
    if pipeline > 1:
        config["pipeline"] = {"stages": pipeline}
        remarks.append(f"the stages are made in code: PipelineModule(…, num_stages={pipeline})")
    if tensor > 1:
        config["tensor_parallel"] = {"autotp_size": tensor}
    if context > 1:
        config |= {"sequence_parallel_size": context, "data_parallel_size": int(layout.data)}
        remarks.append(
            "context parallelism is Ulysses here (all-to-all over heads); the cost counts keys that go round"
        )
    if layout.expert > 1 or layout.expert_tensor > 1:
        config["expert_parallel"] = {
            "enabled": True,
            "autoep_size": int(layout.expert),
            "expert_tensor_parallel_size": int(layout.expert_tensor),
        }
    _recompute(plan, config, remarks)
    remarks.append(f"start it with `deepspeed --num_nodes {plan.nodes} --num_gpus {plan.node_size} train.py …`")
    remarks.append(
        "the model, the sequence's length and the learning rate are left to your script and to optimizer.params"
    )
    return Written(name="deepspeed.json", text=json.dumps(config, indent=2) + "\n", remarks=tuple(remarks))


def limits(plan: Plan) -> Limits:
    """What DeepSpeed cannot do, or has no word for."""
    layout, found = plan.layout, Limits("DeepSpeed")
    pipelined, divided = np.greater(layout.pipeline, 1), np.greater(layout.tensor, 1)
    found.refuse(np.greater(layout.virtual, 1), "its pipeline is not interleaved", "vpp=1")
    found.refuse(np.greater(layout.zero, 1) & pipelined, f"its pipeline does not run with ZeRO-{layout.zero}", "zero=1")
    found.refuse(
        divided & np.not_equal(layout.sequence_parallel, 0),
        "its tensor parallelism has no sequence parallelism",
        "sp=off",
    )
    found.all_ranks(layout)
    found.named(plan.recipe, precisions=("bf16", "fp16", "fp32"), optimizers=OPTIMIZERS)
    offloaded = np.greater(layout.offload, 0)
    found.refuse(offloaded & np.equal(layout.zero, 0), "it offloads what ZeRO shards", "zero=1")
    found.refuse(
        offloaded & np.less(layout.offload, 1) & np.less(layout.zero, 3),
        f"only ZeRO-3 offloads a part, {share_of(layout.offload)}",
        "offload=1",
    )
    found.refuse(
        np.greater(layout.context, 1) & (pipelined | divided),
        "sequence parallelism (Ulysses) goes with data parallelism only",
        "cp=1",
    )
    found.refuse(
        np.equal(layout.recompute, Recompute.SELECTIVE) & np.greater(layout.recompute_layers, 0),
        "it has no word for selective recomputation",
        "recompute=full",
    )
    found.whole(layout, offload=False)
    return found


def _zero(plan: Plan) -> dict[str, object]:
    layout = plan.layout
    table: dict[str, object] = {"stage": int(layout.zero)}
    if layout.zero and plan.recipe.software.overlap_data:
        table["overlap_comm"] = True
    if layout.offload > 0:
        table["offload_optimizer"] = {"device": "cpu", "pin_memory": True, "ratio": float(layout.offload)}
    return table


def _recompute(plan: Plan, config: dict[str, object], remarks: list[str]) -> None:
    """The JSON says how activations are checkpointed; that they are is said in the model's code."""
    kind, share = Recompute(int(plan.layout.recompute)), float(plan.layout.recompute_layers)
    if kind is Recompute.NONE or share == 0:
        return
    config["activation_checkpointing"] = {"number_checkpoints": plan.recipe.architecture.depth}
    remarks.append(
        "recomputation is switched on in the model: model.gradient_checkpointing_enable(), or its own checkpoints"
    )
