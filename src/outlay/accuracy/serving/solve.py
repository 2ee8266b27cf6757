"""Fit what only whole serving steps show to measured rows, with all sources and with some left out.

Few magnitudes, each with a meaning (:class:`~outlay.serving.coefficients.StepCoefficients`), are moved from a prior until
the logarithms of predicted over measured times are small. A cell (source, engine, generation of chip) counts alike whatever
its number of rows, a source with the root of its cells; large residuals count linearly. A fit without some sources starts
from the full one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.accuracy.metrics import KINDS, RATES
from outlay.accuracy.records import Record
from outlay.accuracy.serving.columns import ENERGY, measured
from outlay.accuracy.serving.magnitudes import Magnitude, Row, assembled, magnitudes
from outlay.accuracy.serving.manner import suspect
from outlay.accuracy.serving.predict import predictor
from outlay.accuracy.serving.resolve import Question, resolve
from outlay.accuracy.serving.start import START
from outlay.accuracy.solve import moved
from outlay.errors import InputError
from outlay.serving import ServingCoefficients, load_serving
from outlay.serving.coefficients import StepCoefficients
from outlay.serving.memo import remembering

ROWS_PER_CELL, ROWS_PER_CELL_GGML = 16, 48
"""Of a larger cell, evenly spaced rows: a sweep repeats itself. llama.cpp runs on many chips of a generation, and is quickly
timed."""
STEP = 1e-3
"""By how much the logarithm of a magnitude is moved to see what it does."""
SCALE = 0.08
"""Relative error beyond which a residual counts linearly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Fitted coefficients, the rows they were fitted to, and the errors that remain on them."""

    coefficients: StepCoefficients
    rows: tuple[Row, ...]
    errors: NDArray[np.float64]
    """Predicted over measured − 1, as of a time, a row each."""
    slopes: NDArray[np.float64]
    """What a magnitude does to the logarithm of a row's time, rows × magnitudes."""
    weight: NDArray[np.float64]
    tie: NDArray[np.float64]
    """What a magnitude's distance from its prior counts."""
    distance: NDArray[np.float64]
    """How far the fit moved each magnitude from its prior."""
    magnitudes: tuple[Magnitude, ...]


def fittable(records: Sequence[Record], *, without: Collection[str] = ()) -> tuple[Row, ...]:
    """Measured numbers of language models that steps decide: no long waiting of a client's requests, no energy."""
    cells: dict[tuple[str, str, str], list[list[Row]]] = {}
    for record in records:
        if record.source in without or suspect(record):
            continue
        try:
            question = resolve(record)
        except InputError:
            continue
        if question.apart is not None or question.speculation is not None:
            continue  # they tell of routers, of drafts and of pools as much as of steps
        own = measured(record)
        rows = [
            Row(record=record, question=question, metric=metric, measured=value, sign=-1.0 if metric in RATES else 1.0)
            for metric, value in _once(own).items()
            if metric != ENERGY and (metric != "ttft_ms" or _prompt_first(question))
        ]
        if rows:
            cells.setdefault((record.source, rows[0].family, rows[0].generation), []).append(rows)
    picked: list[Row] = []
    for group in cells.values():
        most = ROWS_PER_CELL_GGML if group[0][0].backend else ROWS_PER_CELL
        step = max(1, math.ceil(len(group) / most))
        picked += [row for rows in group[::step] for row in rows]
    return tuple(picked)


FEW = 32.0
"""Open requests up to which the wait for a first token is that of prompts, not of room."""


def _prompt_first(question: Question) -> bool:
    """Whether a row's first token tells of prompts more than of queues."""
    few = question.batch is not None and question.batch <= FEW * question.instances
    return question.protocol == "batch" or (question.protocol == "client" and few)


def _once(own: dict[str, float]) -> dict[str, float]:
    """One metric of each kind."""
    found: dict[str, str] = {}
    for metric in KINDS:
        if metric in own and not (metric == "output_tokens_per_s" and "decode_tokens_per_s" in own):
            found.setdefault(KINDS[metric], metric)
    return {metric: own[metric] for metric in found.values()}


def weights(rows: Sequence[Row]) -> NDArray[np.float64]:
    """What each row counts."""
    cell = Counter((row.source, row.family, row.generation) for row in rows)
    cells = Counter(source for source, _, _ in cell)
    return np.array(
        [
            math.sqrt(10.0) * cell[row.source, row.family, row.generation] ** -0.5 * cells[row.source] ** -0.25
            for row in rows
        ]
    )


