"""The best size and amount of data for a budget, and the cheapest for a loss: with and without what serving takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from outlay.scaling.curve import FORWARD, TRAINING, Curve

SMALLEST, LARGEST = 1e6, 1e16
"""Parameters between which is searched. (The largest model of 2026 has about 10¹².)"""
FEWEST_TOKENS = 1e6
_MOST_TOKENS = 1e22
_SERVED = FORWARD / TRAINING
_POINTS, _ZOOMS = 129, 9

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Best:
    """A size and what it takes. FLOP of serving are counted as they are, not as they are priced."""

    parameters: float
    active_parameters: float
    tokens: float
    loss: float | None
    """Nats a token; None where the law does not say."""
    training_flop: float
    serving_flop: float
    label: str = ""
    """What else was chosen: `granularity 8, 512 experts`."""

    @property
    def flop(self) -> float:
        """Of training and serving."""
        return self.training_flop + self.serving_flop

    @property
    def ratio(self) -> float:
        """Tokens of an active parameter."""
        return self.tokens / self.active_parameters


def at(curve: Curve, parameters: float, tokens: float, *, tokens_served: float = 0.0) -> Best:
    """A given size on given data."""
    flop = float(curve.flop_per_token(parameters))
    return Best(
        parameters=float(parameters),
        active_parameters=float(curve.active_parameters(parameters)),
        tokens=float(tokens),
        loss=float(curve.loss(parameters, tokens)),
        training_flop=flop * tokens,
        serving_flop=flop * _SERVED * tokens_served,
        label=curve.label,
    )


def best(curve: Curve, flop: float, *, tokens_served: float = 0.0, serving_price: float = 1.0) -> Best | None:
    r"""The size and data of the least loss whose training and serving fit into `flop`; None if no size does.

    .. math:: \min_{N, D} L(N, D) \quad \text{with} \quad f(N) \left(D + \frac{w T}{3}\right) = C

    with :math:`f` the training FLOP of a token, :math:`T` the `tokens_served` and :math:`w` the `serving_price`: what a FLOP of
    serving costs over one of training. Without demand this is the compute-optimal model [1]_, with it the inference-aware
    one [2]_.

    >>> from outlay.scaling.parametric import Parametric
    >>> curve = Parametric(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
    >>> plain, served = best(curve, 1e23), best(curve, 1e23, tokens_served=2e12)
    >>> f"{plain.parameters:.3g} {plain.ratio:.3g}; {served.parameters:.3g} {served.ratio:.3g}"
    '2.94e+10 19.2; 1.04e+10 88.8'

    .. [1] J. Hoffmann et al., arXiv:2203.15556, equation 4.
    .. [2] N. Sardana et al., "Beyond Chinchilla-Optimal", arXiv:2401.00448, equation 3, with the budget instead of the loss held.
    """
    demand = serving_price * tokens_served * _SERVED

    def tokens_of(parameters: Array) -> Array:
        return np.asarray(flop / curve.flop_per_token(parameters) - demand)

    sizes = np.geomspace(SMALLEST, LARGEST, 4 * _POINTS)
    affordable = sizes[tokens_of(sizes) >= FEWEST_TOKENS]
    if not len(affordable):
        return None

    def loss_of(parameters: Array) -> Array:
        tokens = tokens_of(parameters)
        found = np.asarray(curve.loss(parameters, np.maximum(tokens, 1.0)))
        return np.where(tokens >= 1.0, found, np.inf)

    size = _least(loss_of, affordable[0], affordable[-1] * (LARGEST / SMALLEST) ** (1 / (4 * _POINTS - 1)))
    return at(curve, size, float(tokens_of(np.array([size]))[0]), tokens_served=tokens_served)


def tokens_for(curve: Curve, parameters: Array, loss: float) -> Array:
    """Tokens on which each size reaches `loss`; infinite where no amount does.

    >>> from outlay.scaling.parametric import Parametric
    >>> curve = Parametric(E=1.7, A=400.0, B=400.0, alpha=0.34, beta=0.28)
    >>> found = tokens_for(curve, np.array([1e9, 1e10]), curve.loss(1e10, 1e11))
    >>> [f"{tokens:.3g}" for tokens in found]
    ['2.01e+12', '1e+11']
    """
    low = np.full(np.shape(parameters), np.log(1.0))
    high = np.full(np.shape(parameters), np.log(_MOST_TOKENS))
    reached = np.asarray(curve.loss(parameters, np.exp(high))) <= loss
    for _ in range(80):  # halves 51 of log tokens to less than a float resolves
        middle = (low + high) / 2.0
        enough = np.asarray(curve.loss(parameters, np.exp(middle))) <= loss
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(reached, np.exp(high), np.inf)


def cheapest(curve: Curve, loss: float, *, tokens_served: float = 0.0, serving_price: float = 1.0) -> Best | None:
    """The size that reaches `loss` for the least training and serving; None if none does.

    A model as good as the compute-optimal one of 13 B, for 2 T tokens to serve, has 7 B and saves 17 % of the FLOP [1]_:

    >>> from outlay.scaling.parametric import Parametric
    >>> curve = Parametric(E=1.69, A=406.4, B=410.7, alpha=0.336, beta=0.283)
    >>> plain = at(curve, 13e9, 5.76e11, tokens_served=2e12)
    >>> found = cheapest(curve, plain.loss, tokens_served=2e12)
    >>> f"{found.parameters:.2g} saves {1 - found.flop / plain.flop:.0%}"
    '7e+09 saves 17%'

    .. [1] N. Sardana et al., arXiv:2401.00448, figure 1.
    """
    demand = serving_price * tokens_served * _SERVED

    def cost_of(parameters: Array) -> Array:
        return np.asarray(curve.flop_per_token(parameters)) * (tokens_for(curve, parameters, loss) + demand)

    sizes = np.geomspace(SMALLEST, LARGEST, 4 * _POINTS)
    costs = cost_of(sizes)
    if not np.isfinite(costs).any():
        return None
    place = int(np.argmin(costs))
    size = _least(cost_of, sizes[max(place - 1, 0)], sizes[min(place + 1, len(sizes) - 1)])
    tokens = float(tokens_for(curve, np.array([size]), loss)[0])
    return at(curve, size, tokens, tokens_served=tokens_served)


def _least(function: Callable[[Array], Array], low: float, high: float) -> float:
    """Where a function of an array is least: a grid in logarithms, and finer ones around its lowest point.

    Laws of one sum of powers have one valley; data that run out may make two, and the first grid sees both.
    """
    first, last, lowest = np.log(low), np.log(high), np.log(low)
    for _ in range(_ZOOMS):
        grid = np.linspace(first, last, _POINTS)
        place = int(np.argmin(function(np.exp(grid))))
        first, lowest, last = grid[max(place - 1, 0)], grid[place], grid[min(place + 1, _POINTS - 1)]
    return float(np.exp(lowest))  # a point that was looked at: beside it there may be none that is possible
