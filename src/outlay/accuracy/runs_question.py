"""A record of a whole run as a question: recipe, cluster and tokens, with everything that was assumed.

Only configuration columns are read. What a row leaves empty is chosen as somebody would who plans the run.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from outlay import catalog
from outlay.accuracy.impossible import MOST, unknown_task
from outlay.accuracy.names import candidates
from outlay.accuracy.records import Record
from outlay.accuracy.resolve import NOT_YET, Resolved, resolve
from outlay.accuracy.runs_columns import CONFIGURATION
from outlay.errors import InputError
from outlay.machine import Cluster
from outlay.training import Recipe
from outlay.training.practice import batch_tokens, whole_batch
from outlay.workload import parameters

_BOTH = re.compile(
    r"\bt5|\bul2|\bbart\b|flan|switch[ -]?(trans|\d)|gshard|meena|openba|encoder[ -]?decoder|seq2seq|nllb|whisper"
)
_OTHER = NOT_YET | {
    "lora": "not yet: low-rank fine-tuning (LoRA, QLoRA, adapters)",
    "qlora": "not yet: low-rank fine-tuning (LoRA, QLoRA, adapters)",
    "adapter": "not yet: low-rank fine-tuning (LoRA, QLoRA, adapters)",
    "rl": "not yet: reinforcement learning",
    "dpo": "not yet: preference tuning",
    "ppo": "not yet: reinforcement learning",
    "distil": "not yet: distillation",
    "multimodal": "not yet: models of pictures and text",
    "protein": "not yet: models of proteins",
    "video": "not yet: models of video",
    "audio": "not yet: speech models",
    "image": "not yet: vision models (convolutional networks and vision transformers)",
}
SOFTWARE_AGE = 2
"""Years from the making of a chip to the software of a run of which nobody says when it was."""
DAYS = 11.0
"""Days that a run of unknown count is planned for, at :data:`PLANNED` of the peak: the median of the runs in
`validation/runs` that state their devices."""
PLANNED = 0.4
SHARED = 2
"""Devices that share a sequence of the batch at most: so do nine in ten of the runs in `validation/runs` that state both."""
NODE = 8
STATE_BYTES = 16.0
"""Of a parameter in training: 16-bit weight and gradient, master copy, two moments."""
HELD = 0.5
"""Share of a device's memory that they may fill where the count is chosen."""
_OF_A_STEP = (
    *("gpus ", "dp ", "tp ", "tp, ", "pp ", "cp ", "ep ", "etp ", "micro_batch", "global_batch ", "sequence_parallel "),
    *("zero_stage ", "activation_recompute ", "software of "),
)
"""How assumptions begin that a record of a step makes and a whole run makes otherwise."""
_ASPECT = 64
"""Width per layer of a model of which only the depth is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One whole run in our terms."""

    recipe: Recipe
    cluster: Cluster
    tokens: float
    parameters: float
    active: float
    """Parameters that a token passes."""
    counted: bool
    """Whether the row states its devices."""
    named: bool
    """Whether the row names its framework."""
    sequences: float
    """Of a step, before they are rounded to what the devices can share."""
    assumed: tuple[str, ...]

    def batch_on(self, devices: int) -> int:
        """Sequences of a step on a number of devices."""
        return whole_batch(self.sequences, devices)

    @property
    def tpu(self) -> bool:
        return self.cluster.accelerator.category == "tpu"


