"""A torchtitan TOML back into a layout and a batch."""

from __future__ import annotations

from collections.abc import Mapping

from outlay import catalog
from outlay.errors import InputError
from outlay.layout import Recompute
from outlay.training.launch import keys
from outlay.training.launch.plan import Imported
from outlay.training.launch.reading import Reading
from outlay.workload import Number, from_config

TOOL = "torchtitan"
_SINGLE = {"1f1b": False, "gpipe": False, "interleaved1f1b": True, "interleavedzerobubble": True, "loopedbfs": True}
_PRECISION = {"quantize.linear.float8": "fp8", "quantize.linear.mx": "mxfp8"}


def read(text: str, *, source: str, ignore_unknown: bool = False) -> Imported:
    """What a torchtitan run does.

    :raises InputError: for a text that is no TOML, unknown keys, and values that outlay has no word for.
    """
    import tomllib

    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(
            f"`{source}` is not TOML: {error}", expected="a torchtitan TOML", hint="correct it, or name another file"
        ) from error
    values = keys.flatten(TOOL, document)
    remarks = keys.check(TOOL, values, source=source, ignore_unknown=ignore_unknown)
    reading = Reading(TOOL, source, values)
    flavor = (str(values.get("model.name", "")), str(values.get("model.flavor", "")).partition("_")[0])
    model = next((name for name, theirs in keys.names(TOOL).items() if theirs == " ".join(flavor)), None)
    layout = _degrees(reading, None if model is None else _depth(model))
    pipeline = int(layout["pipeline"])
    replicas, shards = reading.count("parallelism.data_parallel_replicate_degree") or 1, _shards(reading)
    if shards is not None:
        data = layout["data"] = replicas * shards
        layout["zero"] = _zero(reading, data > replicas or "always" in _policy(reading), pipeline)
        if replicas > 1 and shards > 1:
            layout["shard"] = shards
    else:
        layout["zero"] = _zero(reading, True, pipeline)
        if replicas > 1:
            remarks.append(
                "data_parallel_shard_degree is -1, what is left of the devices: say how many with `--on NAME:COUNT`; "
                f"the {replicas} replicas of HSDP are then left out unless `--layout shard=…` names them"
            )
    if "training.local_batch_size" in values or pipeline > 1:
        key = "parallelism.pipeline_parallel_microbatch_size" if pipeline > 1 else "training.local_batch_size"
        layout["micro_batch"] = reading.degree(key)
    layout |= _recompute(reading)
    if reading.flag("training.enable_cpu_offload"):
        layout["offload"] = 1.0
    batch = reading.count("training.global_batch_size", least=-1)
    local = reading.count("training.local_batch_size") or 8
    if (batch is None or batch < 1) and "data" in layout:
        batch = local * int(layout["data"])  # torchtitan's own default
    devices = None
    if "data" in layout:
        devices = int(layout["data"]) * int(layout["tensor"]) * pipeline * int(layout["context"])
    precision = _precision(reading)
    reading.word("optimizer.name", {"adam": "adam", "adamw": "adam"}, "adam")
    sequence, steps = reading.count("training.seq_len"), reading.count("training.steps")
    reading.check()
    return Imported(
        tool=TOOL,
        layout=layout,
        devices=devices,
        model=model,
        sequence_length=sequence,
        global_batch=batch if batch and batch > 0 else None,
        precision=precision,
        optimizer="adam",
        steps=steps,
        framework="torchtitan",
        remarks=tuple(remarks),
    )


def _depth(model: str) -> int:
    """Layers of a model, which torchtitan's flavors of it have too."""
    return from_config(catalog.model_config(model).config, name=model).depth


def _degrees(reading: Reading, depth: int | None) -> dict[str, Number]:
    values = reading.values
    tensor = reading.degree("parallelism.tensor_parallel_degree")
    pipeline = reading.degree("parallelism.pipeline_parallel_degree")
    layout: dict[str, Number] = {
        "tensor": tensor,
        "pipeline": pipeline,
        "context": reading.degree("parallelism.context_parallel_degree"),
        "virtual": _virtual(reading, depth, pipeline) if pipeline > 1 else 1,
    }
    if tensor > 1:
        layout["sequence_parallel"] = True
    if "parallelism.expert_parallel_degree" in values:
        layout["expert"] = reading.degree("parallelism.expert_parallel_degree")
        layout["expert_tensor"] = reading.degree("parallelism.expert_tensor_parallel_degree")
    return layout


