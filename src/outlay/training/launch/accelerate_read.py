"""An accelerate YAML back into a layout."""

from __future__ import annotations

from outlay.layout import Recompute
from outlay.training.launch import keys, yaml
from outlay.training.launch.plan import Imported
from outlay.training.launch.reading import Reading, divided
from outlay.workload import Number

TOOL = "accelerate"
_PRECISION = {"no": "fp32", "bf16": "bf16", "fp16": "fp16", "fp8": "fp8"}
_SHARDING = {
    "full_shard": 3,
    "hybrid_shard": 3,
    "shard_grad_op": 2,
    "hybrid_shard_zero2": 2,
    "no_shard": 0,
    "1": 3,
    "2": 2,
    "3": 0,
    "4": 3,
    "5": 2,
}
"""FSDP 1's strategies, by name and by number."""
_NESTED = {"megatron_lm_config": "megatron_lm_", "fsdp_config": "fsdp_", "parallelism_config": "parallelism_config_"}


def read(text: str, *, source: str, ignore_unknown: bool = False) -> Imported:
    """What an accelerate config decides; the micro-batch, the model and the sequence are in the script that it starts.

    :raises InputError: for a text that is no YAML, unknown keys, and values that outlay has no word for.
    """
    document = yaml.load(text, source=source, what="an accelerate config")
    for section, prefix in _NESTED.items():  # `accelerate launch` takes these keys with and without the prefix
        part = document.get(section)
        if isinstance(part, dict):
            document[section] = {
                str(key) if str(key).startswith(prefix) else f"{prefix}{key}": value for key, value in part.items()
            }
    values = {key: value for key, value in keys.flatten(TOOL, document).items() if value not in (None, {})}
    remarks = keys.check(TOOL, values, source=source, ignore_unknown=ignore_unknown)
    reading = Reading(TOOL, source, values)
    kind = str(values.get("distributed_type", "NO")).upper()
    devices = reading.count("num_processes")
    if kind == "FSDP":
        layout = _fsdp(reading, devices)
    elif kind == "DEEPSPEED":
        layout = _deepspeed(reading, devices)
    elif kind == "MEGATRON_LM":
        layout = _megatron(reading, devices, remarks)
    else:
        layout = {"tensor": 1, "pipeline": 1, "context": 1, "virtual": 1, "zero": 0}
        if devices:
            layout["data"] = devices
        reading.refuse(
            kind not in ("NO", "MULTI_GPU"),
            f"distributed_type {kind}: outlay reads NO, MULTI_GPU, FSDP, DEEPSPEED, MEGATRON_LM",
        )
    precision = reading.word("mixed_precision", _PRECISION, "fp32")
    reading.check()
    remarks.append("the micro-batch is in your script: `--layout mbs=…` says it")
    if "recompute" not in layout:
        remarks.append("whether activations are recomputed is said in the model's code: `--recompute full` if they are")
    return Imported(
        tool=TOOL,
        layout=layout,
        devices=devices,
        precision=precision,
        framework={"MEGATRON_LM": "megatron-core", "DEEPSPEED": "deepspeed"}.get(kind, "accelerate"),
        remarks=tuple(remarks),
    )


def _fsdp(reading: Reading, devices: int | None) -> dict[str, Number]:
    values = reading.values
    mesh = "parallelism_config.parallelism_config_"
    tensor, context = reading.degree(f"{mesh}tp_size"), reading.degree(f"{mesh}cp_size")
    reading.refuse(reading.degree(f"{mesh}sp_size") > 1, f"{reading.shown(f'{mesh}sp_size')}: outlay reads cp_size")
    replicas, shards = reading.count(f"{mesh}dp_replicate_size"), reading.count(f"{mesh}dp_shard_size")
    data = divided(reading, devices, {"tp_size": tensor, "cp_size": context})
    if shards is not None:
        data = (replicas or 1) * shards
    layout: dict[str, Number] = {"tensor": tensor, "context": context, "pipeline": 1, "virtual": 1}
    if tensor > 1:
        layout["sequence_parallel"] = False
    if data is not None:
        layout["data"] = data
    if replicas and shards and replicas > 1:
        layout["shard"] = shards
    reshard = "fsdp_config.fsdp_reshard_after_forward"
    strategy = "fsdp_config.fsdp_sharding_strategy"
    words = {**_SHARDING, "true": 3, "false": 2}
    layout["zero"] = reading.word(reshard if reshard in values else strategy, words, 3)
    if reading.flag("fsdp_config.fsdp_offload_params"):
        layout["offload"] = 1.0
    full = reading.flag("fsdp_config.fsdp_activation_checkpointing")
    layout["recompute"] = Recompute.FULL if full else Recompute.NONE
    return layout


def _deepspeed(reading: Reading, devices: int | None) -> dict[str, Number]:
    part = "deepspeed_config."
    named = reading.values.get(f"{part}deepspeed_config_file")
    reading.refuse(named, f"deepspeed_config.deepspeed_config_file {named}: the plan is in that file; import it")
    stage = reading.count(f"{part}zero_stage", least=0)
    reading.refuse(stage is not None and stage > 3, f"{reading.shown(f'{part}zero_stage')}: expected 0 to 3")
    layout: dict[str, Number] = {
        "tensor": 1,
        "pipeline": 1,
        "context": 1,
        "virtual": 1,
        "zero": 2 if stage is None else stage,
    }
    if devices is not None:
        layout["data"] = devices
    layout["offload"] = float(reading.word(f"{part}offload_optimizer_device", {"none": 0, "cpu": 1}, 0))
    reading.word(f"{part}offload_param_device", {"none": 0}, 0)
    return layout


def _megatron(reading: Reading, devices: int | None, remarks: list[str]) -> dict[str, Number]:
    part = "megatron_lm_config.megatron_lm_"
    parts = {
        "tp_degree": reading.degree(f"{part}tp_degree"),
        "pp_degree": reading.degree(f"{part}pp_degree"),
        "context_parallel_size": reading.degree(f"{part}context_parallel_size"),
    }
    tensor, pipeline, context = parts.values()
    layout: dict[str, Number] = {"tensor": tensor, "pipeline": pipeline, "context": context, "virtual": 1}
    data = divided(reading, devices, parts)
    if data is not None:
        layout["data"] = data
    if tensor > 1:
        layout["sequence_parallel"] = reading.flag(f"{part}sequence_parallelism")
    if f"{part}expert_model_parallel_size" in reading.values:
        layout["expert"] = reading.degree(f"{part}expert_model_parallel_size")
        layout["expert_tensor"] = reading.count(f"{part}expert_tensor_parallel_size") or tensor
    layout["zero"] = int(reading.flag(f"{part}use_distributed_optimizer"))
    if reading.flag(f"{part}optimizer_cpu_offload"):
        layout["offload"] = 1.0
    kinds = {"selective": Recompute.SELECTIVE, "full": Recompute.FULL}
    layout["recompute"] = reading.word(f"{part}recompute_granularity", kinds, Recompute.NONE)
    if reading.flag(f"{part}recompute_activations"):
        layout["recompute"] = Recompute.SELECTIVE
    if reading.values.get(f"{part}recompute_method") == "block":
        remarks.append("recompute_method block: how many layers that is of all depends on the model; all are counted")
    return layout