def question_of(record: Record) -> Run:
    """The run that a row describes.

    Raises `InputError` where it cannot be answered: no language model, no tokens, no accelerator, no size.
    """
    row = _configuration(record)
    _refuse(row)
    tokens, said = _tokens(row)
    row, resolved, notes = _resolved(row)
    said += [*notes, *(text for text in resolved.assumed if text.startswith("seq_len"))]
    architecture = resolved.recipe.architecture
    found = parameters(architecture)
    length = resolved.recipe.sequence_length
    stated = row.numbers.get("global_batch_tokens")
    batch_size = stated or float(batch_tokens(found.total, encoder=architecture.family == "encoder").value or 0)
    count = row.whole("count")
    if count is None:
        least = found.total * STATE_BYTES / (HELD * resolved.cluster.accelerator.memory)
        count = planned_count(6.0 * found.active * tokens, _peak(resolved), batch_size / length, least=least)
        said.append(f"count {count:,} ({DAYS:g} days at {PLANNED:.0%} of the peak, {SHARED} a sequence at most)")
    batch = whole_batch(batch_size / length, count)
    if stated is None:
        said.append(f"global batch {batch:,} sequences (published for models of this size)")
    elif abs(batch * length / stated - 1) > 0.02:
        said.append(f"global batch {batch:,} sequences, which {count:,} devices can share")
    resolved = resolve(_as_step(row, count, length))
    recipe = replace(resolved.recipe, global_batch=batch)
    notes = [text for text in resolved.assumed if not text.startswith(_OF_A_STEP)]
    if not re.search(r"20[0-4]\d", row.word("date")) and (year := _date(row)):
        notes.append(f"software of {year}")
    return Run(
        recipe=recipe,
        cluster=resolved.cluster,
        tokens=tokens,
        parameters=float(found.total),
        active=float(found.active),
        counted=row.whole("count") is not None,
        named=bool(row.word("framework")),
        sequences=batch_size / length,
        assumed=tuple(dict.fromkeys([*notes, *said])),
    )


def _configuration(record: Record) -> Record:
    """The row without anything that was measured."""
    return Record(
        id=record.id,
        source=record.source,
        line=record.line,
        words={key: text for key, text in record.words.items() if key in CONFIGURATION},
        numbers={key: value for key, value in record.numbers.items() if key in CONFIGURATION},
    )


def _refuse(row: Record) -> None:
    kind = f"{row.word('task')} {row.word('family')}".lower()
    for word, reason in _OTHER.items():
        if re.search(rf"\b{word}", kind):
            raise InputError(reason, hint="leave the row out")
    said, count = unknown_task(row), row.whole("count") or 0
    if count > MOST:
        said = f"`count` is {count:,}, more than {MOST:,}"
    if said:
        raise InputError(said, hint="correct the row, or leave it out")
    if _BOTH.search(f"{row.word('model')} {row.word('family')}".lower()):
        raise InputError("not yet: encoder–decoder models", hint="leave the row out")


def _tokens(row: Record) -> tuple[float, list[str]]:
    """Tokens that the run trains on; samples times length where a language model's row states those."""
    if (billions := row.numbers.get("tokens_b")) is not None:
        return billions * 1e9, []
    millions, length = row.numbers.get("samples_seen_m"), row.whole("seq_len")
    if millions is not None and length is not None:
        return millions * 1e6 * length, ["tokens: samples × seq_len"]
    raise InputError("`tokens_b` is empty", hint="say how many tokens the run was trained on")


def _resolved(row: Record) -> tuple[Record, Resolved, list[str]]:
    """The row on one node; with a typical shape where neither columns nor name give one as large as stated."""
    billions, said = row.numbers.get("params_total_b"), list[str]()
    if row.whole("layers") and not row.whole("hidden") and billions is None and not _known(row):
        width = _ASPECT * (row.whole("layers") or 1)
        row = _with(row, {"hidden": float(width)})
        said.append(f"width {width} ({_ASPECT} a layer)")
    resolved = resolve(_as_step(row, NODE, None))
    found = parameters(resolved.recipe.architecture).total
    experts = row.whole("experts") or 0
    if experts > 1 and billions is not None and not 0.67 < found / (billions * 1e9) < 1.5:
        shape = typical_experts(row)
        said.append(f"{shape['layers']:.0f} layers of width {shape['hidden']:.0f}, experts as parameters say")
        row = _with(row, shape)
        resolved = resolve(_as_step(row, NODE, None))
    if experts < 2 and "moe" in row.word("family").lower() and not resolved.recipe.architecture.is_moe:
        raise InputError("a mixture of experts without `experts`", hint="say how many experts there are")
    return row, resolved, said


