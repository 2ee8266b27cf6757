"""torchtitan: a TOML of the 0.2 series, with the same choices as flags for the 0.3 series, which takes no TOML."""

from __future__ import annotations

import json

import numpy as np

from outlay.layout import Recompute
from outlay.training.launch import keys
from outlay.training.launch.plan import Limits, Plan, Written, header, share_of

VERSION = "torchtitan 0.2 (job.config_file)"

CONVERTERS = {"bf16": [], "fp32": [], "fp8": ["quantize.linear.float8"], "mxfp8": ["quantize.linear.mx"]}
"""Precision → model converters."""

Table = dict[str, object]


def write(plan: Plan) -> Written:
    """`torchtitan.toml`.

    :raises InputError: for ZeRO-1, Adam's kin, precisions and shares of recomputation that torchtitan does not have.
    """
    recipe, layout = plan.recipe, plan.layout
    limits(plan).check()
    remarks: list[str] = []
    model: Table = {"converters": CONVERTERS.get(recipe.precision, [])}
    flavor = keys.names("torchtitan").get(plan.model, "").split()
    if flavor:
        model = {"name": flavor[0], "flavor": flavor[1]} | model
    else:
        remarks.append(f"torchtitan has no flavor for {plan.model}: add one, and name it under [model]")
    training: Table = {
        "local_batch_size": int(layout.micro_batch) * (plan.micro_batches if layout.pipeline > 1 else 1),
        "global_batch_size": plan.global_batch,
        "seq_len": recipe.sequence_length,
        "steps": plan.steps,
        "mixed_precision_param": "float32" if recipe.precision == "fp32" else "bfloat16",
    }
    if layout.offload > 0:
        training["enable_cpu_offload"] = True
        remarks.append(
            "torchtitan offloads parameters and gradients with the optimizer; the cost counts the optimizer's alone"
        )
    tables: dict[str, Table] = {
        "model": model,
        "optimizer": {"name": "AdamW"},
        "training": training,
        "parallelism": _parallelism(plan, known=bool(flavor)),
        "activation_checkpoint": _recompute(plan),
    }
    if recipe.precision == "fp8":
        tables["quantize.linear.float8"] = {"recipe_name": "tensorwise"}
    if layout.pipeline == 1 and plan.micro_batches > 1:
        remarks.append(f"{plan.micro_batches} micro-batches a step are accumulated, as the global batch says")
    remarks.append("data set, tokenizer, learning rate and checkpoints are left to you")
    comment = [f"# {line}" for line in header(plan, "torchtitan", version=VERSION, remarks=tuple(remarks))]
    comment += ["# torchtitan 0.3 takes flags in place of this file; it calls these sections the same:"]
    comment += [f"#   {line}" for line in _flags(tables)]
    text = "\n".join([*comment, *_toml(tables)]) + "\n"
    return Written(name="torchtitan.toml", text=text, remarks=tuple(remarks))


def limits(plan: Plan) -> Limits:
    """What torchtitan cannot do."""
    layout, found = plan.layout, Limits("torchtitan")
    found.named(plan.recipe, precisions=CONVERTERS, optimizers=("adam",))
    zero, tensor = layout.zero, layout.tensor
    many = np.greater(layout.data, 1)
    inner = np.greater(tensor * layout.pipeline * layout.context, 1)
    found.whole(layout, recompute=False)
    found.refuse(np.greater(layout.offload, 0) & np.less(zero, 3), "it offloads what FSDP shards", "zero=3")
    found.refuse(np.equal(zero, 1), "it shards weights or nothing: no optimizer state alone (ZeRO-1)", "zero=3")
    found.refuse(np.equal(zero, 0) & many & inner, "plain data parallelism (DDP) goes with no other kind", "zero=3")
    found.refuse(
        np.greater(zero, 1) & many & np.equal(layout.shards, 1),
        "sharding among one rank is plain data parallelism",
        "zero=0",
    )
    found.refuse(
        np.greater(tensor, 1) & np.logical_not(layout.sequence_parallel),
        "tensor parallelism comes with sequence parallelism",
        "sp=on",
    )
    odd = np.not_equal(layout.expert_tensor, 1) & np.not_equal(layout.expert_tensor, tensor)
    experts = np.greater(layout.expert, 1)
    found.refuse(experts & odd, f"experts are divided among all tensor ranks or none: etp is 1 or {tensor}", "etp=1")
    found.refuse(np.logical_not(experts) & odd, "etp is tp where ep is 1", f"etp={tensor}")
    selective = np.equal(layout.recompute, Recompute.SELECTIVE)
    share = np.asarray(layout.recompute_layers, dtype=np.float64)
    found.refuse(
        selective & (share > 0) & (share < 1),
        f"it recomputes all layers, not {share_of(layout.recompute_layers)}",
        "recompute-layers=1",
    )
    every = np.rint(1.0 / np.maximum(share, 1e-9))
    found.refuse(
        np.equal(layout.recompute, Recompute.FULL) & (share > 0) & (np.abs(share * every - 1) > 1e-6),
        f"it recomputes all layers or every nth, not {share_of(layout.recompute_layers)}",
        "" if np.ndim(every) else f"recompute-layers={1 / float(every):g}",
    )
    return found


