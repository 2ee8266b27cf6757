"""Data that run out: what a token is worth that has been seen before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.scaling.curve import Numbers
from outlay.scaling.parametric import Parametric


def worth(amount: Numbers, unique: Numbers, decay: float) -> Numbers:
    r"""How many fresh ones `amount` is worth, of which only `unique` are fresh.

    .. math:: x' = u + u \, R^* \left(1 - e^{-R / R^*}\right), \quad R = \frac{x}{u} - 1

    :param amount: tokens seen, or parameters, :math:`x`.
    :param unique: of them fresh, :math:`u`.
    :param decay: repetitions :math:`R^*` after which one is worth 1/e of a fresh one.

    Four epochs of 100 B tokens are nearly as good as 400 B fresh ones; no number of epochs is worth more than 16.4 times
    the data:

    >>> [round(worth(epochs * 100e9, 100e9, 15.387756) / 1e9) for epochs in (1, 4, 40, 1000)]
    [100, 373, 1517, 1639]

    N. Muennighoff et al., "Scaling Data-Constrained Language Models", arXiv:2305.16264, equation 5.
    """
    fresh = np.minimum(amount, unique)
    repeated = amount / fresh - 1.0
    total = fresh + fresh * decay * -np.expm1(-repeated / decay)
    return float(total) if np.ndim(total) == 0 else np.asarray(total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    r"""A law of fresh data, with `unique_tokens` to train on, as often as one likes.

    .. math:: L = E + \frac{A}{N'^\alpha} + \frac{B}{D'^\beta}

    :math:`D'` is what the tokens are :func:`worth`. So is :math:`N'` of the parameters: beyond the size for which the fresh data
    are compute-optimal they decay too [1]_.

    >>> base = Parametric(E=1.8691, A=520.8, B=1487.7, alpha=0.3526596, beta=0.3526596)
    >>> curve = Repeated(base=base, unique_tokens=100e9, token_decay=15.387756, parameter_decay=5.309743)
    >>> round(curve.loss(8e9, 400e9) - base.loss(8e9, 400e9), 3)
    0.004

    .. [1] N. Muennighoff et al., arXiv:2305.16264, equations 5 and 6.
    """

    base: Parametric
    unique_tokens: float
    token_decay: float
    parameter_decay: float

    @property
    def label(self) -> str:
        return ""

    def loss(self, parameters: Numbers, tokens: Numbers) -> Numbers:
        """Nats a token."""
        fresh = np.minimum(tokens, self.unique_tokens)
        size = worth(parameters, self.base.parameters_for(fresh), self.parameter_decay)
        return self.base.loss(size, worth(tokens, fresh, self.token_decay))

    def active_parameters(self, parameters: Numbers) -> Numbers:
        """All of them."""
        return parameters

    def flop_per_token(self, parameters: Numbers) -> Numbers:
        """6 a parameter: a token costs as much the second time."""
        return self.base.flop_per_token(parameters)
