"""Seconds and watts of the two kinds of step that a load is made of: decoding alone, and with prompt tokens."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from outlay.serving.coefficients import ServingCoefficients
from outlay.serving.deployment import DEGREES, Deployment, Work
from outlay.serving.iteration import Iteration, iteration
from outlay.serving.speculation import Speculation
from outlay.serving.stacking import short, stacked
from outlay.serving.tables import Tables, tabulate
from outlay.workload import Number

FRACTIONS = 6
"""Decimals of a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """What one step of an instance works on, as means: :class:`~outlay.serving.deployment.Work` of a steady state."""

    decoding: Number
    """Sequences that get their next tokens."""
    context: Number
    prefill: Number = 0.0
    """Prompt tokens, of `prompts` prompts that have `past` tokens in the cache."""
    prompts: Number = 1.0
    past: Number = 0.0


_FIELDS = ("decoding", "context", "prefill", "prompts", "past")


class Steps(Protocol):
    """Whoever knows what a step takes. Prompts are spread over data-parallel devices; the fullest one decides."""

    def seconds(self, mixture: Mixture) -> Number: ...

    def watts(self, mixture: Mixture, seconds: Number | None = None) -> Number:
        """Of one device; `seconds` are those of the mixture, where they are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactSteps:
    """Steps by :func:`~outlay.serving.iteration.iteration` itself."""

    deployment: Deployment
    coefficients: ServingCoefficients
    drafted: Number = 0.0
    """Tokens beyond the next one that are verified for each decoding sequence."""
    met: list[tuple[Mixture, Iteration, Any]] = field(default_factory=list, repr=False, compare=False)
    """The last mixtures, with their steps and which row of those is whose: a cycle is timed first, and its power asked for
    afterwards."""

    def seconds(self, mixture: Mixture) -> Number:
        found = self._iteration(mixture)
        self.met[:] = [*self.met[-2:], (mixture, found, ...)]
        return found.seconds

    def watts(self, mixture: Mixture, seconds: Number | None = None) -> Number:
        for met, found, row in self.met:
            if met is mixture:
                return np.asarray(np.broadcast_to(found.device_watts, np.shape(found.seconds))[row])
        return self._iteration(mixture).device_watts

    def together(self, mixtures: tuple[Mixture, ...]) -> tuple[Number, ...]:
        """Seconds of several, asked together: short arrays take no longer than one number."""
        parts = {name: [getattr(each, name) for each in mixtures] for name in _FIELDS}
        degrees = (getattr(self.deployment.layout, name) for name in DEGREES)
        axes = short(*(value for values in parts.values() for value in values), *degrees, times=len(mixtures))
        if axes is None:
            return tuple(self.seconds(each) for each in mixtures)
        found = self._iteration(Mixture(**{name: stacked(values, axes) for name, values in parts.items()}))
        self.met[:] = [(mixture, found, row) for row, mixture in enumerate(mixtures)]
        return tuple(np.asarray(found.seconds))

    def _iteration(self, mixture: Mixture) -> Iteration:
        prefill, prompts = mixture.prefill, mixture.prompts
        if np.ndim(prefill) or prefill != 0:
            prefill, prompts = spread(prefill, prompts, self.deployment.layout.data)
        # Means are not whole; but a trace of a token must not begin another tile of a product.
        work = Work(
            decoding=np.round(mixture.decoding, FRACTIONS),
            context=mixture.context,
            prefill=np.round(prefill, FRACTIONS),
            prompts=np.round(prompts, FRACTIONS),
            past=np.round(mixture.past, FRACTIONS),
            drafted=self.drafted,
            absent=np.round(prefill, FRACTIONS) - np.round(mixture.prefill, FRACTIONS),
        )
        return iteration(self.deployment, work, self.coefficients)


@dataclass(frozen=True, slots=True, kw_only=True)
class TabledSteps:
    """Steps from tables: within 1 or 2 % of the exact ones, at a tenth of their time or less, for many loads."""

    tables: Tables

    @staticmethod
    def of(deployment: Deployment, coefficients: ServingCoefficients, *, drafted: float = 0.0) -> TabledSteps:
        """Tables of a deployment; `perform` takes them for the same deployment and any load."""
        return TabledSteps(tables=tabulate(deployment, coefficients, drafted=drafted))

    def seconds(self, mixture: Mixture) -> Number:
        tables = self.tables
        index = tables.index
        scale = tables.scale.take(index)
        decoding = np.asarray(mixture.decoding / scale, dtype=float)
        tokens = decoding * (1.0 + tables.drafted)
        row = tables.tokens.cell(tokens) + index * len(tables.tokens.widths)
        reading = self.reading(decoding, mixture.context)
        if np.ndim(mixture.prefill) == 0 and mixture.prefill == 0:
            total = tables.alone.line(row, tokens) + reading
            return self._launched(total, row, tokens, decoding, tables.host.take(index))
        prefill, prompts = spread(mixture.prefill, mixture.prompts, tables.data.take(index))
        prefill, prompts = prefill / scale, prompts / scale
        both = tokens + prefill
        there = tokens + mixture.prefill / scale
        total = np.where(tokens > 0, tables.difference.line(row, tokens), tables.fixed) + reading
        total += tables.prompts.line(tables.tokens.cell(both) + index * len(tables.tokens.widths), both)
        if tables.routed is not None:
            total += tables.routed.line(tables.tokens.cell(there) + index * len(tables.tokens.widths), there)
        total += tables.each_prompt * prompts
        each, past = np.asarray(prefill / prompts), np.asarray(mixture.past, dtype=float)
        chunk, before = len(tables.chunk.widths), len(tables.past.widths)
        cell = (tables.chunk.cell(each) + index * chunk) * before + tables.past.cell(past)
        together = tables.together.patch(cell, each, past) + prompts * tables.each.patch(cell, each, past)
        total += np.maximum(tables.least.patch(cell, each, past), together)
        host = np.where(np.equal(mixture.prefill, 0), tables.host.take(index), tables.prompt_host.take(index))
        return self._launched(total, row, tokens, decoding + prompts, host)

    def watts(self, mixture: Mixture, seconds: Number | None = None) -> Number:
        tables = self.tables
        index = tables.index
        scale = tables.scale.take(index)
        decoding = np.asarray(mixture.decoding / scale, dtype=float)
        context = np.asarray(mixture.context, dtype=float)
        alone = tables.decode_watts.patch(self._place(decoding, context), decoding, context)
        if np.ndim(mixture.prefill) == 0 and mixture.prefill == 0:
            return alone
        prefill, _ = spread(mixture.prefill, mixture.prompts, tables.data.take(index))
        tokens = decoding * (1.0 + tables.drafted) + prefill / scale
        row = tables.tokens.cell(tokens) + index * len(tables.tokens.widths)
        # Both kinds of work share the step: prompts decide, but for the time of reading caches.
        share = self.reading(decoding, context) / np.maximum(
            self.seconds(mixture) if seconds is None else seconds, 1e-12
        )
        both = share * alone + (1.0 - share) * tables.prompt_watts.line(row, tokens)
        return np.where(np.equal(mixture.prefill, 0), alone, both)

    def _place(self, decoding: np.ndarray, context: np.ndarray) -> np.ndarray:
        tables = self.tables
        first = tables.sequences.cell(decoding) + tables.index * len(tables.sequences.widths)
        return np.asarray(first * len(tables.context.widths) + tables.context.cell(context))

    def reading(self, decoding: np.ndarray, context: Number) -> np.ndarray:
        """Seconds of attention of decoding sequences, `decoding` on one device of one stage."""
        length = np.asarray(context, dtype=float)
        return self.tables.decode_attention.patch(self._place(decoding, length), decoding, length)

    def _launched(
        self, total: np.ndarray, row: np.ndarray, tokens: np.ndarray, sequences: np.ndarray, host: np.ndarray
    ) -> np.ndarray:
        """With what the host takes longer to launch the kernels of layers, or to schedule the next step, than they run."""
        tables = self.tables
        if host.any():
            total = np.maximum(total, np.where(host > 0, host + tables.ends.line(row, tokens), 0.0))
        fixed, each = tables.beside
        return np.asarray(np.maximum(total, fixed + each * sequences) if fixed else total)


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftedSteps:
    """Steps with what drafting takes: one token after another, each a step of the draft, which sees prompts too."""

    verifying: Steps
    plain: Steps
    """Of the same model, one token a sequence: what a layer that drafts is a share of."""
    draft: Steps | None
    drafted: Number
    share: Number

    def seconds(self, mixture: Mixture) -> Number:
        return self.verifying.seconds(mixture) + sum(seconds for seconds, _ in self._drafting(mixture))

    def watts(self, mixture: Mixture, seconds: Number | None = None) -> Number:
        parts = [(self.verifying.seconds(mixture), self.verifying.watts(mixture)), *self._drafting(mixture)]
        return sum(part * watts for part, watts in parts) / sum(part for part, _ in parts)

    def _drafting(self, mixture: Mixture) -> list[tuple[Number, Number]]:
        """Seconds and watts of each part."""
        times = np.where(np.greater(mixture.decoding, 0), self.drafted, 0.0)
        alone = Mixture(decoding=mixture.decoding, context=mixture.context)
        parts: list[tuple[Number, Number]] = [(times * self.share * self.plain.seconds(alone), self.plain.watts(alone))]
        if self.draft is not None:
            parts.append((times * self.draft.seconds(alone), self.draft.watts(alone)))
            prompts = Mixture(
                decoding=0.0, context=0.0, prefill=mixture.prefill, prompts=mixture.prompts, past=mixture.past
            )
            read = np.where(np.greater(mixture.prefill, 0), 1.0, 0.0)
            parts.append((read * self.draft.seconds(prompts), self.draft.watts(prompts)))
        return parts


def divides(steps: Steps) -> bool:
    """Whether some of the loads can be asked for by themselves."""
    return isinstance(steps, TabledSteps)


def some_steps(steps: Steps, shape: tuple[int, ...], places: Any) -> Steps:
    """Steps of some of the loads, in one row, of an array of such a `shape`."""
    assert isinstance(steps, TabledSteps)
    index = np.broadcast_to(steps.tables.index, shape).reshape(-1)[places]
    return TabledSteps(tables=replace(steps.tables, index=index))


def asked_together(steps: Steps, *mixtures: Mixture) -> tuple[Number, ...]:
    """Seconds of several steps."""
    if isinstance(steps, ExactSteps):
        return steps.together(mixtures)
    return tuple(steps.seconds(mixture) for mixture in mixtures)


def knows(steps: Steps, mixture: Mixture) -> bool:
    """Whether the power of a mixture is known because it was timed just now."""
    return isinstance(steps, ExactSteps) and any(met is mixture for met, _, _ in steps.met)


def spread(prefill: Number, prompts: Number, data: Number) -> tuple[Number, Number]:
    """Prompts and their tokens as if every data-parallel device had as much as the fullest one, as attention takes them.

    >>> [float(part) for part in spread(1000, 1, 8)]  # one prompt keeps one of eight devices busy, as eight would
    [8000.0, 8.0]
    """
    more = np.maximum(1.0, data / np.maximum(prompts, 1e-9))
    return prefill * more, prompts * more


def timed(
    deployment: Deployment,
    coefficients: ServingCoefficients,
    speculation: Speculation | None = None,
    *,
    tabled: bool = False,
) -> Steps:
    """Who times the steps of a deployment, drafting included; from tables where `tabled`."""

    def steps(of: Deployment, drafted: Number) -> Steps:
        if tabled:
            return TabledSteps.of(of, coefficients, drafted=float(drafted))
        return ExactSteps(deployment=of, coefficients=coefficients, drafted=drafted)

    if speculation is None:
        return steps(deployment, 0.0)
    return DraftedSteps(
        verifying=steps(deployment, speculation.drafted),
        plain=steps(deployment, 0.0),
        draft=None if speculation.draft is None else steps(speculation.draft, 0.0),
        drafted=speculation.drafted,
        share=speculation.draft_share,
    )
