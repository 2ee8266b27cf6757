"""Fit what only whole steps show to measured training runs, with all sources and with some left out.

Few magnitudes, each with a meaning (:class:`~outlay.training.StepCoefficients`), are moved from a prior until the
logarithms of predicted over measured step times are small. A source counts with the root of its number of rows, so
that a sweep of a thousand does not outvote ten papers; large residuals count linearly, so that a row that contradicts
itself does not pull. A fit without some sources starts from the full one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from outlay.accuracy.magnitudes import MAGNITUDES, Magnitude, Row, assembled, by_group
from outlay.accuracy.predict import predictor
from outlay.accuracy.records import Record
from outlay.accuracy.resolve import Resolved, resolve
from outlay.accuracy.solve_memory import memory_fitted
from outlay.errors import InputError
from outlay.training import Coefficients, StepCoefficients, load_coefficients

ROWS_PER_SOURCE = 80
"""Of a larger source, evenly spaced rows: a sweep repeats itself."""

STEP = 1e-3
"""By how much a magnitude is moved to see what it does."""

SCALE = 0.05
"""Relative error beyond which a residual counts linearly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Fitted coefficients, the rows they were fitted to, and the errors that remain on them."""

    coefficients: StepCoefficients
    rows: tuple[Row, ...]
    errors: NDArray[np.float64]
    """Predicted over measured − 1, a row each."""
    slopes: NDArray[np.float64]
    """What a magnitude does to the logarithm of a row's time, rows × magnitudes, in the scale in which it moves."""
    weight: NDArray[np.float64]
    """What a row counts."""
    tie: NDArray[np.float64]
    """What a magnitude's distance from its prior counts."""
    distance: NDArray[np.float64]
    """How far the fit moved each magnitude from its prior."""
    magnitudes: tuple[Magnitude, ...] = ()
    """What was fitted, in the order of the columns of `slopes`."""


class Solved(Protocol):
    """What is known of a fit where it stands: errors, slopes, weights, and what its priors hold."""

    @property
    def errors(self) -> NDArray[np.float64]: ...
    @property
    def slopes(self) -> NDArray[np.float64]: ...
    @property
    def weight(self) -> NDArray[np.float64]: ...
    @property
    def tie(self) -> NDArray[np.float64]: ...
    @property
    def distance(self) -> NDArray[np.float64]: ...


def fittable(records: Sequence[Record], *, without: Collection[str] = ()) -> tuple[Row, ...]:
    """Pre-training rows of language models with a measured step time and a stated layout, flagged rows left out."""
    rows: list[Row] = []
    for record in records:
        seconds = record.measured.get("step_time_s")
        if record.source in without or record.flagged or seconds is None or record.word("task") != "pretrain":
            continue
        try:
            question = resolve(record)
        except InputError:
            continue
        if "tensor" not in question.open:
            rows.append(Row(record=record, question=question, seconds=seconds))
    picked: list[Row] = []
    for source, count in Counter(row.record.source for row in rows).items():
        own = [row for row in rows if row.record.source == source]
        step = max(1, math.ceil(count / ROWS_PER_SOURCE))
        picked += own[::step]
    return tuple(picked)


