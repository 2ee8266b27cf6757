"""A run from its first stage to its last: each stage in its own layout, one after another; without stages it is one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from outlay import catalog
from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.terms import Terms
from outlay.scenarios.training.course_lines import lines_of_stages
from outlay.scenarios.training.fitting import Fitted, fit
from outlay.scenarios.training.lines import lines_of
from outlay.scenarios.training.question import Question
from outlay.scenarios.training.run import Run
from outlay.scenarios.training.stages import Stage
from outlay.statement import Interval, Line
from outlay.training import Coefficients


@dataclass(frozen=True, kw_only=True)
class Course:
    """The stages of a run; `stages` is empty for a run without, which has one of `runs`."""

    stages: tuple[Stage, ...] = ()
    runs: tuple[Run, ...]

    @cached_property
    def main(self) -> Run:
        """The longest stage."""
        return max(self.runs, key=lambda run: run.seconds)

    @cached_property
    def duration(self) -> Interval:
        """Seconds from the start of the first stage to the end of the last."""
        return _sum([run.duration for run in self.runs])

    @property
    def seconds(self) -> float:
        return self.duration.likely

    @cached_property
    def operational(self) -> Interval:
        """kg CO₂e of the electricity."""
        return _sum([run.operational for run in self.runs])

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """The lines of a statement, those of accelerators and power by stage."""
        return lines_of_stages(self.stages, self.runs, self.main) if self.stages else lines_of(self.main)

    @property
    def priced(self) -> bool:
        """Somebody says what the accelerators cost, or they are owned."""
        return all(run.terms.price is not None or run.terms.owned for run in self.runs)


def _sum(values: Sequence[Interval]) -> Interval:
    return sum(values[1:], values[0])


def questions_of(
    stages: tuple[Stage, ...], asked: Mapping[str, Any], ask: Callable[[Mapping[str, Any], int | None], Question]
) -> tuple[Question, ...]:
    """One question a stage, or the only one: `ask` takes the parameters with those of the stage before them, and its tokens.

    :raises InputError: for what cannot be read, with the stage.
    """
    if not stages:
        return (ask(asked, None),)
    found = []
    for stage in stages:
        try:
            found.append(ask({**asked, **stage.asked}, stage.tokens))
        except InputError as error:
            raise stage.refuse(error) from None
    return tuple(found)


def fit_all(
    stages: tuple[Stage, ...],
    questions: Sequence[Question],
    coefficients: Coefficients,
    *,
    fitting: Callable[..., Fitted] = fit,
    **how: Any,
) -> tuple[Fitted, ...]:
    """The layout of each stage; a stage that has none is named.

    :raises InputError: if the degrees asked for break a rule.
    :raises DoesNotFit: if the fullest device is too small.
    """
    if not stages:
        return (fitting(questions[0], coefficients, **how),)
    found = []
    for stage, question in zip(stages, questions, strict=True):
        try:
            found.append(fitting(question, coefficients, **how))
        except InputError as error:
            raise stage.refuse(error) from None
        except DoesNotFit as error:
            raise DoesNotFit(
                f"stage `{stage.name}`: {error.message}", hint=f"for this stage, {error.hint}", need=error.need
            ) from None
    return tuple(found)


def seller_for(chip: str, who: str | None, kind: str | None) -> tuple[str | None, str | None]:
    """The seller and the tier that were asked for, if he lists the accelerator so; else anybody who rents it out.

    For a stage on machines of its own, which need not be those of the others.
    """
    if who is None or who in {listing.provider for listing in catalog.prices(chip, tier=kind)}:
        return who, kind
    return None, kind if kind is not None and catalog.prices(chip, tier=kind) else None


def course_of(
    stages: tuple[Stage, ...],
    fitted: Sequence[Fitted],
    agree: Callable[[Question], Terms],
    assemble: Callable[[Question, Fitted, Terms], Run],
) -> Course:
    """The whole run on terms that are agreed for each stage."""
    runs = tuple(assemble(each.question, each, agree(each.question)) for each in fitted)
    return Course(stages=stages, runs=runs)
