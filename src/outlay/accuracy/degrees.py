"""How a recorded run was laid out: what its row states, and what follows where the row is silent.

Nothing here searches. Where a row says nothing about how a large model was divided, `open` names what a search may choose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd, prod

from outlay.accuracy import words
from outlay.accuracy.records import Record
from outlay.accuracy.shapes import is_tuned
from outlay.errors import InputError
from outlay.layout import Recompute
from outlay.training.practice import batch_tokens, whole_batch
from outlay.training.software import Software
from outlay.workload import Architecture, Experts

TUNED_BATCH, TUNED_MICRO = 128, 4
"""Sequences of a step and of a forward pass where a model is tuned: Alpaca's own training (tatsu-lab/stanford_alpaca, README,
2023-03)."""
UNDIVIDED = ("pytorch", "fsdp")
"""Families of software that split the batch and shard weights, and divide no layer, where a model is tuned."""
LARGEST_WHOLE = 16e9
"""Parameters that a device of 80 GB holds whole beside its activations, in 16 bits."""
LARGE = 3e9
"""Parameters from which a model is rarely trained by plain data parallelism."""
_MOST = 32768
"""Tokens of a micro-batch beyond which a model is rarely fed, where nothing is stated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degrees:
    """Degrees by the names of :class:`outlay.layout.Layout`."""

    fixed: dict[str, int]
    global_batch: int
    devices: int
    open: tuple[str, ...] = ()
    """Degrees that neither the row nor its software settles. A `micro_batch` among them is in `fixed` at its largest."""
    assumed: tuple[str, ...] = field(default=())


ETP_FREED = 2025.5
"""Until then Megatron split each expert like the rest of a layer (`--expert-tensor-parallel-size` defaults to the tensor
degree); from then on its published recipes set 1."""


MOST_WAITING = 4
"""Micro-batches a stage below which a plain pipeline would wait for more than a fifth of the step: nobody trains so where
the software interleaves."""
TUNED = ("megatron-core", "nemo")
"""Software whose published runs follow its makers' recipes, which interleave their pipelines."""


def interleaved(depth: int, pipeline: int) -> int:
    """Chunks a stage that is tuned for speed is cut into: as many as leave two layers in each, 1 where they do not divide.

    A benchmark's entries are tuned, and NVIDIA's published GPT-3 entries say 6 chunks of 2 layers. Depths like Llama's leave
    room for the embedding and the head, which count as a layer each.

    >>> interleaved(96, 8), interleaved(126, 8), interleaved(61, 8)
    (6, 8, 1)
    """
    for filled in (depth, depth + 2):
        layers, rest = divmod(filled, pipeline)
        if rest == 0 and layers % 2 == 0:
            return layers // 2
    return 1


