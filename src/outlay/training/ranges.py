"""How sure a prediction is: split conformal ranges from measured rows that the fit had not seen.

A row's score is ln(measured / predicted) of its time, or of its memory, divided by a scale that grows with each reason
for doubt (:func:`doubts`). The quantiles of the scores, every source of rows counting about alike, are stored in the
catalog's `ranges.json`, which ``make fit`` writes; here they are only read, so that an answer starts fast. Low and high
are two quantiles, so a range is as lopsided as the errors were.

A run of tomorrow comes from another source, so sources are the draws, and there are few: the quantiles lie further out
than the level says, by as much as ranges needed to hold on sources that they were not made from (`trimmed`). After
J. Lei et al., "Distribution-Free Predictive Inference for Regression", 2018, and for groups of rows R. Dunn,
L. Wasserman and A. Ramdas, "Distribution-Free Prediction Sets for Two-Layer Hierarchical Models", 2022.
"""

from __future__ import annotations

import bisect
import functools
import importlib.resources
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from outlay.errors import InputError
from outlay.machine import Cluster
from outlay.machine.gemm_curve import gemm_curve
from outlay.training.coefficients import stored_tuning
from outlay.training.production import load_production
from outlay.workload import parameters

if TYPE_CHECKING:
    from outlay.training.recipe import Recipe

LEVEL = 0.8
"""Share of runs that a range is to hold, unless another is asked for."""

DOUBTS = ("kernels", "software", "host", "small", "layout", "tuning", "experts")
"""Reasons for a wider range, each a factor on the scale."""

SMALL = 1e9
"""Parameters below which a model is small."""

GENERIC = ("other", "pytorch")
"""Families of software that say which library runs and not which training loop."""


