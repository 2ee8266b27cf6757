"""A model given by a few numbers rather than by a family: the keys are those of :func:`outlay.workload.transformer`."""

from __future__ import annotations

from typing import Any

from outlay.workload.architecture import Architecture, transformer
from outlay.workload.families.reader import Reader
from outlay.workload.families.shape import Keys

TYPE = "transformer"
KEYS = Keys(hidden="hidden", depth="layers", heads="heads", vocab="vocab")
COUNTS = ("ffn_hidden", "kv_heads", "head_dim", "experts", "experts_per_token", "expert_ffn_hidden", "max_length")
FLAGS = ("gated", "bias", "causal", "tied", "parallel")


def build(read: Reader) -> Architecture:
    """A transformer from `hidden`, `layers`, `heads`, `vocab` and what else is stated."""
    unknown = sorted(set(map(str, read.config)) - {*KEYS.all(), *COUNTS, *FLAGS, "shared_experts", "model_type"})
    if unknown:
        read.problems.append(
            f"{', '.join(f'`{key}`' for key in unknown)}: expected only {', '.join((*COUNTS, *FLAGS))}"
        )
    facts: dict[str, Any] = {key: read.count(key) for key in KEYS.all()}
    facts |= {key: read.count(key) for key in COUNTS if read.stated(key)}
    facts |= {key: read.flag(key) for key in FLAGS if read.stated(key)}
    facts["shared_experts"] = read.optional_count("shared_experts", least=0) or 0
    if "head_dim" not in facts:
        facts["head_dim"] = read.head_dim(
            facts["hidden"], facts["heads"], width=KEYS.hidden, depth_of_heads=KEYS.heads, key=None
        )
    if "kv_heads" in facts:
        read.kv_heads(facts["heads"], "kv_heads")
    if facts.get("experts_per_token", 0) > facts.get("experts", 10**9):
        read.contradiction(
            f"`experts_per_token` is {facts['experts_per_token']}: expected at most {facts['experts']}", "experts"
        )
        return transformer(layers=1, hidden=1, heads=1, vocab=1)
    return transformer(**facts)
