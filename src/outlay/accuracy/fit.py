"""Fit what only whole steps show to measured training runs: ``python -m outlay.accuracy.fit`` writes the catalog's `step.json`.

Few magnitudes, each with a meaning (:class:`~outlay.training.StepCoefficients`), are moved from a prior until the
logarithms of predicted over measured step times are small. A source counts with the root of its number of rows, so
that a sweep of a thousand does not outvote ten papers; large residuals count linearly, so that a row that contradicts
itself does not pull. Sources can be left out: the fit is an ordinary function of its rows.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import outlay.catalog
from outlay.accuracy.predict import predictor
from outlay.accuracy.records import Record, read_records
from outlay.accuracy.resolve import Resolved, resolve
from outlay.errors import InputError
from outlay.training import Coefficients, StepCoefficients, load_coefficients
from outlay.training.software import Software

ROWS_PER_SOURCE = 80
"""Of a larger source, evenly spaced rows: a sweep repeats itself."""

STEP = 1e-3
"""By how much a magnitude is moved to see what it does."""

SCALE = 0.05
"""Relative error beyond which a residual counts linearly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A measured step and the question that its configuration asks."""

    record: Record
    question: Resolved
    seconds: float

    @property
    def generation(self) -> str:
        return self.question.cluster.accelerator.generation

    @property
    def software(self) -> Software:
        return self.question.recipe.software

    @property
    def family(self) -> str:
        return self.software.family

    @property
    def mixture(self) -> bool:
        return self.question.recipe.architecture.is_moe

    def degree(self, name: str) -> float:
        """A degree that the row states, 1 where it does not."""
        return self.question.fixed.get(name, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Magnitude:
    """One fitted number: where it stands, what it is before the fit, and how far (in its own scale) it is free to go."""

    name: str
    prior: float
    spread: float
    share: bool = False
    """A share lies between 0 and 1 and moves by its log-odds; others are positive and move by their logarithm."""
    affects: Callable[[Row], bool] = lambda _: True
    """Rows whose prediction depends on it: the others need not be predicted again to see what it does."""
    scales: bool = False
    """The whole step is proportional to it, so that what it does is known without predicting."""

    def inward(self, value: float) -> float:
        return math.log(value / (1 - value)) if self.share else math.log(value)

    def outward(self, value: float) -> float:
        return 1 / (1 + math.exp(-value)) if self.share else math.exp(value)


MAGNITUDES = (
    Magnitude(name="launch_python", prior=4e-5, spread=0.7, affects=lambda row: row.software.host == "python"),
    Magnitude(name="launch_eager", prior=1.5e-5, spread=1.0, affects=lambda row: row.software.host == "eager"),
    Magnitude(
        name="launch_collective", prior=2.5e-5, spread=0.7, affects=lambda row: row.degree("tensor") > 1 or row.mixture
    ),
    Magnitude(
        name="attention_slowdown", prior=1.05, spread=0.2, affects=lambda row: bool(row.software.attention_library)
    ),
    Magnitude(name="moe_slowdown", prior=1.05, spread=0.2, affects=lambda row: row.mixture),
    Magnitude(name="moe_early", prior=1.2, spread=0.2, affects=lambda row: row.mixture),
    Magnitude(name="misaligned", prior=1.2, spread=0.2),
    Magnitude(name="scan_slowdown", prior=3.0, spread=0.7, affects=lambda row: row.mixture),
    Magnitude(name="memory_slowdown", prior=1.2, spread=0.3),
    Magnitude(
        name="overlap_tensor",
        prior=0.5,
        spread=1.0,
        share=True,
        affects=lambda row: row.software.overlap_tensor and row.degree("tensor") > 1,
    ),
    Magnitude(name="overlap_data", prior=0.8, spread=1.0, share=True, affects=lambda row: row.software.overlap_data),
    Magnitude(
        name="overlap_expert",
        prior=0.5,
        spread=1.0,
        share=True,
        affects=lambda row: row.software.overlap_expert and row.mixture,
    ),
    Magnitude(name="contention", prior=0.1, spread=0.7, affects=lambda row: row.software.overlap_data),
    Magnitude(
        name="pipeline_exposed", prior=0.5, spread=1.0, share=True, affects=lambda row: row.degree("pipeline") > 1
    ),
    Magnitude(name="straggler", prior=0.008, spread=0.5),
    Magnitude(name="step_fixed", prior=0.005, spread=0.7),
)
GENERATION_PRIOR, GENERATION_SPREAD = 1.03, 0.08
FAMILY_PRIOR, FAMILY_SPREAD = 1.0, 0.12


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Fitted coefficients, the rows they were fitted to, and the errors that remain on them."""

    coefficients: StepCoefficients
    rows: tuple[Row, ...]
    errors: NDArray[np.float64]
    """Predicted over measured − 1, a row each."""


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
    magnitudes = [*MAGNITUDES, *_by_group(rows)]
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

    def jacobian(point: NDArray[np.float64]) -> NDArray[np.float64]:
        error = error_at(point)
        root = np.sqrt(1.0 + (error / SCALE) ** 2)
        bent = np.sqrt((root + 1.0) / 2.0) / root
        columns = np.zeros((len(rows) + len(magnitudes), len(magnitudes)))
        for index, (magnitude, reached) in enumerate(zip(magnitudes, reach, strict=True)):
            moved = point.copy()
            moved[index] += STEP
            slope = np.zeros(len(rows))
            if magnitude.scales:
                slope[reached] = 1.0
            else:
                picked = [question for question, touched in zip(questions, reached, strict=True) if touched]
                slope[reached] = (predicted(moved, picked) - measured[reached] - error[reached]) / STEP
            columns[: len(rows), index] = np.where(usable, weight * bent * slope, 0.0)
            columns[len(rows) + index, index] = tie[index]
        return columns

    found = least_squares(residuals, prior, jac=jacobian, method="trf", max_nfev=10, xtol=1e-4, ftol=1e-4)
    errors = np.expm1(np.where(usable, predicted(found.x) - measured, np.nan))
    return Fit(coefficients=assembled(start.step, magnitudes, found.x), rows=tuple(rows), errors=errors)


