"""The magnitudes that whole steps show: where each stands before a fit, how far it may go, which rows it touches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from outlay.accuracy.records import Record
from outlay.accuracy.resolve import Resolved
from outlay.training import StepCoefficients
from outlay.training.software import Software


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
    def kind(self) -> str:
        """The generation of chip, `generation/narrow` where products have 8 bits or fewer."""
        recipe = self.question.recipe
        return self.generation + ("/narrow" if recipe.linear_bytes < recipe.activation_bytes else "")

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
    Magnitude(name="launch_python", prior=5e-5, spread=0.5, affects=lambda row: row.software.host == "python"),
    Magnitude(name="launch_eager", prior=5e-5, spread=0.5, affects=lambda row: row.software.host == "eager"),
    Magnitude(
        name="launch_collective",
        prior=2.5e-5,
        spread=0.7,
        affects=lambda row: row.degree("tensor") > 1 or row.degree("context") > 1 or row.mixture,
    ),
    Magnitude(
        name="attention_slowdown", prior=1.05, spread=0.2, affects=lambda row: bool(row.software.attention_library)
    ),
    Magnitude(name="young_library", prior=1.03, spread=0.03, affects=lambda row: row.software.year < 2025.5),
    Magnitude(name="moe_slowdown", prior=1.05, spread=0.2, affects=lambda row: row.mixture),
    Magnitude(name="moe_looped", prior=1.5, spread=0.5, affects=lambda row: row.mixture),
    Magnitude(name="expert_gap", prior=5e-6, spread=0.7, affects=lambda row: row.mixture),
    Magnitude(name="misaligned", prior=1.2, spread=0.2),
    Magnitude(name="scan_slowdown", prior=6.0, spread=1.0, affects=lambda row: row.mixture),
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
        affects=lambda row: row.software.overlap_expert != "never" and row.mixture,
    ),
    Magnitude(name="contention", prior=0.1, spread=0.7, affects=lambda row: row.software.overlap_data),
    Magnitude(
        name="pipeline_exposed", prior=0.5, spread=1.0, share=True, affects=lambda row: row.degree("pipeline") > 1
    ),
    Magnitude(name="straggler", prior=0.008, spread=0.5),
    Magnitude(name="step_fixed", prior=0.005, spread=0.7),
)
GENERATION_PRIOR, GENERATION_SPREAD = 1.03, 0.12
FAMILY_PRIOR, FAMILY_SPREAD = 1.0, 0.12


def by_group(rows: Sequence[Row]) -> list[Magnitude]:
    """A factor for each generation of chip, apart for wide and narrow types, and for each family of framework, apart for
    each generation where it ran on several."""
    generations = sorted({row.kind for row in rows})
    families = sorted({row.family for row in rows})
    crossed = sorted({(row.family, row.generation) for row in rows})
    several = {family for family in families if sum(first == family for first, _ in crossed) > 1}
    return [
        *(
            Magnitude(
                name=f"slowdown:{generation}",
                prior=GENERATION_PRIOR,
                spread=GENERATION_SPREAD,
                affects=lambda row, generation=generation: row.kind == generation,  # type: ignore[misc]
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
    slowdown["other"] = _geometric_mean(value for name, value in slowdown.items() if "/" not in name)
    for group in {name.split("/")[0] for name in family if "/" in name}:
        family[group] = _geometric_mean(value for name, value in family.items() if name.startswith(f"{group}/"))
    plain = {name: value for name, value in values.items() if ":" not in name}
    return start.replace(**plain, slowdown=slowdown, family=family)


def _geometric_mean(values: Iterable[float]) -> float:
    """1 where there are none."""
    logs = [math.log(value) for value in values]
    return math.exp(math.fsum(logs) / len(logs)) if logs else 1.0