def fit(rows: Sequence[Row], *, say: Callable[[str], None] = lambda _: None) -> Fit:
    """The coefficients that explain the rows best, not far from their priors (soft-L1 least squares, deterministic)."""
    from scipy.optimize import least_squares

    start = load_coefficients()
    start = replace(start, step=memory_fitted(rows, start))
    magnitudes = [*MAGNITUDES, *by_group(rows)]
    prior = np.array([magnitude.inward(magnitude.prior) for magnitude in magnitudes])
    spread = np.array([magnitude.spread for magnitude in magnitudes])
    counts = Counter(row.record.source for row in rows)
    weight = np.array([counts[row.record.source] ** -0.25 for row in rows])
    measured = np.log([row.seconds for row in rows])
    questions = [row.question for row in rows]
    # The prior is worth as much as this many average residuals of one scale each.
    tie = SCALE * 2.0 / spread

    def predicted(point: NDArray[np.float64], picked: Sequence[Resolved] = questions) -> NDArray[np.float64]:
        step = assembled(start.step, magnitudes, point)
        answers = predictor(Coefficients(machine=start.machine, step=step))(picked)
        seconds = [math.nan if isinstance(answer, InputError) else answer.step_seconds for answer in answers]
        return np.log(seconds)

    reach = [np.array([magnitude.affects(row) for row in rows]) for magnitude in magnitudes]
    usable = np.isfinite(predicted(prior))
    last: dict[bytes, NDArray[np.float64]] = {}

    def error_at(point: NDArray[np.float64]) -> NDArray[np.float64]:
        if point.tobytes() not in last:
            last.clear()
            last[point.tobytes()] = np.where(usable, predicted(point) - measured, 0.0)
            say(f"mean error {np.mean(np.abs(np.expm1(last[point.tobytes()]))):.4f}")
        return last[point.tobytes()]

    def residuals(point: NDArray[np.float64]) -> NDArray[np.float64]:
        # Soft-L1 on the rows, plain squares on the prior: the loss is applied here, not by the solver.
        error = error_at(point)
        soft = np.sign(error) * SCALE * np.sqrt(2.0 * (np.sqrt(1.0 + (error / SCALE) ** 2) - 1.0))
        return np.concatenate([weight * soft, tie * (point - prior)])

    def slopes(point: NDArray[np.float64]) -> NDArray[np.float64]:
        error = error_at(point)
        columns = np.zeros((len(rows), len(magnitudes)))
        for index, (magnitude, reached) in enumerate(zip(magnitudes, reach, strict=True)):
            moved = point.copy()
            moved[index] += STEP
            slope = np.zeros(len(rows))
            if magnitude.scales:
                slope[reached] = 1.0
            else:
                picked = [question for question, touched in zip(questions, reached, strict=True) if touched]
                slope[reached] = (predicted(moved, picked) - measured[reached] - error[reached]) / STEP
            columns[:, index] = np.where(usable, slope, 0.0)
        return columns

    def jacobian(point: NDArray[np.float64]) -> NDArray[np.float64]:
        root = np.sqrt(1.0 + (error_at(point) / SCALE) ** 2)
        bent = np.sqrt((root + 1.0) / 2.0) / root
        return np.concatenate([(weight * bent)[:, None] * slopes(point), np.diag(tie)])

    found = least_squares(residuals, prior, jac=jacobian, method="trf", max_nfev=10, xtol=1e-4, ftol=1e-4)
    return Fit(
        coefficients=assembled(start.step, magnitudes, found.x),
        rows=tuple(rows),
        errors=np.expm1(np.where(usable, error_at(found.x), np.nan)),
        slopes=slopes(found.x),
        weight=weight,
        tie=tie,
        distance=found.x - prior,
        magnitudes=tuple(magnitudes),
    )


def moved(found: Solved, seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How each magnitude moves when only the rows `seen` count, in the scale in which it moves.

    The fit is solved again by Gauss–Newton from where it stands, with the slopes that it found there: times are so
    nearly products of the magnitudes that this is close to a fit from nothing.
    """
    logs = np.log1p(found.errors)
    used = seen & np.isfinite(logs)
    move = np.zeros(len(found.distance))
    for _ in range(20):
        error = logs[used] + found.slopes[used] @ move
        # Soft-L1 as weights of squares: the loss at the present errors.
        pull = found.weight[used] ** 2 / np.sqrt(1.0 + (error / SCALE) ** 2)
        normal = (found.slopes[used] * pull[:, None]).T @ found.slopes[used] + np.diag(found.tie**2)
        slope = found.slopes[used].T @ (pull * error) + found.tie**2 * (found.distance + move)
        move = move - np.linalg.solve(normal, slope)
    return move


def left_out(found: Fit, sources: Collection[str]) -> NDArray[np.float64]:
    """Errors of the rows of some sources, had the fit not seen them, by the slopes alone; in the order of the fit's rows."""
    out = np.array([row.record.source in sources for row in found.rows])
    return np.asarray(np.expm1(np.log1p(found.errors[out]) + found.slopes[out] @ moved(found, ~out)))


def refit(found: Fit, without: Collection[str]) -> StepCoefficients:
    """The coefficients, had the fit not seen some sources; what only they had rows for is pooled over the other groups."""
    seen = np.array([row.record.source not in without for row in found.rows])
    rows = [row for row, kept in zip(found.rows, seen, strict=True) if kept]
    place = moved(found, seen) + found.distance
    kept = [
        (magnitude, magnitude.inward(magnitude.prior) + at)
        for magnitude, at in zip(found.magnitudes, place, strict=True)
        if ":" not in magnitude.name or any(magnitude.affects(row) for row in rows)
    ]
    start = Coefficients(machine=load_coefficients().machine, step=found.coefficients)
    return assembled(memory_fitted(rows, start), [magnitude for magnitude, _ in kept], [at for _, at in kept])
