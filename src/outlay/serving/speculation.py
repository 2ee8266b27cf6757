"""Speculative decoding: tokens are drafted cheaply, and verified together in one step of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.errors import InputError
from outlay.serving.deployment import Deployment
from outlay.workload import Architecture, Block, Number
from outlay.workload.parameters import layer_parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Speculation:
    """How tokens are drafted: by another model (`draft`), or by extra layers of this one (multi-token prediction).

    >>> round(float(Speculation(drafted=3, acceptance=0.7).tokens_per_step), 3)
    2.533
    """

    drafted: Number
    """Tokens that are drafted before each step and verified in it."""
    acceptance: Number
    """Chance that a drafted token is accepted, given that the one before it was."""
    draft: Deployment | None = None
    """The draft model on the same devices; None where layers of the model itself draft, or nothing but a lookup."""
    draft_share: Number = 0.0
    """Seconds of one drafted token over a decoding step of the model: :func:`own_share` for a layer of multi-token
    prediction, 0 for prompt lookup. Added to what `draft` takes."""

    def __post_init__(self) -> None:
        if np.any(np.less(self.drafted, 0)) or np.any(np.less(self.acceptance, 0) | np.greater(self.acceptance, 1)):
            raise InputError(
                "speculation with a negative number of drafted tokens, or an acceptance outside 0 to 1",
                hint="write `Speculation(drafted=3, acceptance=0.7)`",
            )

    @property
    def tokens_per_step(self) -> Number:
        r"""Tokens that one step yields: :math:`\sum_{i=0}^{k} \alpha^i`, the accepted ones and one of the model itself
        (Leviathan et al. 2023, arXiv:2211.17192, equation 1)."""
        rate, drafted = np.asarray(self.acceptance, dtype=float), np.asarray(self.drafted, dtype=float)
        below = np.minimum(rate, 1.0 - 1e-12)
        return np.where(np.equal(rate, 1.0), drafted + 1.0, (1.0 - below ** (drafted + 1.0)) / (1.0 - below))[()]


def own_share(architecture: Architecture) -> float:
    """What a layer of the model reads to draft a token, over what a step of the model reads for one: a layer like the last, the
    product that joins what that gave with the token before, and the head, which it shares (DeepSeek-V3, arXiv:2412.19437,
    section 2.2).

    >>> from outlay.workload import transformer
    >>> llama = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)
    >>> round(own_share(llama), 3)  # 218 M of a layer, 34 M that join, 525 M of the head, of 7,504 M
    0.104
    """
    head = architecture.vocab * architecture.hidden

    def read(block: Block) -> int:
        found = layer_parameters(block.layer, architecture.hidden)
        return found.total - found.idle

    whole = head + sum(block.count * read(block) for block in architecture.blocks)
    return (read(architecture.blocks[-1]) + 2 * architecture.hidden**2 + head) / whole