def degrees_of(
    record: Record,
    *,
    architecture: Architecture,
    parameters: float,
    software: Software,
    length: int,
    submission: bool = False,
) -> Degrees:
    """The degrees of a row, with `architecture` of `parameters` trained on sequences of `length` tokens.

    Raises `InputError` where the stated degrees need more devices than the row has.
    """
    said: list[str] = []
    fixed: dict[str, int] = {}
    zero, note = words.zero_stage(record.word("zero_stage"), usual=software.zero)
    stated = {column: record.whole(column) for column in ("tp", "pp", "cp", "dp", "gpus")}
    devices = _devices(record, stated, said)
    silent = stated["tp"] is None and stated["pp"] is None
    if is_tuned(record) and software.family in UNDIVIDED and not record.word("zero_stage"):
        # Such tools divide no layer: what a device cannot hold is sharded.
        zero, note = (3, "zero_stage 3: the model is large") if parameters > LARGEST_WHOLE else (zero, note)
    undivided = is_tuned(record) and software.family in UNDIVIDED
    plain = undivided or devices == 1 or zero == 3 or architecture.family == "encoder" or parameters < LARGE
    searched = silent and not plain
    if not searched:
        tensor, pipeline, context, data = _divided(record, stated, devices, said)
        fixed = {"tensor": tensor, "pipeline": pipeline, "context": context, "data": data}
        if silent and devices > 1:
            said.append("tp 1, pp 1")
        stated_chunks = record.whole("vpp")
        fixed["virtual"] = 1
        if pipeline > 1 and zero == 3:
            # Gathering for each micro-batch anew would cost more than it saves: torchtitan keeps gathered weights between
            # the passes where there is a pipeline, and so does Llama 3's trainer (arXiv:2407.21783, section 3.3.2).
            zero, note = 2, "zero_stage 2: weights stay gathered in a pipeline"
        if pipeline > 1:
            rounds = (record.whole("global_batch") or 0) / (data * (record.whole("micro_batch") or 1))
            waits = software.name == "megatron-lm" and 0 < rounds < MOST_WAITING * (pipeline - 1)
            tuned = submission or software.name in TUNED or waits
            usual = interleaved(architecture.depth, pipeline) if tuned else 1
            fixed["virtual"] = stated_chunks or usual
            if stated_chunks is None:
                said.append(f"vpp {usual}")
        replicas = data
    else:
        replicas = stated["dp"] or max(1, devices // 8)
        fixed = {
            name: value for name, value in (("context", stated["cp"]), ("data", stated["dp"])) if value is not None
        }
        said.append("tp, pp and dp chosen by search")
    if note and devices > 1 and not (searched and not record.word("zero_stage")):
        said.append(note)
    if not searched or record.word("zero_stage"):
        fixed["zero"] = zero
    _experts(record, architecture, software, fixed, said)
    batch = _batch(record, fixed, software, replicas, length, parameters, said)
    sequence_parallel = record.numbers.get("sequence_parallel")
    fixed["sequence_parallel"] = int(software.sequence_parallel if sequence_parallel is None else sequence_parallel)
    if sequence_parallel is None and fixed.get("tensor", 2) > 1:
        said.append(f"sequence_parallel {fixed['sequence_parallel']}")
    recompute, note = words.recompute(record.word("activation_recompute"))
    if note:
        said.append(note)
    if recompute is not None:
        fixed["recompute"] = int(Recompute[recompute.upper()])
    halved = record.whole("micro_batch") is None
    unsettled = (
        ("tensor", "pipeline") * searched
        + ("micro_batch",) * (halved and not searched)
        + ("recompute",) * (recompute is None)
    )
    return Degrees(fixed=fixed, global_batch=batch, devices=devices, open=unsettled, assumed=tuple(said))


def _devices(record: Record, stated: dict[str, int | None], said: list[str]) -> int:
    """Devices of the run; Trainium rows state chips and divide cores, so degrees come first there."""
    product = prod(stated[name] or 1 for name in ("tp", "pp", "cp", "dp"))
    gpus = stated["gpus"]
    if gpus is not None:
        return gpus
    if stated["dp"] is not None or product > 1:
        said.append(f"gpus {product} (tp·pp·cp·dp)")
        return product
    node = record.whole("gpus_per_node") or 8
    said.append(f"gpus {node} (one node)")
    return node


def _divided(record: Record, stated: dict[str, int | None], devices: int, said: list[str]) -> tuple[int, int, int, int]:
    """Tensor, pipeline, context and data degrees whose product is the devices."""
    tensor, pipeline, context = (stated[name] or 1 for name in ("tp", "pp", "cp"))
    data = stated["dp"]
    inside = tensor * pipeline * context
    cores, rest = divmod(inside * data, devices) if data is not None else (1, 0)
    if (
        record.word("accelerator").lower().startswith(("trainium", "trn", "inferentia"))
        and cores in (2, 4, 8)
        and not rest
    ):
        # Degrees count NeuronCores there, and a chip of ours is all its cores.
        shared = gcd(tensor, cores)
        tensor //= shared
        inside, data = tensor * pipeline * context, None
        said.append(f"degrees count {cores} cores a chip")
    if inside > devices:
        raise InputError(f"tp·pp·cp is {inside} and `gpus` {devices}", hint="the degrees of a run must fit its devices")
    if data is not None and inside * data == devices:
        return tensor, pipeline, context, data
    if data is None and devices % inside == 0:
        return tensor, pipeline, context, devices // inside
    batch = record.whole("global_batch")
    if devices % inside == 0 and (batch is None or batch % (devices // inside) == 0):
        said.append(f"dp {devices // inside} (tp·pp·cp·dp is not gpus)")
        return tensor, pipeline, context, devices // inside
    if data is not None and devices % (tensor * pipeline * data) == 0:
        context = devices // (tensor * pipeline * data)
        said.append(f"cp {context} (tp·pp·cp·dp is not gpus)")
        return tensor, pipeline, context, data
    data = max(1, devices // inside)
    said.append(f"dp {data} (gpus is no multiple of tp·pp·cp)")
    return tensor, pipeline, context, data


def _experts(
    record: Record, architecture: Architecture, software: Software, fixed: dict[str, int], said: list[str]
) -> None:
    """Expert and expert-tensor parallelism, of models that have experts."""
    counts = [
        block.layer.feed_forward.count for block in architecture.blocks if isinstance(block.layer.feed_forward, Experts)
    ]
    if not counts:
        fixed["expert"] = 1
        return
    stated = record.whole("ep")
    if stated is not None:
        fixed["expert"] = stated
    elif "tensor" in fixed:
        ranks = fixed["tensor"] * fixed["context"] * fixed["data"]
        fixed["expert"] = 1 if fixed.get("zero") == 3 else gcd(gcd(counts[0], ranks), 8)
        said.append(f"ep {fixed['expert']}")
    if "tensor" in fixed and fixed["tensor"] > 1 and software.family == "megatron-core" and software.year < ETP_FREED:
        ranks = fixed["tensor"] * fixed["context"] * fixed["data"]
        if ranks % (fixed["expert"] * fixed["tensor"]) == 0:
            fixed["expert_tensor"] = fixed["tensor"]
            said.append(f"etp {fixed['tensor']}, that of tp")


def _batch(
    record: Record,
    fixed: dict[str, int],
    software: Software,
    replicas: int,
    length: int,
    parameters: float,
    said: list[str],
) -> int:
    """Sequences of a step; puts the micro-batch into `fixed`, the largest sensible one where nothing is stated."""
    batch, micro = record.whole("global_batch"), record.whole("micro_batch")
    if batch and micro and software.family == "jax" and fixed.get("tensor", 1) * fixed.get("context", 1) > 1:
        # MaxText states sequences a chip, and its replicas of several chips take theirs together.
        inside = fixed["tensor"] * fixed["context"]
        if micro * inside * replicas == batch:
            micro *= inside
            said.append(f"micro_batch {micro} (stated a chip)")
    most = max(1, _MOST // length)
    if batch is None and micro is None and is_tuned(record):
        micro = TUNED_MICRO
        batch = max(TUNED_BATCH // (replicas * micro), 1) * replicas * micro
        said.append(f"global_batch {batch}, micro_batch {micro}: usual where a model is tuned")
    elif batch is None and micro is None:
        batch = whole_batch(float(batch_tokens(parameters).value or 0) / length, replicas)
        said.append(f"global_batch {batch}, usual for models of this size")
    elif batch is None:
        # A pipeline is fed several micro-batches, or it would mostly wait.
        rounds = 4 * fixed.get("pipeline", 1) if fixed.get("pipeline", 1) > 1 else 1
        batch = replicas * (micro or 1) * rounds
        said.append(f"global_batch {batch} (dp × micro_batch{f' × {rounds}' if rounds > 1 else ''})")
    share = max(1, batch // replicas)
    if micro is None:
        if "tensor" not in fixed:
            return batch
        micro = max(size for size in range(1, min(share, most) + 1) if share % size == 0)
    fixed["micro_batch"] = min(micro, share)
    if fixed["micro_batch"] != micro and record.whole("micro_batch") is not None:
        said.append(f"micro_batch {share} (global_batch / dp)")
    return batch
