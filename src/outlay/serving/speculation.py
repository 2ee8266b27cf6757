"""Speculative decoding: tokens are drafted cheaply, and verified together in one step of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.errors import InputError
from outlay.serving.deployment import Deployment
from outlay.workload import Number


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
    """Seconds of one drafted token over a decoding step of the model: 1 / layers for a layer of multi-token prediction, 0
    for prompt lookup. Added to what `draft` takes."""

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
