r"""A law from one's own losses.

.. math:: \min_{e,a,b,\alpha,\beta} \sum_i H_\delta\!\left(\ln \hat L_i - \ln L_i\right), \quad
          \ln \hat L = \mathrm{LSE}\left(e, \; a - \alpha \ln N, \; b - \beta \ln D\right)

with Huber's loss :math:`H` at :math:`\delta = 10^{-3}`, from a grid of starts (J. Hoffmann et al., arXiv:2203.15556, §D.2);
intervals by bootstrap (T. Besiroglu et al., arXiv:2404.10102, §3). The sum is scaled so that the optimizer does not stop early,
as theirs found that it had, and logarithms are centred, so that slopes and levels are found apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from outlay.errors import InputError
from outlay.scaling.losses import Losses
from outlay.scaling.parametric import Parametric

DELTA = 1e-3
CONSTANTS = ("E", "A", "B", "alpha", "beta")
RESAMPLES = 200
_SEED = 20240415
_LEVELS = 3
"""Values of parameters, and of tokens, without which a limit cannot be told from a slope."""
_STARTS = {
    "e": (-1.0, -0.5, 0.0, 0.5, 1.0),
    "a": (0.0, 5.0, 10.0, 15.0, 20.0, 25.0),
    "b": (0.0, 5.0, 10.0, 15.0, 20.0, 25.0),
    "alpha": (0.1, 0.5, 1.0, 1.5, 2.0),
    "beta": (0.1, 0.5, 1.0, 1.5, 2.0),
}
"""Hoffmann's grid, 4,500 starts, with 0.1 for its exponents of 0."""
_STEEPEST = 3.0
"""Exponents are kept between 0 and this: published ones lie between 0.08 and 0.7."""
_FLAT = 1e-4
"""An exponent below this is none: over ten decades the term falls by less than a quarter per cent."""
_POLISHED = 30
"""Starts from which it is climbed down; the others are only looked at."""

