"""Megatron's arguments, from a launch script or a bare list, back into a layout, a model and a batch."""

from __future__ import annotations

import re
from collections.abc import Mapping

from outlay.layout import Recompute
from outlay.training.launch import keys
from outlay.training.launch.megatron_model import read_model
from outlay.training.launch.plan import Imported
from outlay.training.launch.reading import Reading, divided
from outlay.training.launch.shell import commands
from outlay.workload import Number

TOOL = "megatron"
_LAUNCHERS = {"nnodes": "nodes", "nproc-per-node": "size", "num-nodes": "nodes", "num-gpus": "size"}
"""Options of torchrun, srun and the deepspeed launcher that say how many devices there are."""
_ZERO = {"no_shard": 0, "optim": 1, "optim_grads": 2, "optim_grads_params": 3}
_FP8 = {"tensorwise": "fp8", "delayed": "fp8", "blockwise": "fp8-block", "mxfp8": "mxfp8"}
_OPTIMIZERS = {"adam": "adam", "sgd": "momentum", "lion": "lion", "muon": "muon", "dist_muon": "muon"}


def read(text: str, *, source: str, ignore_unknown: bool = False) -> Imported:
    """What a Megatron run does; names of arguments may have dashes or underscores.

    :raises InputError: for unknown arguments, and for values that outlay has no word for.
    """
    launch, values, more = _arguments(text, source)
    remarks = keys.check(TOOL, values, source=source, prefix="--", ignore_unknown=ignore_unknown)
    reading = Reading(TOOL, source, values, prefix="--")
    devices = _devices(launch, more)
    parts = {
        "tp": reading.degree("tensor-model-parallel-size"),
        "pp": reading.degree("pipeline-model-parallel-size"),
        "cp": reading.degree("context-parallel-size"),
    }
    data = divided(reading, devices, parts)
    layout: dict[str, Number] = {"tensor": parts["tp"], "pipeline": parts["pp"], "context": parts["cp"]}
    model = read_model(reading)
    layers = reading.count("num-layers") or reading.count("decoder-num-layers")
    layout["virtual"] = _virtual(reading, layers, parts["pp"])
    if data is not None:
        layout["data"] = data
    if parts["tp"] > 1:
        layout["sequence_parallel"] = reading.flag("sequence-parallel")
    if "num-experts" in values:
        layout["expert"] = reading.degree("expert-model-parallel-size")
        # Megatron divides experts among the tensor ranks too, unless it is told otherwise.
        layout["expert_tensor"] = reading.count("expert-tensor-parallel-size") or parts["tp"]
    if "micro-batch-size" in values:
        layout["micro_batch"] = reading.degree("micro-batch-size")
    layout |= _sharding(reading, data)
    layout |= _recompute(reading, layers, parts["pp"], int(layout["virtual"]))
    if reading.flag("optimizer-cpu-offload"):
        layout["offload"] = reading.share("optimizer-offload-fraction", 1.0)
    precision = _precision(reading)
    batch = reading.count("global-batch-size")
    samples = reading.count("train-samples")
    steps = reading.count("train-iters") or (samples // batch if samples and batch else None)
    optimizer = reading.word("optimizer", _OPTIMIZERS, "adam")
    if optimizer == "adam" and values.get("exp-avg-dtype") == values.get("exp-avg-sq-dtype") == "bf16":
        optimizer = "adam-bf16"
    sequence = reading.count("seq-length")
    dropout = {reading.share(name, 0.1) for name in ("attention-dropout", "hidden-dropout") if name in values}
    if dropout - {0.0}:
        remarks.append("dropout is counted as the model is published, not as the file has it")
    reading.check()
    return Imported(
        tool=TOOL,
        layout=layout,
        devices=devices,
        model=model,
        sequence_length=sequence,
        global_batch=batch,
        precision=precision,
        optimizer=optimizer,
        steps=steps,
        framework="megatron-core",
        remarks=tuple(remarks),
    )


def _arguments(text: str, source: str) -> tuple[dict[str, str], dict[str, object], dict[str, list[str]]]:
    """Options of the launcher, Megatron's arguments, and the script's variables."""
    words, variables = commands(text, source=source)
    if not any(word.startswith("--") for word in words):  # the command is made elsewhere: take what was prepared for it
        words = [part for value in variables.values() for word in value for part in word.split()]
    scripts = [place for place, word in enumerate(words) if word.endswith(".py") and not word.startswith("-")]
    split = scripts[-1] if scripts else 0
    table = keys.known(TOOL)
    launch = {name: value[0] for name, value in _options(words[:split], {}).items() if value}
    found = _options(words[split:], table)
    if not scripts:  # options of a launcher may stand before those of the run
        for name in list(found):
            if name in _LAUNCHERS or name in (
                "node-rank",
                "master-addr",
                "master-port",
                "rdzv-backend",
                "rdzv-endpoint",
            ):
                value = found.pop(name)
                launch[name] = value[0] if value else ""
    values: dict[str, object] = {}
    for name, given in found.items():
        takes = table.get(name, ("", "value"))[1]
        values[name] = True if takes == "flag" else " ".join(given)
    return launch, values, variables


def _options(words: list[str], table: Mapping[str, tuple[str, str]]) -> dict[str, list[str]]:
    """Each `--name` with the words that follow it; underscores where the table has dashes."""
    found: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if word.startswith("--") and len(word) > 2:
            name, _, value = word[2:].partition("=")
            name = name if name in table else name.replace("_", "-")
            found[name] = [value] if value else []
        elif name and (not found[name] or table.get(name, ("", "value"))[1] == "many"):
            found[name].append(word)
        else:
            name = ""
    return found


def _devices(launch: Mapping[str, str], variables: Mapping[str, list[str]]) -> int | None:
    """Nodes times devices of each, from the launcher or from the script's own `WORLD_SIZE`."""
    said = {_LAUNCHERS[name]: _whole(value.partition(":")[0]) for name, value in launch.items() if name in _LAUNCHERS}
    nodes, size = said.get("nodes", 1), said.get("size")
    if nodes and size:
        return nodes * size
    return _whole(" ".join(variables.get("WORLD_SIZE", [])))


def _whole(text: str) -> int | None:
    """A positive whole number of a size that counts of devices have."""
    return int(text) or None if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _virtual(reading: Reading, layers: int | None, pipeline: int) -> int:
    """Model chunks of a pipeline rank, said as such or as layers of each."""
    named = reading.values.get("pipeline-model-parallel-layout")
    if named is not None:
        parts = _parts(str(named))
        reading.refuse(
            parts == 0 or parts % pipeline,
            f"{reading.shown('pipeline-model-parallel-layout')}: expected parts for {pipeline} pipeline ranks",
        )
        return max(parts // pipeline, 1)
    stages = reading.count("num-virtual-stages-per-pipeline-rank")
    each = reading.count("num-layers-per-virtual-pipeline-stage")
    if stages or not each:
        return stages or 1
    if layers is None:
        reading.problems.append(f"{reading.shown('num-layers-per-virtual-pipeline-stage')}: needs `--num-layers`")
        return 1
    layers += reading.flag("account-for-embedding-in-pipeline-split")
    layers += reading.flag("account-for-loss-in-pipeline-split")
    if layers % (pipeline * each):
        reading.problems.append(
            f"{reading.shown('num-layers-per-virtual-pipeline-stage')}: {layers} layers in {pipeline} stages do not divide by it"
        )
        return 1
    return layers // (pipeline * each)


def _parts(text: str) -> int:
    """Parts of a pipeline in Megatron's short hand; 0 where it is something else.

    >>> _parts("Et*3|(tt|)*4L"), _parts("Et|t,L"), _parts("file.json")
    (6, 2, 0)
    """
    text = re.sub(r"\s", "", text)
    for _ in range(8):
        inner = re.sub(r"\(([^()]*)\)\*(\d{1,4})", lambda found: found.group(1) * int(found.group(2)), text)
        if inner == text:
            break
        text = inner
    return text.count("|") + 1 if re.fullmatch(r"[EtmL|,*0-9]+", text) else 0


def _sharding(reading: Reading, data: int | None) -> dict[str, Number]:
    """The ZeRO stage, and among how many ranks it shards."""
    degrees: dict[str, Number] = {"zero": int(reading.flag("use-distributed-optimizer"))}
    if reading.flag("use-torch-fsdp2"):
        degrees["zero"] = 2 if reading.flag("torch-fsdp2-no-reshard-after-forward") else 3
    elif reading.flag("use-megatron-fsdp"):
        degrees["zero"] = reading.word("data-parallel-sharding-strategy", _ZERO, 0)
    groups = reading.count("num-distributed-optimizer-instances") or 1
    if groups > 1 and data is not None:
        reading.refuse(
            data % groups, f"{reading.shown('num-distributed-optimizer-instances')}: does not divide dp {data}"
        )
        degrees["shard"] = max(data // groups, 1)
    return degrees


def _recompute(reading: Reading, layers: int | None, pipeline: int, virtual: int) -> dict[str, Number]:
    """What is recomputed, and in which share of the layers."""
    if reading.flag("recompute-activations"):
        return {"recompute": Recompute.SELECTIVE}
    kinds = {"selective": Recompute.SELECTIVE, "full": Recompute.FULL}
    kind = reading.word("recompute-granularity", kinds, Recompute.NONE)
    if kind is not Recompute.FULL or reading.values.get("recompute-method") != "block":
        return {"recompute": kind}
    count = reading.count("recompute-num-layers")
    if layers is None or count is None:
        reading.problems.append("--recompute-method block: needs `--num-layers` and `--recompute-num-layers`")
        return {"recompute": kind}
    held = -(-layers // (pipeline * virtual))
    return {"recompute": kind, "recompute_layers": min(count / held, 1.0)}


def _precision(reading: Reading) -> str:
    if reading.values.get("fp4-format"):
        return "nvfp4"
    if reading.values.get("fp8-format"):
        return reading.word("fp8-recipe", _FP8, "fp8")
    if reading.flag("bf16"):
        return "bf16"
    return "fp16" if reading.flag("fp16") else "fp32"
