"""Seconds and joules of the two kinds of step that a load is made of: decoding alone, and with prompt tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import Deployment, Work
from outlay.serving.iteration import iteration
from outlay.serving.speculation import Speculation
from outlay.workload import Number

FRACTIONS = 6
"""Decimals of a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one step takes."""

    seconds: Number
    joules: Number
    """Of one device."""


class Steps(Protocol):
    """Whoever knows what a step takes. `prompts` are spread over data-parallel devices; the fullest one decides."""

    def __call__(
        self,
        *,
        decoding: Number,
        context: Number,
        prefill: Number = 0.0,
        prompts: Number = 1.0,
        past: Number = 0.0,
    ) -> Step: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactSteps:
    """Steps by :func:`~outlay.serving.iteration.iteration` itself, drafting included."""

    deployment: Deployment
    coefficients: ServingCoefficients
    speculation: Speculation | None = None

    def __call__(
        self,
        *,
        decoding: Number,
        context: Number,
        prefill: Number = 0.0,
        prompts: Number = 1.0,
        past: Number = 0.0,
    ) -> Step:
        prefill, prompts = spread(prefill, prompts, self.deployment.layout.data)
        # Means are not whole; but a trace of a token must not begin another tile of a product.
        prefill, decoding = np.round(prefill, FRACTIONS), np.round(decoding, FRACTIONS)
        drafted = 0.0 if self.speculation is None else self.speculation.drafted
        work = Work(decoding=decoding, context=context, prefill=prefill, prompts=prompts, past=past, drafted=drafted)
        found = iteration(self.deployment, work, self.coefficients)
        step = Step(seconds=found.seconds, joules=found.seconds * found.device_watts)
        return step if self.speculation is None else self._drafted(step, work, self.speculation)

    def _drafted(self, step: Step, work: Work, speculation: Speculation) -> Step:
        """With what drafting takes: one token after another, each a step of the draft, which sees the prompts too."""
        some = np.greater(work.decoding, 0)
        plain = Work(decoding=work.decoding, context=work.context)
        share = speculation.drafted * np.where(some, speculation.draft_share, 0.0)
        # A step that verifies one token is what an extra layer is a share of.
        own = iteration(self.deployment, plain, self.coefficients)
        seconds = step.seconds + share * own.seconds
        joules = step.joules + share * own.seconds * own.device_watts
        if speculation.draft is None:
            return Step(seconds=seconds, joules=joules)
        draft = iteration(speculation.draft, plain, self.coefficients)
        prompt = iteration(
            speculation.draft, Work(prefill=work.prefill, prompts=work.prompts, past=work.past), self.coefficients
        )
        times, read = np.where(some, speculation.drafted, 0.0), np.where(np.greater(work.prefill, 0), 1.0, 0.0)
        return Step(
            seconds=seconds + times * draft.seconds + read * prompt.seconds,
            joules=joules + times * draft.seconds * draft.device_watts + read * prompt.seconds * prompt.device_watts,
        )


def spread(prefill: Number, prompts: Number, data: Number) -> tuple[Number, Number]:
    """Prompts and their tokens as if every data-parallel device had as much as the fullest one.

    >>> [float(part) for part in spread(1000, 1, 8)]  # one prompt keeps one of eight devices busy, as eight would
    [8000.0, 8.0]
    """
    more = np.maximum(1.0, data / np.maximum(prompts, 1e-9))
    return prefill * more, prompts * more