Array: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A fitted law, and those of the resampled runs."""

    curve: Parametric
    samples: tuple[Parametric, ...]
    runs: Losses
    error: float
    """Median of the absolute relative errors of the runs."""
    worst: float

    def interval(self, constant: str, level: float) -> tuple[float, float]:
        """Bounds between which a share `level` of the resamples put a constant, or the `exponent` :math:`N \\propto C^a`."""
        values = [_value(sample, constant) for sample in self.samples]
        low, high = np.quantile(values, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        return float(low), float(high)

    def standard_error(self, constant: str) -> float:
        """Standard deviation of a constant over the resamples."""
        return float(np.std([_value(sample, constant) for sample in self.samples], ddof=1))


def exponent(curve: Parametric) -> float:
    """How the best size grows with the budget: :math:`N \\propto C^a`, :math:`a = \\beta / (\\alpha + \\beta)`."""
    return curve.beta / (curve.alpha + curve.beta)


def _value(curve: Parametric, constant: str) -> float:
    return exponent(curve) if constant == "exponent" else float(getattr(curve, constant))


def fit(runs: Losses, *, resamples: int = RESAMPLES) -> Fit:
    """The law of `runs`.

    :raises InputError: for fewer runs than constants, or runs whose sizes or data do not vary.
    """
    _enough(runs)
    problem = _Problem.of(runs)
    polished = [problem.descend(start) for start in problem.starts()]
    point = problem.finish(min(polished, key=lambda entry: entry[1])[0])
    draws = np.random.default_rng(_SEED)
    samples = []
    for _ in range(resamples):
        part = problem.resampled(draws.integers(0, len(runs), len(runs)))
        samples.append(part.law(part.descend(point)[0]))
    curve = problem.law(point)
    _falls(curve)
    errors = np.abs(np.asarray(curve.loss(runs.parameters, runs.tokens)) / runs.loss - 1.0)
    return Fit(
        curve=curve, samples=tuple(samples), runs=runs, error=float(np.median(errors)), worst=float(errors.max())
    )


def _enough(runs: Losses) -> None:
    if len(runs) <= len(CONSTANTS):
        raise InputError(
            f"{len(runs)} run{'' if len(runs) == 1 else 's'} cannot fit a law of {len(CONSTANTS)} constants",
            expected=f"at least {len(CONSTANTS) + 1}, of several sizes and amounts of data",
            hint="add runs, or take a published law: `outlay show laws`",
        )
    for name, values in (("parameters", runs.parameters), ("tokens", runs.tokens)):
        different = len(np.unique(values))
        if different < _LEVELS:
            raise InputError(
                f"the runs have {different} different `{name}`",
                expected=f"at least {_LEVELS}, to tell a slope from a limit",
                hint="add runs, or take a published law: `outlay show laws`",
            )


def _falls(curve: Parametric) -> None:
    """Refuse a law by which more of something buys nothing: its best size would be a slip of rounding."""
    flat = [name for name, slope in (("parameters", curve.alpha), ("tokens", curve.beta)) if slope < _FLAT]
    if flat:
        raise InputError(
            f"the losses of the runs do not fall with {' or '.join(f'`{name}`' for name in flat)}",
            expected="losses that fall as size and data grow",
            hint="look whether the columns are what their names say, or take a published law: `outlay show laws`",
        )


def _exponents(point: Array) -> tuple[float, float]:
    """Alpha and beta: any coordinate gives one between 0 and the steepest."""
    alpha, beta = _STEEPEST / (1.0 + np.exp(-np.clip(point[3:], -50.0, 50.0)))
    return float(alpha), float(beta)


def _coordinate(exponents: Array) -> Array:
    """The way back."""
    return np.asarray(np.log(exponents / (_STEEPEST - exponents)))


def _minimize() -> Any:
    """SciPy's, loaded here alone: an answer without a fit needs none."""
    try:
        from scipy.optimize import minimize
    except ImportError as error:
        raise InputError("a fit needs SciPy, which is not installed", hint="`pip install 'outlay[scaling]'`") from error
    return minimize


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """Runs in centred logarithms. A point holds E, the levels of the terms of size and data, and two coordinates of exponents."""

    size: Array
    data: Array
    loss: Array
    size_centre: float
    data_centre: float

    @classmethod
    def of(cls, runs: Losses) -> _Problem:
        size, data = np.log(runs.parameters), np.log(runs.tokens)
        return cls(
            size=size - size.mean(),
            data=data - data.mean(),
            loss=np.log(runs.loss),
            size_centre=float(size.mean()),
            data_centre=float(data.mean()),
        )

    def resampled(self, places: npt.NDArray[np.int64]) -> _Problem:
        return _Problem(
            size=self.size[places],
            data=self.data[places],
            loss=self.loss[places],
            size_centre=self.size_centre,
            data_centre=self.data_centre,
        )

    def starts(self) -> Array:
        """The best of the grid, with the lowest loss as a limit too: points, one a row."""
        grid = np.array(np.meshgrid(*_STARTS.values(), indexing="ij")).reshape(len(_STARTS), -1).T
        points = np.column_stack(
            [
                grid[:, 0] + self.loss.min(),  # their losses were about 2; another unit shifts all levels
                grid[:, 1] - grid[:, 3] * self.size_centre + self.loss.min(),
                grid[:, 2] - grid[:, 4] * self.data_centre + self.loss.min(),
                _coordinate(grid[:, 3]),
                _coordinate(grid[:, 4]),
            ]
        )
        values = np.array([self.value(point) for point in points])
        return points[np.argsort(values, kind="stable")[:_POLISHED]]

    def value(self, point: Array) -> float:
        """Huber's loss over delta, a run."""
        return self.with_gradient(point)[0]

    def with_gradient(self, point: Array) -> tuple[float, Array]:
        """The same, and its slope in each coordinate."""
        limit, size, data = point[:3]
        alpha, beta = _exponents(point)
        terms = np.stack([np.full_like(self.size, limit), size - alpha * self.size, data - beta * self.data])
        top = terms.max(axis=0)
        shares = np.exp(terms - top)
        whole = shares.sum(axis=0)
        residual = top + np.log(whole) - self.loss
        shares /= whole
        far = np.abs(residual)
        value = np.where(far <= DELTA, 0.5 * residual**2 / DELTA, far - 0.5 * DELTA)
        pull = shares * np.clip(residual / DELTA, -1.0, 1.0)
        steps = np.array(
            [
                pull[0].sum(),
                pull[1].sum(),
                pull[2].sum(),
                -(pull[1] * self.size).sum() * alpha * (1.0 - alpha / _STEEPEST),
                -(pull[2] * self.data).sum() * beta * (1.0 - beta / _STEEPEST),
            ]
        )
        return float(value.mean()), steps / len(self.loss)

    def descend(self, start: Array) -> tuple[Array, float]:
        """The valley below a start."""
        found = _minimize()(self.with_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-8, "maxiter": 500})
        return np.asarray(found.x, dtype=float), float(found.fun)

    def finish(self, start: Array) -> Array:
        """The bottom of the valley: steps without curvature, where Huber's corners stop the others."""
        found = _minimize()(
            self.value,
            start,
            method="Nelder-Mead",
            options={"maxiter": 4000, "xatol": 1e-9, "fatol": 1e-15, "adaptive": True},
        )
        return np.asarray(found.x if found.fun <= self.value(start) else start, dtype=float)

    def law(self, point: Array) -> Parametric:
        limit, size, data = (float(value) for value in point[:3])
        alpha, beta = _exponents(point)
        return Parametric(
            E=math.exp(limit),
            A=math.exp(size + alpha * self.size_centre),
            B=math.exp(data + beta * self.data_centre),
            alpha=alpha,
            beta=beta,
        )
