"""FSDP2: Python that shards a model as the plan says, with the calls of `torch.distributed`."""

from __future__ import annotations

import numpy as np

from outlay.layout import Recompute
from outlay.training.launch.plan import Limits, Plan, Written, header, share_of

VERSION = "PyTorch 2.6 and later (torch.distributed.fsdp.fully_shard)"
DTYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}


def write(plan: Plan) -> Written:
    """`fsdp2.py`, with `shard(model)` for a model whose layers are `model.layers`.

    :raises InputError: for pipelines, experts and ZeRO-1, which are not FSDP's.
    """
    recipe, layout = plan.recipe, plan.layout
    limits(plan).check()
    kind, share = Recompute(int(layout.recompute)), float(layout.recompute_layers)
    remarks = _remarks(plan)
    comment = [f"# {line}" for line in header(plan, "FSDP2", version=VERSION, remarks=remarks)]
    shards, tensor, context = int(layout.shards), int(layout.tensor), int(layout.context)
    replicas = int(layout.data) // shards
    names = ["replicate"] * (replicas > 1) + ["shard"] + ["context"] * (context > 1) + ["tensor"] * (tensor > 1)
    sizes = {"replicate": replicas, "shard": shards, "context": context, "tensor": tensor}
    mesh = ", ".join(f'"{name}"' for name in ("replicate", "shard") if name in names)
    lines = [
        *comment,
        f"# start: torchrun --nnodes {plan.nodes} --nproc-per-node {plan.node_size} train.py",
        "from __future__ import annotations",
        "",
        "import torch",
        *(
            ["from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper"]
            if kind is Recompute.FULL
            else []
        ),
        "from torch.distributed.device_mesh import init_device_mesh",
        f"from torch.distributed.fsdp import {'CPUOffloadPolicy, ' if layout.offload else ''}MixedPrecisionPolicy, fully_shard",
        "",
        f"SEQUENCE_LENGTH = {recipe.sequence_length}",
        f"MICRO_BATCH = {int(layout.micro_batch)}",
        f"GRADIENT_ACCUMULATION = {plan.micro_batches}",
        f"STEPS = {plan.steps}",
        "",
        "",
        "def shard(model: torch.nn.Module) -> torch.nn.Module:",
        f'    """Shard `model` over {plan.devices} devices; its layers are `model.layers`."""',
        f'    mesh = init_device_mesh("cuda", ({", ".join(str(sizes[name]) for name in names)},), '
        f"mesh_dim_names=({', '.join(repr(name) for name in names).replace(chr(39), chr(34))},))",
    ]
    if tensor > 1:
        lines += [
            '    # parallelize_module(layer, mesh["tensor"], plan) comes first, with the plan of your model'
            + (" and SequenceParallel norms" if layout.sequence_parallel else ""),
        ]
    if kind is Recompute.FULL:
        count = round(share * recipe.architecture.depth)
        lines += [
            f"    for index in range({count}):" + ("" if share == 1 else f"  # {share_of(share)} of the layers"),
            "        model.layers[index] = checkpoint_wrapper(model.layers[index])",
        ]
    dtype = DTYPES[recipe.precision]
    lines += [
        f"    precision = MixedPrecisionPolicy(param_dtype=torch.{dtype}, reduce_dtype=torch.float32)",
        "    options = dict(",
        f"        mesh=mesh[{mesh}],",
        "        mp_policy=precision,",
        f"        reshard_after_forward={layout.zero == 3},",
        *(["        offload_policy=CPUOffloadPolicy(),"] if layout.offload else []),
        "    )",
        "    for layer in model.layers:",
        "        fully_shard(layer, **options)",
        "    return fully_shard(model, **options)",
    ]
    return Written(name="fsdp2.py", text="\n".join(lines) + "\n", remarks=remarks)


def limits(plan: Plan) -> Limits:
    """What FSDP is not, or not without work of one's own."""
    layout, found = plan.layout, Limits("FSDP2")
    found.refuse(np.greater(layout.pipeline, 1), "a pipeline is not FSDP's", "pp=1")
    found.refuse(np.greater(layout.expert * layout.expert_tensor, 1), "expert parallelism is not FSDP's", "ep=1")
    found.refuse(np.less(layout.zero, 2), f"it shards weights; ZeRO-{layout.zero} does not", "zero=3")
    found.refuse(
        np.greater(layout.data, 1) & np.equal(layout.shards, 1),
        "sharding among one rank is plain data parallelism",
        "shard=0",
    )
    found.named(plan.recipe, precisions=DTYPES)
    found.whole(layout, recompute=False)
    found.refuse(
        np.equal(layout.recompute, Recompute.SELECTIVE),
        "selective recomputation is a policy of your own",
        "recompute=full",
    )
    return found


def _remarks(plan: Plan) -> tuple[str, ...]:
    layout, remarks = plan.layout, list[str]()
    if layout.tensor > 1:
        remarks.append("tensor parallelism needs the plan of your model: parallelize_module")
    if layout.context > 1:
        remarks.append(
            "wrap attention in torch.distributed.tensor.experimental.context_parallel over the mesh's context"
        )
    remarks.append("the optimizer, the data and the loop are yours")
    return tuple(remarks)