def typical_experts(row: Record) -> dict[str, float]:
    """Depth, width and width of an expert, from total and active parameters.

    Each token passes `k` of `E` experts, so the experts of all layers hold `(total - active) · E / (E - k)`.

    >>> sizes = {"params_total_b": 46.7, "params_active_b": 12.9, "experts": 8.0, "experts_per_token": 2.0}
    >>> found = typical_experts(Record(id="m", source="s", line=2, words={}, numbers=sizes))
    >>> round(found["layers"]), round(found["hidden"])
    (41, 5120)
    """
    experts, chosen = row.whole("experts") or 8, row.whole("experts_per_token") or 2
    total = row.numbers["params_total_b"] * 1e9
    active = row.numbers.get("params_active_b", total * chosen / experts / 1e9 * 1.3) * 1e9
    each = max(total - active, 0.1 * total) / max(experts - chosen, 1)
    width = max(256.0, 128 * round((active * 128 / 12) ** (1 / 3) / 128))
    layers = max(1.0, round(active / (12 * width**2)))
    expert = max(64.0, 64 * round(each / (3 * layers * width) / 64))
    return {
        "layers": layers,
        "hidden": width,
        "expert_ffn_hidden": expert,
        "experts": experts,
        "experts_per_token": chosen,
    }


def _with(row: Record, numbers: dict[str, float]) -> Record:
    return replace(row, numbers={**row.numbers, **numbers})


def _as_step(row: Record, count: int, length: int | None) -> Record:
    """The row as a record of a step on `count` devices whose layout is open."""
    numbers = dict(row.numbers) | {"gpus": float(count)}
    if length is not None:
        numbers["seq_len"] = float(length)
    words = dict(row.words) | {"task": "pretrain", "date": _date(row)}
    if "tpu" in row.word("accelerator").lower():
        words["framework"] = f"{row.word('framework')} xla".strip()  # whatever drives it, XLA compiles it
    words["accelerator"] = re.sub(r"\s*/.*|\(.*", "", row.word("accelerator")).strip() or row.word("accelerator")
    return replace(row, words=words, numbers=numbers)


def _known(row: Record) -> str | None:
    """The catalog's model that the row names."""
    names = [name for entry in catalog.models() for name in (entry.name, *entry.aliases)]
    return next(iter(candidates(row.word("model"), names)), None)


def _date(row: Record) -> str:
    """When the run was: its own date, that of its paper, that of the model, or some years after its chip."""
    if re.search(r"20[0-4]\d", row.word("date")):
        return row.word("date")
    if paper := re.search(r"arxiv\.org/(?:abs|pdf)/(\d{2})(?:0[1-9]|1[0-2])\.", row.word("source_url").lower()):
        return f"20{paper.group(1)}"
    if known := _known(row):
        return catalog.model_config(known).receipt.date[:4]
    try:
        chip, _ = catalog.resolve_accelerator(row.word("accelerator"))
    except InputError:
        return ""
    return str(chip.year + SOFTWARE_AGE)


def _peak(resolved: Resolved) -> float:
    peaks = resolved.cluster.accelerator.peaks
    return peaks.get("bf16") or peaks.get("fp16") or max(peaks.values())


def planned_count(flop: float, peak: float, sequences: float = math.inf, *, least: float = NODE) -> int:
    """Devices that train `flop` in :data:`DAYS` at :data:`PLANNED` of `peak`, a power of two, one node or more.

    No more than :data:`SHARED` share a sequence of the batch, and no fewer than `least` hold the model.

    >>> planned_count(6 * 8e9 * 15e12, 989e12), planned_count(6 * 70e9 * 15e12, 989e12, sequences=512)
    (2048, 1024)
    """
    wanted = flop / (PLANNED * peak * DAYS * 86_400.0)
    most = max(SHARED * sequences, NODE)
    return max(
        int(2 ** round(math.log2(min(max(wanted, NODE), most)))), int(2 ** math.ceil(math.log2(max(least, NODE))))
    )
