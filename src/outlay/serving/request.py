"""What the simulator moves about: a request on its way, and the policy of the batch that it enters."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How an engine runs its batch."""

    mixed: bool
    static: bool
    chunk: int
    """Tokens of one step of the whole instance."""
    piece: int
    """Of them, tokens of one prompt: it is computed on one of the data-parallel devices."""
    most_sequences: int
    block_tokens: int
    blocks: int
    """Of the cache of the whole instance."""
    reserving: bool
    """A request is admitted only where its whole answer fits; else blocks can run out, and the last one is put back."""
    per_step: float = 1.0
    """Tokens that a sequence gets in a step."""
    prefill_only: bool = False
    """Prompts are computed here, and answered elsewhere."""
    decode_only: bool = False
    """Prompts come with their caches."""
    stages: int = 1
    """Of a pipeline."""
    overlaps: bool = False
    """The next step is scheduled when one begins: who comes meanwhile is in the one after it."""


class Request:
    """A request on its way. Seconds are those of the simulation's clock."""

    __slots__ = ("admitted", "arrival", "blocks", "cached", "ending", "finish", "first", "generated", "index", "input",
                 "late", "output", "preempted", "sent", "started")  # fmt: skip

    def __init__(self, index: int, arrival: float, tokens: int, output: int, cached: int) -> None:
        self.index, self.arrival, self.input, self.output, self.cached = index, arrival, tokens, output, cached
        self.sent = arrival
        """When it came to the instance that has it now."""
        self.admitted = self.first = self.finish = -1.0
        self.generated = 0
        self.started = 0
        """Clock of steps at which it began to decode."""
        self.ending = 0
        """Clock of steps at which it ends."""
        self.blocks = 0
        """Blocks at the time it was admitted."""
        self.late = 0.0
        """Seconds by which its tokens come later than their steps: what its prompt takes through a pipeline."""
        self.preempted = 0