def _shards(reading: Reading) -> int | None:
    """Ranks that weights are sharded among; None where that is what is left of the devices."""
    value = reading.count("parallelism.data_parallel_shard_degree", least=-1)
    if value == 0:
        reading.problems.append(
            reading.shown("parallelism.data_parallel_shard_degree") + ": expected -1, or 1 and more"
        )
    return value if value and value > 0 else None


def _policy(reading: Reading) -> str:
    words = {"default": "default", "always": "always", "never": "never"}
    return reading.word("parallelism.fsdp_reshard_after_forward", words, "default")


def _zero(reading: Reading, sharded: bool, pipeline: int) -> int:
    """FSDP that keeps the weights after the forward pass is ZeRO-2; in a pipeline that is the default."""
    policy = _policy(reading)
    if policy == "never":
        return 2
    if not sharded:
        return 0
    return 2 if policy == "default" and pipeline > 1 else 3


def _virtual(reading: Reading, depth: int | None, pipeline: int) -> int:
    """Model chunks of a pipeline rank: from the modules named, from the layers of a chunk, or torchtitan's default."""
    name = "parallelism.pipeline_parallel_schedule"
    looped = reading.word(name, _SINGLE, False)
    listed = reading.values.get("parallelism.module_fqns_per_model_part")
    if isinstance(listed, list) and listed:
        reading.refuse(
            len(listed) % pipeline, f"{len(listed)} model parts do not divide among {pipeline} pipeline ranks"
        )
        return max(len(listed) // pipeline, 1)
    each = reading.count("parallelism.pipeline_parallel_layers_per_stage")
    if each is None:
        return 2 if looped else 1
    if not looped:
        return 1
    if depth is None:
        reading.problems.append(
            f"{reading.shown('parallelism.pipeline_parallel_layers_per_stage')}: the layers of "
            f"{reading.values.get('model.flavor', 'the model')} are not known; name the chunks in module_fqns_per_model_part"
        )
        return 1
    first = reading.count("parallelism.pipeline_parallel_first_stage_less_layers", least=0)
    last = reading.count("parallelism.pipeline_parallel_last_stage_less_layers", least=0)
    stages = -(-(depth + (1 if first is None else first) + (1 if last is None else last)) // each)
    reading.refuse(stages % pipeline, f"{stages} stages of {each} layers do not divide among {pipeline} pipeline ranks")
    return max(stages // pipeline, 1)


def _recompute(reading: Reading) -> dict[str, Number]:
    modes: Mapping[str, int] = {"none": Recompute.NONE, "full": Recompute.FULL, "selective": -1}
    mode = reading.word("activation_checkpoint.mode", modes, -1)
    if mode >= 0:
        return {"recompute": mode}
    option = str(reading.values.get("activation_checkpoint.selective_ac_option", "2"))
    if option == "op":
        return {"recompute": Recompute.SELECTIVE}
    if not option.isascii() or not option.isdigit() or int(option) < 1:
        reading.problems.append(f"activation_checkpoint.selective_ac_option {option}: expected op or a whole number")
        return {}
    return {"recompute": Recompute.FULL, "recompute_layers": 1 / int(option)}


def _precision(reading: Reading) -> str:
    named = reading.values.get("model.converters") or []
    for name in named if isinstance(named, list) else str(named).split(","):
        if name in _PRECISION:
            return _PRECISION[name]
        reading.problems.append(f"model.converters {name}: outlay reads {', '.join(_PRECISION)}")
    whole = reading.values.get("training.dtype", "float32") == "bfloat16"
    if whole:
        reading.problems.append("training.dtype bfloat16: outlay reads mixed precision, with fp32 master weights")
    return reading.word("training.mixed_precision_param", {"bfloat16": "bf16", "float32": "fp32"}, "bf16")
