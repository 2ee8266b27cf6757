"""What every scaling law of losses offers: the loss of a size on an amount of data, and the FLOP of a token."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Numbers: TypeAlias = float | npt.NDArray[np.float64]
"""A number, or an array of them; a formula broadcasts over its arrays."""

FORWARD, TRAINING = 2.0, 6.0
"""FLOP of a parameter and token: a multiply–add forward, and twice that again backward (arXiv:2001.08361, §2.1)."""


class Curve(Protocol):
    """A law with all its choices made. Parameters and tokens are numbers or arrays, and broadcast."""

    @property
    def label(self) -> str:
        """The choice that this curve stands for (`granularity 8`); empty where the law leaves none."""
        ...

    def loss(self, parameters: Numbers, tokens: Numbers) -> Numbers:
        """Nats a token, on the law's own text, after training once."""
        ...

    def active_parameters(self, parameters: Numbers) -> Numbers:
        """Of `parameters`, those that one token meets."""
        ...

    def flop_per_token(self, parameters: Numbers) -> Numbers:
        """FLOP of training on one token, forward and backward; a served token costs a third."""
        ...
