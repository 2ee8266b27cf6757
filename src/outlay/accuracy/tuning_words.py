"""How a record's words say that a model was tuned: method, rank, targets, quantization; read as a :class:`Tuning`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from outlay.accuracy.records import Record
from outlay.accuracy.shapes import is_tuned
from outlay.training.lengths import SIGMA, Lengths, data_set
from outlay.training.software import Software
from outlay.workload import PARTS, Architecture, Tuning, adapter_parameters
from outlay.workload.tuning import Kind

KINDS: Final[tuple[tuple[str, Kind], ...]] = (
    (r"prompt[-_ ]?tun|p[-_ ]?tun|prefix|adap[a-z]*[-_ ]?prompt|adapter(?![-_ ]?v2)", "tokens"),
    (r"adapter[-_ ]?v2|ia3|ln[-_ ]?tun|bitfit|beft|trainable[-_ ]?tokens|road", "scale"),
    (r"loha|lokr|hira|fourier|waveft|boft|hra\b|randlora|frod|psoft|adamss|\boft|osf|lily|tinylora|unilora", "rebuilt"),
    (r"freeze", "last"),
)
"""Words of methods → what they do to a model; everything else is of low rank."""
FULL: Final = r"\W*(full|sft|all param|galore|apollo|badam|lomo|fira|continued|continual)"
"""Words with which methods begin that train all weights, some with a smaller optimizer's state."""
_ALL = frozenset(PARTS)
ATTENTION = frozenset({"query", "value"})
CANDIDATES = (
    ATTENTION,
    frozenset({"query", "key", "value", "output"}),
    frozenset({"query", "key", "value"}),
    frozenset({"gate", "up", "down"}),
    _ALL,
    frozenset({"query", "value", "output", "gate", "up", "down"}),
)
"""Targets that people choose, the commonest first."""
_USUAL: Final = (
    (r"torchtune", frozenset({"query", "value", "output", "gate", "up", "down"}), 8),
    (r"bridge|unsloth|axolotl", _ALL, 32),
    (r"mlperf", frozenset({"query", "key", "value", "output"}), 16),
    (r"nemo|megatron", frozenset({"query", "key", "value"}), 16),
)
"""Targets and rank that a tool's published recipes have, where nothing is said."""
_TARGET_WORDS: Final = (
    (r"all|linear(?!_)", _ALL),
    (r"attn|attention", frozenset({"query", "key", "value", "output"})),
    (r"mlp|fc1|fc2|ffn", frozenset({"gate", "up", "down"})),
    (r"qkv|c_attn|query_key_value", frozenset({"query", "key", "value"})),
    (r"\bq\b|q_proj|query(?!_)|\bwq\b", frozenset({"query"})),
    (r"\bk\b|k_proj|\bkey\b|\bwk\b", frozenset({"key"})),
    (r"\bv\b|v_proj|\bvalue\b|\bwv\b", frozenset({"value"})),
    (r"\bo\b|o_proj|out_proj|output|linear_proj|\bwo\b|\bdense\b", frozenset({"output"})),
    (r"gate", frozenset({"gate"})),
    (r"\bup\b|up_proj|w3", frozenset({"up"})),
    (r"down|w2", frozenset({"down"})),
)
_PREFIX = 20
"""Learned tokens where nothing says how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuned:
    """What a record says of its tuning."""

    tuning: Tuning | None
    stored: str | None
    lengths: Lengths | None
    recompute: bool
    """Every layer, as the software does where nothing is said."""
    offload: bool
    document: float | None = None
    in_backward: bool = False
    paged: bool = False
    said: tuple[str, ...] = ()


def parts_in(text: str) -> frozenset[str]:
    """The projections that a list of targets names, in any tool's words.

    >>> sorted(parts_in("q_proj,v_proj")), len(parts_in("all-linear"))
    (['query', 'value'], 7)
    """
    words = re.split(r"[,;\s\[\]'\"+]+", text.lower())
    return frozenset(
        part for word in words for pattern, parts in _TARGET_WORDS if re.search(pattern, word) for part in parts
    )


def stored_in(text: str, method: str) -> str | None:
    """The type in which a base model is stored.

    >>> stored_in("bnb.nf4-dq", "qlora"), stored_in("", "qlora"), stored_in("None", "lora"), stored_in("8-bit", "lora")
    ('nf4-dq', 'nf4', None, 'int8')
    """
    lowered = text.lower().strip()
    if lowered in ("", "none", "no", "16-bit", "32-bit", "bf16"):
        return "nf4" if not lowered and re.match(r"q(lora|adapter|oft)", method.lower()) else None
    double = "-dq" if re.search(r"dq|double", lowered) else ""
    if re.search(r"fp8|float8|e4m3", lowered):
        return "fp8"
    if re.search(r"int8|8[- ]?bit", lowered):
        return "int8"
    return ("fp4" if "fp4" in lowered else "nf4") + double


def tuned_in(record: Record, architecture: Architecture, software: Software, submission: bool) -> Tuned:
    """What of the model is trained, how its base is stored, how its data vary; all nothing for a pre-training."""
    if not is_tuned(record):
        return Tuned(tuning=None, stored=None, lengths=None, recompute=False, offload=False)
    method = record.word("method") or _method(record)
    task = record.word("task").lower()
    said: list[str] = []
    full = re.match(FULL, method.lower()) is not None or (not method and task == "sft")
    tuning = None if full else _tuning(record, method, architecture, software, submission, said)
    stored = None if full else stored_in(record.word("quantization"), "qlora" if task == "qlora" else method)
    lengths = lengths_in(record, tuning, said) if architecture.family != "encoder" else None
    several = (record.whole("gpus") or 1) > 1
    framework = record.word("framework").lower()
    again = software.name == "torchtune" and not re.search(r"\+|baseline", method)
    again = again or (software.name.startswith("litgpt") and several) or "checkpointing" in method.lower()
    # Unsloth does so, and what PEFT does to a quantized base before it is tuned (prepare_model_for_kbit_training).
    again = again or "unsloth" in framework or (stored is not None and software.name == "pytorch")
    document = None
    if lengths is None and (packed(record) or PACKS.search(record.word("framework").lower())) and not submission:
        known = data_set(record.word("dataset"))
        document = record.numbers.get("mean_tokens") or (known.average if known else SQUAD)
        if architecture.family != "encoder":
            said.append(f"samples of {document:.0f} tokens packed into a sequence")
    alone = software.name == "torchtune" and full and not several
    return Tuned(
        tuning=tuning,
        stored=stored,
        document=document if architecture.family != "encoder" else None,
        in_backward="in backward" in method.lower() or (alone and not re.search(r"\+|baseline", method)),
        paged=(alone and not re.search(r"\+|baseline", method)) or "paged" in record.word("optimizer").lower(),
        lengths=lengths,
        recompute=again,
        offload="offload" in method.lower(),
        said=tuple(said),
    )


def _method(record: Record) -> str:
    """The method in the words of task and framework."""
    task, framework = record.word("task").lower(), record.word("framework").lower()
    found = re.search(r"adapter_?v2|adapter", framework)
    return found.group() if found else "" if task == "sft" else task


def _tuning(
    record: Record, method: str, architecture: Architecture, software: Software, submission: bool, said: list[str]
) -> Tuning:
    lowered = method.lower()
    kind: Kind = next((kind for pattern, kind in KINDS if re.search(pattern, lowered)), "low-rank")
    stated = record.numbers.get("trainable_params")
    targets, rank = _usual(record, software, submission)
    named = parts_in(record.word("targets")) or (parts_in("mlp") if "target-mlp" in lowered else frozenset())
    targets = named or targets
    if kind == "tokens":
        soft = re.search(r"prompt[-_ ]?tun|p[-_ ]?tun", lowered) is not None and "adap" not in lowered
        count = stated / architecture.hidden if stated and "prompt" in lowered else float(_PREFIX)
        return Tuning(kind=kind, tokens=round(count) if soft else 0, stated=stated)
    if kind == "scale":
        every = re.search(r"adapter[-_ ]?v2", lowered) is not None
        return Tuning(
            kind=kind, targets=named or (_ALL if every else frozenset({"key", "value", "down"})), stated=stated
        )
    if kind == "last":
        return Tuning(kind=kind, layers=max(1, architecture.depth // 16))
    found = re.search(r"rank[-_ ]?(\d+)|\br[= ]?(\d+)\b", lowered)
    rank = record.whole("rank") or (int(found.group(1) or found.group(2)) if found else 0) or rank
    known = record.whole("rank") is not None or found is not None
    if stated and kind == "low-rank" and not named:
        targets, rank = matched(architecture, stated, rank, (targets, *CANDIDATES), known=known)
    elif not known:
        said.append(f"rank {rank}")
    if not named and not stated:
        said.append(f"adapters beside {', '.join(part for part in PARTS if part in targets)}")
    dropout = 0.05 if software.name.startswith("litgpt") else 0.0
    return Tuning(kind=kind, rank=rank, targets=targets, dropout=dropout, stated=stated)


def _usual(record: Record, software: Software, submission: bool) -> tuple[frozenset[str], int]:
    text = f"{record.word('framework')} {software.name} {'mlperf' if submission else ''}".lower()
    return next(((targets, rank) for pattern, targets, rank in _USUAL if re.search(pattern, text)), (ATTENTION, 8))


def matched(
    architecture: Architecture, stated: float, rank: int, sets: Iterable[frozenset[str]], *, known: bool
) -> tuple[frozenset[str], int]:
    """The targets, and where it is not known the rank, that give as many parameters as are stated."""
    best: tuple[float, frozenset[str], int] | None = None
    for targets in sets:
        one = Tuning(kind="low-rank", rank=1, targets=targets)
        each = sum(
            block.count * adapter_parameters(block.layer, architecture.hidden, one) for block in architecture.blocks
        )
        if not each:
            continue
        tried = rank if known else max(1, round(stated / each))
        miss = abs(tried * each / stated - 1.0)
        if best is None or miss < best[0] - 1e-9:
            best = (miss, targets, tried)
    return (best[1], best[2]) if best else (ATTENTION, rank)


PACKS: Final = re.compile(r"nemo|bridge|megatron")
"""Tools whose published recipes of tuning pack samples (of SQuAD) into sequences."""
SQUAD: Final = 185.0
"""Tokens of a sample of SQuAD: 117 words of paragraph and 10 of question in the mean (Rajpurkar et al., arXiv:1606.05250, table 1
and section 3), 1.3 tokens a word, and a prompt around them."""


def packed(record: Record) -> bool:
    """Whether samples share a sequence."""
    return bool(record.numbers.get("packed"))


def lengths_in(record: Record, tuning: Tuning | None, said: list[str]) -> Lengths | None:
    """How the samples of a row vary in length; None where they are packed, or nothing is known of them."""
    if packed(record):
        return None
    known, mean = data_set(record.word("dataset")), record.numbers.get("mean_tokens")
    limits = [record.numbers[name] for name in ("seq_len", "max_tokens") if name in record.numbers]
    cut = min(limits, default=None)
    if mean is not None:
        found = Lengths(average=mean, longest=cut or 8.0 * mean, sigma=SIGMA)
    elif known is not None:
        found = known.lengths(cut)
        said.append(f"samples of {known.name}: {found.mean:.0f} tokens in the mean, {found.longest:.0f} at most")
    else:
        return None
    more = float(tuning.tokens) if tuning else 0.0
    buckets = 20.0 if "method_comparison" in record.word("source_url") + record.word("source") else 1.0
    return Lengths(
        average=found.average + more, longest=found.longest + more, sigma=found.sigma, sorted_batches=buckets
    )
