"""Which layouts a framework would accept: one rule a line, each with the sentence that a refused user reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outlay.layout.layout import Layout
from outlay.workload import Architecture, Attention, Experts, Mlp, Number, Recurrent


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a layout is checked against."""

    architecture: Architecture
    sequence_length: Number
    global_batch: Number
    devices: Number


@dataclass(frozen=True, slots=True)
class Rule:
    """`holds` is vectorised over layouts; `sentence` says the rule and `facts` the numbers that broke it."""

    sentence: str
    holds: Callable[[Layout, Problem], Any]


def _divides(part: Number, whole: Number) -> Any:
    return np.equal(np.mod(whole, np.maximum(part, 1)), 0)


def _attentions(architecture: Architecture) -> list[Attention]:
    return [block.layer.mixer for block in architecture.blocks if isinstance(block.layer.mixer, Attention)]


def _heads_divide(layout: Layout, problem: Problem) -> Any:
    holds: Any = True
    for attention in _attentions(problem.architecture):
        holds = holds & _divides(layout.tensor, attention.heads)
        if attention.kv_rank is None:
            holds = holds & (_divides(layout.tensor, attention.kv_heads) | _divides(attention.kv_heads, layout.tensor))
    for block in problem.architecture.blocks:
        if isinstance(block.layer.mixer, Recurrent):
            holds = holds & _divides(layout.tensor, block.layer.mixer.heads)
    return holds


def _width_divides(layout: Layout, problem: Problem) -> Any:
    holds: Any = True
    for block in problem.architecture.blocks:
        part = block.layer.feed_forward
        if isinstance(part, Mlp):
            holds = holds & _divides(layout.tensor, part.width)
        elif isinstance(part, Experts):
            holds = holds & _divides(layout.expert_tensor, part.width)
            if part.shared_width:
                holds = holds & _divides(layout.tensor, part.shared_width)
    return holds


def _experts_divide(layout: Layout, problem: Problem) -> Any:
    experts = [
        block.layer.feed_forward
        for block in problem.architecture.blocks
        if isinstance(block.layer.feed_forward, Experts)
    ]
    if not experts:
        return np.equal(layout.expert, 1) & np.equal(layout.expert_tensor, 1)
    holds: Any = True
    for part in experts:
        holds = holds & _divides(layout.expert, part.count)
    return holds


RULES: tuple[Rule, ...] = (
    Rule("tp × pp × cp × dp must be the number of devices", lambda lay, p: np.equal(lay.devices, p.devices)),
    Rule("tp must divide the attention heads, and divide or be a multiple of the key-value heads", _heads_divide),
    Rule("tp must divide the feed-forward width (etp the experts')", _width_divides),
    Rule(
        "pp × vpp must not exceed the number of layers",
        lambda lay, p: lay.pipeline * lay.virtual <= p.architecture.depth,
    ),
    Rule("vpp > 1 needs pp > 1", lambda lay, _: (np.equal(lay.virtual, 1)) | (np.greater(lay.pipeline, 1))),
    Rule(
        "dp × mbs must divide the global batch",
        lambda lay, p: _divides(lay.data * lay.micro_batch, p.global_batch),
    ),
    Rule(
        "vpp > 1 needs micro-batches in multiples of pp",
        lambda lay, p: (
            np.equal(lay.virtual, 1)
            | _divides(lay.pipeline, p.global_batch // np.maximum(lay.data * lay.micro_batch, 1))
        ),
    ),
    Rule(
        "cp must divide the sequence into two equal parts a rank",
        lambda lay, p: np.equal(lay.context, 1) | _divides(2 * lay.context, p.sequence_length),
    ),
    Rule(
        "with sp, tp must divide the sequence of a context-parallel rank",
        lambda lay, p: np.logical_not(lay.sequence_parallel) | _divides(lay.tensor * lay.context, p.sequence_length),
    ),
    Rule("ep must divide the number of experts (and be 1 in a dense model)", _experts_divide),
    Rule(
        "ep × etp must divide tp × cp × dp",
        lambda lay, _: _divides(lay.expert * lay.expert_tensor, lay.tensor * lay.context * lay.data),
    ),
    Rule("shard must divide dp", lambda lay, _: np.equal(lay.shard, 0) | _divides(lay.shard, lay.data)),
    Rule(
        "zero=2 and zero=3 need pp=1 or one micro-batch after another",
        lambda lay, _: (np.less(lay.zero, 2)) | np.equal(lay.virtual, 1),
    ),
)


def legal(layout: Layout, problem: Problem) -> NDArray[np.bool_]:
    """For each layout, whether every rule holds."""
    holds: Any = True
    for rule in RULES:
        holds = holds & rule.holds(layout, problem)
    return np.asarray(holds, dtype=bool)


def broken_rules(layout: Layout, problem: Problem) -> tuple[str, ...]:
    """The sentences of the rules that one layout breaks.

    >>> from outlay.workload import transformer
    >>> gpt = transformer(layers=12, hidden=768, heads=12, vocab=50257)
    >>> broken_rules(Layout(tensor=8), Problem(architecture=gpt, sequence_length=1024, global_batch=8, devices=8))
    ('tp must divide the attention heads, and divide or be a multiple of the key-value heads',)
    """
    return tuple(rule.sentence for rule in RULES if not np.all(rule.holds(layout, problem)))