def logs(rows: Sequence[Row], coefficients: ServingCoefficients) -> NDArray[np.float64]:
    """ln(predicted / measured) of each row, as that of a time; nan where there is no prediction."""
    questions = {id(row.question): row.question for row in rows}
    answers = dict(zip(questions, predictor(coefficients)(list(questions.values())), strict=True))
    found = []
    for row in rows:
        answer = answers[id(row.question)]
        value = math.nan if isinstance(answer, InputError) else answer.metrics.get(row.metric, math.nan)
        found.append(row.sign * math.log(value / row.measured))
    return np.array(found)


def fit(
    rows: Sequence[Row], *, start: ServingCoefficients | None = None, say: Callable[[str], None] = lambda _: None
) -> Fit:
    """The coefficients that explain the rows best, not far from their priors (soft-L1 least squares, deterministic)."""
    with remembering():
        return _fitted(rows, start or ServingCoefficients(machine=load_serving().machine, step=START), say)


def _fitted(rows: Sequence[Row], start: ServingCoefficients, say: Callable[[str], None]) -> Fit:
    from scipy.optimize import least_squares

    chosen = magnitudes(rows, start.step)
    prior = np.log([magnitude.prior for magnitude in chosen])
    tie = SCALE * 2.0 / np.array([magnitude.spread for magnitude in chosen])
    weight = weights(rows)
    reach = [np.array([magnitude.affects(row) for row in rows]) for magnitude in chosen]

    def predicted(point: NDArray[np.float64], picked: Sequence[Row] = rows) -> NDArray[np.float64]:
        step = assembled(start.step, chosen, point)
        return logs(picked, ServingCoefficients(machine=start.machine, step=step))

    usable = np.isfinite(predicted(prior))
    last: dict[bytes, NDArray[np.float64]] = {}

    def error_at(point: NDArray[np.float64]) -> NDArray[np.float64]:
        if point.tobytes() not in last:
            last.clear()
            last[point.tobytes()] = np.where(usable, np.nan_to_num(predicted(point)), 0.0)
            say(f"mean error {np.mean(np.abs(last[point.tobytes()])):.4f}")
        return last[point.tobytes()]

    def residuals(point: NDArray[np.float64]) -> NDArray[np.float64]:
        error = error_at(point)
        soft = np.sign(error) * SCALE * np.sqrt(2.0 * (np.sqrt(1.0 + (error / SCALE) ** 2) - 1.0))
        return np.concatenate([weight * soft, tie * (point - prior)])

    def slopes(point: NDArray[np.float64]) -> NDArray[np.float64]:
        error = error_at(point)
        columns = np.zeros((len(rows), len(chosen)))
        for index, reached in enumerate(reach):
            moved_to = point.copy()
            moved_to[index] += STEP
            picked = [row for row, touched in zip(rows, reached, strict=True) if touched]
            slope = np.zeros(len(rows))
            slope[reached] = (np.nan_to_num(predicted(moved_to, picked)) - error[reached]) / STEP
            columns[:, index] = np.where(usable, slope, 0.0)
        return columns

    def jacobian(point: NDArray[np.float64]) -> NDArray[np.float64]:
        root = np.sqrt(1.0 + (error_at(point) / SCALE) ** 2)
        bent = np.sqrt((root + 1.0) / 2.0) / root
        return np.concatenate([(weight * bent)[:, None] * slopes(point), np.diag(tie)])

    found = least_squares(residuals, prior, jac=jacobian, method="trf", max_nfev=7, xtol=2e-3, ftol=2e-3)
    return Fit(
        coefficients=assembled(start.step, chosen, found.x),
        rows=tuple(rows),
        errors=np.expm1(np.where(usable, error_at(found.x), np.nan)),
        slopes=slopes(found.x),
        weight=weight,
        tie=tie,
        distance=found.x - prior,
        magnitudes=tuple(chosen),
    )


def refit(found: Fit, without: Collection[str]) -> StepCoefficients:
    """The coefficients, had the fit not seen some sources; what only they had rows for is as before the fit."""
    seen = np.array([row.source not in without for row in found.rows])
    rows = [row for row, kept in zip(found.rows, seen, strict=True) if kept]
    place = moved(found, seen) + found.distance
    kept = [
        (magnitude, math.log(magnitude.prior) + at)
        for magnitude, at in zip(found.magnitudes, place, strict=True)
        if not magnitude.own or any(magnitude.affects(row) for row in rows)
    ]
    return assembled(START, [magnitude for magnitude, _ in kept], [at for _, at in kept])