def _parallelism(plan: Plan, *, known: bool) -> Table:
    layout, depth = plan.layout, plan.recipe.architecture.depth
    zero, data = int(layout.zero), int(layout.data)
    tensor, pipeline, context = int(layout.tensor), int(layout.pipeline), int(layout.context)
    shards = int(layout.shards) if zero >= 2 else 1
    table: Table = {
        "data_parallel_replicate_degree": data // shards,
        "data_parallel_shard_degree": shards,
        "fsdp_reshard_after_forward": {3: "always", 2: "never"}.get(zero, "default"),
        "tensor_parallel_degree": tensor,
        "context_parallel_degree": context,
        "pipeline_parallel_degree": pipeline,
    }
    if pipeline > 1:
        chunks = pipeline * int(layout.virtual)
        table["pipeline_parallel_schedule"] = "1F1B" if layout.virtual == 1 else "Interleaved1F1B"
        table["pipeline_parallel_microbatch_size"] = int(layout.micro_batch)
        each = -(-depth // chunks)
        if known and -(-depth // each) == chunks:
            table |= {
                "pipeline_parallel_layers_per_stage": each,
                "pipeline_parallel_first_stage_less_layers": 0,
                "pipeline_parallel_last_stage_less_layers": 0,
            }
        else:
            table["module_fqns_per_model_part"] = parts(depth, chunks)
    if plan.recipe.architecture.is_moe:
        table["expert_parallel_degree"] = int(layout.expert)
        table["expert_tensor_parallel_degree"] = int(layout.expert_tensor)
    return table


def parts(depth: int, chunks: int) -> list[list[str]]:
    """Modules of each model chunk: layers in order, as even as they go.

    >>> parts(3, 2)
    [['tok_embeddings', 'layers.0', 'layers.1'], ['layers.2', 'norm', 'output']]
    """
    bounds = [-(-depth * chunk // chunks) for chunk in range(chunks + 1)]
    named = [[f"layers.{layer}" for layer in range(bounds[at], bounds[at + 1])] for at in range(chunks)]
    named[0] = ["tok_embeddings", *named[0]]
    named[-1] = [*named[-1], "norm", "output"]
    return named


def _recompute(plan: Plan) -> Table:
    kind, share = Recompute(int(plan.layout.recompute)), float(plan.layout.recompute_layers)
    if kind is Recompute.NONE or share == 0:
        return {"mode": "none"}
    if kind is Recompute.SELECTIVE:
        return {"mode": "selective", "selective_ac_option": "op"}
    if share == 1:
        return {"mode": "full"}
    return {"mode": "selective", "selective_ac_option": str(round(1 / share))}


def _toml(tables: dict[str, Table]) -> list[str]:
    lines: list[str] = []
    for name, table in tables.items():
        lines += ["", f"[{name}]", *(f"{key} = {_value(value)}" for key, value in table.items())]
    return lines


def _value(value: object) -> str:
    """A value as TOML has it, which for these kinds is as JSON has it."""
    return json.dumps(value)


def _flags(tables: dict[str, Table]) -> list[str]:
    """What 0.3 takes of the same; the model and its converters are named by its `--module` and `--config` there."""
    renamed = {"expert_tensor_parallel_degree", "module_fqns_per_model_part"}  # gone, or not for a command line
    return [
        f"--{name}.{key}={str(value).lower() if isinstance(value, bool) else value}"
        for name in ("training", "parallelism")
        for key, value in tables[name].items()
        if key not in renamed
    ]
