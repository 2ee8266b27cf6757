"""What measured peaks of memory show: a communicator's buffers, and what the allocator holds beyond what is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outlay.accuracy.magnitudes import Row
from outlay.accuracy.predict import predictor
from outlay.errors import InputError
from outlay.training import Coefficients, StepCoefficients

PRIORS = {"communicator_bytes": 0.7e9, "fragmentation": 0.1}
"""Where the two stand before the fit. Measured peaks come from few frameworks: they move the two only so far."""

TIE = 3.0
"""What a factor of e from the prior counts, in average residuals."""

SCALE = 0.05
"""Relative error beyond which a residual counts linearly."""


def memory_fitted(rows: Sequence[Row], start: Coefficients) -> StepCoefficients:
    """`start` with the bytes that explain the rows' measured peaks best; rows that count allocations alone say nothing.

    Soft-L1 least squares of logarithms, tied to the priors, deterministic.
    """
    from scipy.optimize import least_squares

    used = [row for row in rows if "peak_mem_gb" in row.record.measured and not row.record.allocated]
    questions = [row.question for row in used]
    measured = np.array([row.record.measured["peak_mem_gb"] * row.question.memory_unit for row in used])
    prior = np.log(list(PRIORS.values()))

    def at(point: NDArray[np.float64]) -> StepCoefficients:
        return start.step.replace(**dict(zip(PRIORS, np.exp(point).tolist(), strict=True)))

    def residuals(point: NDArray[np.float64]) -> NDArray[np.float64]:
        answers = predictor(Coefficients(machine=start.machine, step=at(point)))(questions)
        bytes_ = [math.nan if isinstance(answer, InputError) else answer.memory_bytes for answer in answers]
        error = np.nan_to_num(np.log(bytes_) - np.log(measured))
        soft = np.sign(error) * SCALE * np.sqrt(2.0 * (np.sqrt(1.0 + (error / SCALE) ** 2) - 1.0))
        return np.concatenate([len(used) ** -0.25 * soft, TIE * SCALE * (point - prior)])

    if not used:
        return at(prior)
    return at(least_squares(residuals, prior, diff_step=1e-2, xtol=1e-4, ftol=1e-4, max_nfev=15).x)