def _by_group(rows: Sequence[Row]) -> list[Magnitude]:
    """A factor for each generation of chip, and for each family of framework (on each generation where it ran on several)."""
    generations = sorted({row.generation for row in rows})
    families = sorted({row.family for row in rows})
    crossed = sorted({(row.family, row.generation) for row in rows})
    several = {family for family in families if sum(first == family for first, _ in crossed) > 1}
    return [
        *(
            Magnitude(
                name=f"slowdown:{generation}",
                prior=GENERATION_PRIOR,
                spread=GENERATION_SPREAD,
                affects=lambda row, generation=generation: row.generation == generation,  # type: ignore[misc]
            )
            for generation in generations
        ),
        *(_family(family, None) for family in families if family not in several),
        *(_family(family, generation) for family, generation in crossed if family in several),
    ]


def _family(family: str, generation: str | None) -> Magnitude:
    """The factor of a family of frameworks, on one generation of chip or on all."""
    return Magnitude(
        name=f"family:{family}" + (f"/{generation}" if generation else ""),
        prior=FAMILY_PRIOR,
        spread=FAMILY_SPREAD,
        affects=lambda row: row.family == family and generation in (None, row.generation),
        scales=True,
    )


def assembled(
    start: StepCoefficients, magnitudes: Sequence[Magnitude], point: Sequence[float] | Any
) -> StepCoefficients:
    """Coefficients with every magnitude at its place; what a group has no rows for takes the mean of the groups."""
    values = {magnitude.name: magnitude.outward(float(at)) for magnitude, at in zip(magnitudes, point, strict=True)}
    slowdown = {name.split(":")[1]: value for name, value in values.items() if name.startswith("slowdown:")}
    family = {name.split(":")[1]: value for name, value in values.items() if name.startswith("family:")}
    slowdown["other"] = _geometric_mean(slowdown.values())
    for group in {name.split("/")[0] for name in family if "/" in name}:
        family[group] = _geometric_mean(value for name, value in family.items() if name.startswith(f"{group}/"))
    plain = {name: value for name, value in values.items() if ":" not in name}
    return start.replace(**plain, slowdown=slowdown, family=family)


def _geometric_mean(values: Any) -> float:
    return math.exp(float(np.mean(np.log(list(values)))))


def document(found: Fit, *, date: str) -> dict[str, Any]:
    """The fit as the catalog stores it: coefficients to four figures, rows, and errors by source."""
    by_source = {}
    for source in sorted({row.record.source for row in found.rows}):
        errors = found.errors[[row.record.source == source for row in found.rows]]
        errors = errors[np.isfinite(errors)]
        by_source[source] = {
            "rows": len(errors),
            "median": round(float(np.median(np.abs(errors))), 4),
            "mean": round(float(np.mean(np.abs(errors))), 4),
            "bias": round(float(np.median(errors)), 4),
        }
    fields = {name: getattr(found.coefficients, name) for name in StepCoefficients.__dataclass_fields__}
    return {
        "basis": "fitted",
        "date": date,
        "source": "python -m outlay.accuracy.fit, on validation/training",
        "rows": len(found.rows),
        "errors": by_source,
        "coefficients": {name: _short(value) for name, value in fields.items()},
    }


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short(entry) for name, entry in sorted(value.items())}
    return float(f"{value:.4g}")


def main(folder: str = "validation/training", date: str = "2026-11-23") -> None:
    """Read the rows that the project ships, fit, write the catalog's file, print what remains."""
    records = [record for path in sorted(Path(folder).glob("*.csv")) for record in read_records(path).records]
    content = document(fit(fittable(records), say=print), date=date)
    path = Path(outlay.catalog.__path__[0]) / "coefficients" / "step.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for source, errors in content["errors"].items():
        remaining = "  ".join(f"{name} {errors[name]:+.3f}" for name in ("median", "mean", "bias"))
        print(f"{source:28} {errors['rows']:4} rows  {remaining}")


if __name__ == "__main__":
    main()