def doubts(recipe: Recipe, cluster: Cluster, *, searched: bool = False, tuning: bool = False) -> tuple[str, ...]:
    """The reasons to doubt a prediction, in the order of :data:`DOUBTS`.

    `kernels`: none were measured on the chip, only on its relatives or on none; `software`: no known training loop;
    `host`: Python launches many small kernels, and may set the pace; `small`: below a billion parameters, so it may too;
    `layout`: it is not said how the model was divided (`searched`); `tuning`: a trained model is trained on (`tuning`);
    `experts`: the model has some.
    """
    reasons = (
        gemm_curve(cluster.accelerator, "bf16", None).basis != "fitted",
        recipe.software.family in GENERIC,
        recipe.software.host == "python",
        parameters(recipe.architecture).total < SMALL,
        searched,
        tuning,
        recipe.architecture.is_moe,
    )
    return tuple(name for name, holds in zip(DOUBTS, reasons, strict=True) if holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How far measured runs lay from their predictions."""

    base: float
    """ln of the scale without any doubt."""
    doubts: Mapping[str, float]
    """What a doubt adds to it; what is not listed adds nothing."""
    scores: Sequence[float]
    """Quantiles of the scores at even shares from 0 to 1."""
    trimmed: float
    """Share of the runs that may lie outside by the level and yet are kept inside, against a range that is too narrow."""
    lower: float = 0.5
    """Of the runs outside, the share below the range."""

    def factors(self, reasons: Collection[str], level: float = LEVEL) -> tuple[float, float]:
        """Low and high over predicted: at most 1 and at least 1.

        >>> even = [step / 10 - 1 for step in range(21)]
        >>> spread = Spread(base=0.0, doubts={"layout": math.log(2)}, scores=even, trimmed=0.0)
        >>> [round(math.log(factor), 9) for factor in spread.factors([], 0.8)]
        [-0.8, 0.8]
        >>> [round(math.log(factor), 9) for factor in spread.factors(["layout", "unheard of"], 0.8)]
        [-1.6, 1.6]
        """
        if not 0 < level < 1:
            raise ValueError(f"a level lies between 0 and 1, not {level}")
        scale = math.exp(self.base + sum(self.doubts.get(name, 0.0) for name in reasons))
        outside = (1 - level) * (1 - self.trimmed)
        low, high = self._score(outside * self.lower), self._score(1 - outside * (1 - self.lower))
        return math.exp(min(low * scale, 0.0)), math.exp(max(high * scale, 0.0))

    def share_below(self, factor: float, reasons: Collection[str]) -> float:
        """The share of runs of which measured over predicted is at most `factor`.

        >>> even = [step / 10 - 1 for step in range(21)]
        >>> round(Spread(base=0.0, doubts={}, scores=even, trimmed=0.0).share_below(math.exp(0.5), []), 9)
        0.75
        """
        score = math.log(factor) / math.exp(self.base + sum(self.doubts.get(name, 0.0) for name in reasons))
        steps = len(self.scores) - 1
        if score < self.scores[0]:
            return 0.0
        index = bisect.bisect_right(self.scores, score) - 1
        if index >= steps:
            return 1.0
        return (index + (score - self.scores[index]) / (self.scores[index + 1] - self.scores[index])) / steps

    def _score(self, share: float) -> float:
        """The quantile, linear between the stored ones."""
        place = share * (len(self.scores) - 1)
        index = min(int(place), len(self.scores) - 2)
        return self.scores[index] + (self.scores[index + 1] - self.scores[index]) * (place - index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranges:
    """Spreads of step times and of peak memory."""

    time: Spread
    memory: Spread


@functools.cache
def load_ranges() -> Ranges:
    """The ranges that the catalog ships."""
    content = stored()
    return Ranges(**{name: spread_of(content[name]) for name in ("time", "memory")})


@functools.cache
def load_tuning_ranges() -> Ranges:
    """Those of runs that tune a trained model, from tuning runs alone."""
    content = stored_tuning()
    return Ranges(**{name: spread_of(content[name]) for name in ("time", "memory")})


def stored() -> Any:
    """The catalog's file as it stands: spreads, rows, sources and the coverage that was measured."""
    resource = importlib.resources.files("outlay.catalog") / "coefficients" / "ranges.json"
    return json.loads(resource.read_text(encoding="utf-8"))


def spread_of(entry: Mapping[str, Any]) -> Spread:
    """A spread from plain data; other keys are ignored."""
    return Spread(**{name: entry[name] for name in Spread.__dataclass_fields__ if name in entry})


def likelihood(share: float) -> str:
    """How likely something of this share fits, in words.

    >>> likelihood(0.97), likelihood(0.7), likelihood(0.5), likelihood(0.3)
    ('very likely fits', 'probably fits', 'may or may not fit', 'probably does not fit')
    """
    words = ((0.95, "very likely fits"), (0.8, "likely fits"), (0.6, "probably fits"), (0.4, "may or may not fit"))
    return next((word for least, word in words if share >= least), "probably does not fit")


def parse_level(text: str | float | None, *, since: str = "") -> float:
    """A level from percent: 80, `"95"`, `"95%"`; None is the usual one. `since` says why none is higher.

    >>> parse_level("95%"), parse_level(None)
    (0.95, 0.8)

    :raises InputError: if it is not a number of percent from 1 to :func:`most_level`.
    """
    if text is None:
        return LEVEL
    try:
        percent = float(str(text).strip().removesuffix("%"))
    except ValueError:
        percent = math.nan
    runs, most = len(load_production().unseen), math.floor(most_level() * 100)
    if not 1 <= percent <= most:
        many = 1 <= percent < 100
        why = f", since {since or f'{runs} whole runs were measured, too few to tell more'}" if many else ""
        raise InputError(
            f"`--interval` is {text}",
            expected=f"percent, from 1 to {most}{why}",
            hint=f"write `--interval 80` or `--interval {most}`",
        )
    return percent / 100


def most_level() -> float:
    """The highest level that the whole runs can support: beyond it both ends would be the outermost runs, whatever is asked.

    >>> most_level() == 1 - 2 / (len(load_production().unseen) + 1)
    True
    """
    return 1.0 - 2.0 / (len(load_production().unseen) + 1)


def percent(level: float) -> str:
    """A level in words: 0.8 → `80 %`.

    >>> percent(0.8), percent(0.999)
    ('80 %', '99.9 %')
    """
    return f"{level * 100:.4g} %"
