"""A DeepSpeed JSON back into a layout and a batch."""

from __future__ import annotations

import functools
import json

from outlay.errors import InputError
from outlay.layout import Recompute
from outlay.training.launch import keys
from outlay.training.launch.plan import Imported
from outlay.training.launch.reading import Reading
from outlay.workload import Number

TOOL = "deepspeed"
_OPTIMIZERS = {
    "adam": "adam",
    "adamw": "adam",
    "fusedadam": "adam",
    "lion": "lion",
    "lamb": "lamb",
    "muon": "muon",
    "adafactor": "adafactor",
    "sgd": "sgd",
}


def read(text: str, *, source: str, ignore_unknown: bool = False) -> Imported:
    """What a DeepSpeed run does; `auto` values, which a trainer fills in, count as not said.

    :raises InputError: for a text that is no JSON, unknown keys, and values that outlay has no word for.
    """
    try:
        document = json.loads(text, object_pairs_hook=functools.partial(keys.once, source=source))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"`{source}` is not JSON: {error}", expected="a DeepSpeed config", hint="correct it, or name another file"
        ) from error
    if not isinstance(document, dict):
        raise InputError(f"`{source}` holds no object", expected="a DeepSpeed config", hint="name a deepspeed.json")
    zero = document.get("zero_optimization")
    if isinstance(zero, bool):  # the oldest form
        document = document | {"zero_optimization": {"stage": int(zero)}}
    values = keys.flatten(TOOL, document)
    remarks = keys.check(TOOL, values, source=source, ignore_unknown=ignore_unknown)
    reading = Reading(TOOL, source, values)
    layout, devices = _degrees(reading)
    layout |= _recompute(reading, remarks)
    precision: str | None = "fp32"
    if reading.flag("bf16.enabled") or reading.flag("bfloat16.enabled"):
        precision = "bf16"
    elif reading.flag("fp16.enabled"):
        precision = "fp16"
    elif any(reading.automatic(key) for key in ("bf16.enabled", "bfloat16.enabled", "fp16.enabled")):
        precision = None  # the trainer's own setting decides
    optimizer = reading.word("optimizer.type", _OPTIMIZERS, None) if "optimizer.type" in values else None
    batch = reading.count("train_batch_size")
    reading.check()
    return Imported(
        tool=TOOL,
        layout=layout,
        devices=devices,
        global_batch=batch,
        precision=precision,
        optimizer=optimizer,
        framework="deepspeed",
        remarks=tuple(remarks),
    )


def _degrees(reading: Reading) -> tuple[dict[str, Number], int | None]:
    """Degrees, and the devices that they make where all three numbers of the batch are there."""
    values = reading.values
    tensor = reading.count("tensor_parallel.autotp_size", least=0) or reading.degree("tensor_parallel.tp.tp_size")
    pipeline = reading.degree("pipeline.stages")
    context = reading.degree("sequence_parallel_size")
    stage = reading.count("zero_optimization.stage", least=0) or 0
    reading.refuse(stage > 3, f"{reading.shown('zero_optimization.stage')}: expected 0 to 3")
    layout: dict[str, Number] = {"tensor": tensor, "pipeline": pipeline, "context": context, "virtual": 1}
    if not reading.automatic("zero_optimization.stage"):
        layout["zero"] = min(stage, 3)
    if tensor > 1:
        layout["sequence_parallel"] = False
    if reading.flag("expert_parallel.enabled"):
        layout["expert"] = reading.degree("expert_parallel.autoep_size")
        layout["expert_tensor"] = reading.degree("expert_parallel.expert_tensor_parallel_size")
    batch, micro = reading.count("train_batch_size"), reading.count("train_micro_batch_size_per_gpu")
    steps = reading.count("gradient_accumulation_steps")
    if micro:
        layout["micro_batch"] = micro
    data = reading.count("data_parallel_size")
    if data is None and batch and micro and steps:
        reading.refuse(
            batch % (micro * steps),
            f"train_batch_size {batch} is no multiple of {micro} × {steps}, micro-batch × accumulation",
        )
        data = max(batch // (micro * steps), 1)
    if data is not None:
        layout["data"] = data
    device = str(values.get("zero_optimization.offload_optimizer.device", "none")).lower()
    if device in ("cpu", "nvme") or reading.flag("zero_optimization.cpu_offload"):
        layout["offload"] = reading.share("zero_optimization.offload_optimizer.ratio", 1.0)
    parameters = str(values.get("zero_optimization.offload_param.device", "none")).lower()
    reading.refuse(device == "nvme", "zero_optimization.offload_optimizer.device nvme: outlay reads none and cpu")
    reading.refuse(
        parameters not in ("none", "auto"),
        f"zero_optimization.offload_param.device {parameters}: outlay keeps weights on the device",
    )
    return layout, None if data is None else data * tensor * pipeline * context


def _recompute(reading: Reading, remarks: list[str]) -> dict[str, Number]:
    """Recomputation where checkpoints are counted; the rest of the block says only how, not whether."""
    if reading.count("activation_checkpointing.number_checkpoints", least=0) or reading.count(
        "pipeline.activation_checkpoint_interval", least=0
    ):
        return {"recompute": Recompute.FULL}
    remarks.append("whether activations are recomputed is said in the model's code: `--recompute full` if they are")
    return {}
