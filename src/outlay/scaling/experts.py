"""Mixtures of experts: laws in which a token meets a part of the parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outlay.scaling.curve import TRAINING, Numbers

_ATTENTION, _FEED_FORWARD = 4.0, 8.0
"""Weights of a layer over the square of its width: four projections, two matrices four times as wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granular:
    r"""Fine-grained experts.

    .. math:: L = c + \left(\frac{g}{G^\gamma} + a\right) \frac{1}{N^\alpha} + \frac{b}{D^\beta}

    There are `expansion` experts of the size of the feed-forward, each cut into :math:`G` finer ones (`granularity`), of which a
    token meets :math:`G`: as much work as without experts, and `routing` FLOP a token, expert and width [1]_. :math:`N` counts
    all parameters but the embeddings. Layers are as deep as their width over `aspect`.

    1 B active parameters, granularity 16 and 28.94 B tokens take the 1.93·10²⁰ FLOP of the paper's table 2:

    >>> curve = Granular(c=0.47, g=2.1, gamma=0.58, a=18.1, alpha=0.115, b=30.8, beta=0.147, granularity=16)
    >>> total = 1e9 * curve.total_per_active
    >>> f"{total:.3g} {curve.flop_per_token(total) * 28.94e9:.3g}"
    '4.3e+10 1.93e+20'

    .. [1] J. Krajewski et al., "Scaling Laws for Fine-Grained Mixture of Experts", arXiv:2402.07871, §4 to §6.
    """

    c: float
    g: float
    gamma: float
    a: float
    alpha: float
    b: float
    beta: float
    granularity: float
    expansion: float = 64.0
    routing: float = 14.0
    aspect: float = 64.0

    @property
    def label(self) -> str:
        return f"granularity {self.granularity:g}, {self.expansion * self.granularity:g} experts"

    @property
    def total_per_active(self) -> float:
        """All parameters over those that a token meets."""
        return (_ATTENTION + _FEED_FORWARD * self.expansion) / (_ATTENTION + _FEED_FORWARD)

    def loss(self, parameters: Numbers, tokens: Numbers) -> Numbers:
        """Nats a token."""
        size = self.g / self.granularity**self.gamma + self.a
        found: Numbers = self.c + size * parameters**-self.alpha + self.b * tokens**-self.beta
        return found

    def active_parameters(self, parameters: Numbers) -> Numbers:
        """Attention and one expert's worth."""
        return parameters / self.total_per_active

    def flop_per_token(self, parameters: Numbers) -> Numbers:
        """Of active parameters and of routing."""
        active = self.active_parameters(parameters)
        width = (self.aspect * active / (_ATTENTION + _FEED_FORWARD)) ** (1.0 / 3.0)
        found: Numbers = (
            TRAINING * active + self.routing * self.expansion * self.granularity * width * width / self.aspect
        )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparse:
    r"""Experts by their sparsity :math:`S`, the share of them that a token does not meet.

    .. math:: L = \frac{a}{N^\alpha} + \frac{b}{D^\beta} + \frac{c}{(1-S)^\lambda} + \frac{d}{(1-S)^\delta N^\gamma} + e

    :math:`N` counts all parameters; of them :math:`(1-S) N` are taken as active [1]_.

    >>> curve = Sparse(a=16612.5, alpha=0.5962, b=5455.67, beta=0.3954, c=0.4598, lambda_=-0.1666, d=17.26, delta=0.1603,
    ...                gamma=0.1595, e=0.94, sparsity=0.9)
    >>> round(curve.loss(10e9, 20e9), 3), curve.active_parameters(10e9)
    (2.367, 1000000000.0)

    .. [1] S. Abnar et al., "Parameters vs FLOPs", arXiv:2501.12370, equation 4 and table 3.
    """

    a: float
    alpha: float
    b: float
    beta: float
    c: float
    lambda_: float
    d: float
    delta: float
    gamma: float
    e: float
    sparsity: float

    @property
    def label(self) -> str:
        return f"sparsity {self.sparsity:g}"

    @property
    def _dense(self) -> float:
        return round(1.0 - self.sparsity, 12)

    def loss(self, parameters: Numbers, tokens: Numbers) -> Numbers:
        """Nats a token."""
        found: Numbers = (
            self.a * parameters**-self.alpha
            + self.b * tokens**-self.beta
            + self.c * self._dense**-self.lambda_
            + self.d * self._dense**-self.delta * parameters**-self.gamma
            + self.e
        )
        return found

    def active_parameters(self, parameters: Numbers) -> Numbers:
        """The share that is not sparse."""
        return parameters * self._dense

    def flop_per_token(self, parameters: Numbers) -> Numbers:
        """6 an active parameter."""
        return TRAINING * self.active_parameters(parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    r"""Routed models of a dense base of :math:`N` parameters with :math:`E` experts, on 130 B tokens.

    .. math:: \log_{10} L = a \log_{10} N + b \log_{10} \hat E + c \log_{10} N \log_{10} \hat E + d, \quad
              \frac{1}{\hat E} = \frac{1}{E - 1 + \left(\frac{1}{E_{start}} - \frac{1}{E_{max}}\right)^{-1}} + \frac{1}{E_{max}}

    The amount of data is fixed, so the law says nothing of how to divide a budget [1]_.

    >>> curve = Routed(a=-0.082, b=-0.108, c=0.009, d=1.104, Estart=1.847, Emax=314.478, experts=64)
    >>> f"{curve.dense_equal(1.3e9):.3g}"
    '3.91e+09'

    .. [1] A. Clark et al., "Unified Scaling Laws for Routed Language Models", arXiv:2202.01169, equations 6, 8 and 11.
    """

    a: float
    b: float
    c: float
    d: float
    Estart: float
    Emax: float
    experts: float

    @property
    def label(self) -> str:
        return f"{self.experts:g} experts" if self.experts > 1 else "1 expert"

    def saturated(self, experts: float) -> float:
        """Experts that still count: from `Estart` for one to `Emax` for infinitely many."""
        offset = 1.0 / (1.0 / self.Estart - 1.0 / self.Emax)
        return 1.0 / (1.0 / (experts - 1.0 + offset) + 1.0 / self.Emax)

    def loss(self, parameters: Numbers, tokens: Numbers) -> Numbers:
        """Nats a token after 130 B tokens, however many are said; `parameters` are those of the dense base."""
        log_size, log_experts = np.log10(parameters), np.log10(self.saturated(self.experts))
        found = 10.0 ** (self.a * log_size + self.b * log_experts + self.c * log_size * log_experts + self.d)
        return found + 0.0 * np.asarray(tokens) if np.ndim(tokens) else float(found) if np.ndim(found) == 0 else found

    def dense_equal(self, parameters: float) -> float:
        """Parameters of the model without experts that has the same loss."""
        one = np.log10(self.saturated(1.0))
        exponent = (np.log10(self.loss(parameters, 130e9)) - self.b * one - self.d) / (self.a + self.c * one)
        return float(10.0**exponent)

    def active_parameters(self, parameters: Numbers) -> Numbers:
        """Those of the dense base."""
        return parameters

    def flop_per_token(self, parameters: Numbers) -> Numbers:
        """6 a parameter of the dense base."""
        return TRAINING * parameters
