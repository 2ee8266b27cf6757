"""The whole run from one step: how long, how many device-hours, how much energy, how much carbon."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

from outlay import catalog, economics
from outlay.machine import power_watts
from outlay.scenarios.terms import Terms
from outlay.scenarios.training.fitting import Fitted
from outlay.scenarios.training.losses import Loss, expected
from outlay.scenarios.training.question import Question
from outlay.statement import Assumption, Interval, Receipt
from outlay.training import Estimate
from outlay.training.production import LEVEL
from outlay.training.spot import Held, held

_YEAR = 365.25 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a training takes: its question, the layout it is done in, and the terms it is done on."""

    question: Question
    fitted: Fitted
    terms: Terms
    fitted_on: tuple[Receipt, ...]
    """Where the coefficients of the step come from."""
    assumed: tuple[Assumption, ...] = ()
    """Everything that was taken because nobody said."""
    relative: Interval = field(default_factory=lambda: Interval.of(1.0))
    """Seconds of a step over those predicted: the range that holds a share `level` of runs."""
    level: float | None = None

    @property
    def estimate(self) -> Estimate:
        return self.fitted.chosen.estimate

    @cached_property
    def step_seconds(self) -> float:
        return float(self.estimate.step_seconds)

    @cached_property
    def steps(self) -> int:
        """Whole optimizer steps; the last one may be a part of a batch."""
        return max(1, math.ceil(self.question.tokens / float(self.question.recipe.tokens) - 1e-9))

    @cached_property
    def useful_seconds(self) -> float:
        """Seconds of steps that count."""
        return self.steps * self.step_seconds

    @cached_property
    def seconds(self) -> float:
        """Seconds from start to end, with what is lost."""
        return self.useful_seconds + sum(loss.seconds.likely for loss in self.losses)

    @cached_property
    def device_hours(self) -> Interval:
        """Of the steps alone."""
        return self.hours(self.relative * self.useful_seconds)

    @cached_property
    def duration(self) -> Interval:
        """Seconds from start to end, over the ranges of the steps and of what is lost: both at their worst together."""
        return sum((loss.seconds for loss in self.losses), self.relative * self.useful_seconds)

    @cached_property
    def losses(self) -> tuple[Loss, ...]:
        """What is lost beside the steps: by cause; what failures take as the user says, where they do."""
        lost, receipt = self.terms.lost, self.terms.lost_receipt
        return expected(
            self.useful_seconds,
            self.question,
            self.checkpoint_bytes,
            relative=self.relative,
            level=self.level or LEVEL,
            lost=None if lost is None or receipt is None else (lost, receipt),
            spot=self.spot,
        )

    @property
    def spot(self) -> Held | None:
        """How the machines come and go, where they are spot machines."""
        if self.terms.tier != "spot":
            return None
        listing = self.terms.choice
        return held("" if listing is None else listing.price.instance)

    @cached_property
    def busy(self) -> Interval:
        """Seconds in which machines are held: all but those of waiting for them."""
        return sum((loss.seconds for loss in self.losses if loss.paid), self.relative * self.useful_seconds)

    def hours(self, seconds: Interval) -> Interval:
        """Device-hours of seconds on all devices."""
        return seconds * (self.question.devices / 3600.0)

    @cached_property
    def host_watts(self) -> float:
        """A device's share of what its server draws beside the devices."""
        return self.question.server.host_watts / self.question.server.devices

    @cached_property
    def watts(self) -> float:
        """Of one device and its share of the server, averaged over those that work and those that are idle."""
        question = self.question
        idle = question.idle * float(power_watts(question.accelerator, {}))
        return (float(self.estimate.device_watts) * question.working + idle) / question.devices + self.host_watts

    @cached_property
    def kilowatt_hours(self) -> Interval:
        """At the meter of the building, over the ranges of the time and of the building's overhead."""
        joules = self.watts * self.question.devices * self.busy.likely
        likely = float(economics.energy(joules, self.terms.pue.likely))
        return _relative(self.busy) * likely * _relative(self.terms.pue)

    @cached_property
    def operational(self) -> Interval:
        """kg CO₂e of the electricity; the grid's own figure is taken as it stands."""
        return self.kilowatt_hours * float(economics.carbon(1.0, self.terms.grid.intensity))

    def _over_time(self, likely: float) -> Interval:
        """A figure that is proportional to the time, with the range of that."""
        return _relative(self.duration) * likely

    @cached_property
    def life(self) -> catalog.Factor:
        return catalog.factor("device-life", "datacenter")

    @cached_property
    def use(self) -> catalog.Factor:
        return catalog.factor("utilisation", "datacenter")

    @cached_property
    def making(self) -> catalog.Factor:
        """kg CO₂e of making one device."""
        return catalog.embodied_carbon(self.question.accelerator)

    @cached_property
    def embodied(self) -> Interval:
        """kg CO₂e: the share of the devices' making that the run wears off.

        The published figures of the making and the run's time are both at their low end, or both at their high end.
        """
        worn = self.busy.likely * self.question.devices
        low, likely, high = (
            float(economics.embodied_carbon(worn, mass, self.life.likely * _YEAR, self.use.likely))
            for mass in (self.making.low, self.making.likely, self.making.high)
        )
        return Interval.between(low, likely, high) * _relative(self.busy)

    @cached_property
    def checkpoint_bytes(self) -> float:
        """Of one checkpoint: weights, their fp32 copy and the optimizer's state."""
        recipe, question = self.question.recipe, self.question
        each = recipe.trained_bytes + recipe.master_bytes + recipe.moment_bytes
        return (question.parameters if question.trained is None else question.trained) * each

    @cached_property
    def data_terabyte_months(self) -> Interval:
        """TB·months of the training data, kept from start to end."""
        return self._over_time(float(economics.terabyte_months(self.terms.data or 0.0, self.seconds)))

    @cached_property
    def stored_terabyte_months(self) -> Interval:
        """The checkpoints are written evenly over the run, so each is kept for half of it on average."""
        kept = self.terms.checkpoints * self.checkpoint_bytes
        return self._over_time(float(economics.terabyte_months(kept / 2.0, self.seconds)))

    @cached_property
    def peak(self) -> float:
        """Dense FLOP/s of a device in the recipe's type."""
        return self.question.accelerator.peak(self.question.recipe.compute_type)

    @cached_property
    def utilisation(self) -> float:
        """Model FLOP utilisation of a step."""
        return float(self.estimate.flops_per_device) / self.peak


def _relative(value: Interval) -> Interval:
    """A range over its likely figure.

    >>> _relative(Interval.between(1, 2, 4))
    Interval(low=0.5, likely=1.0, high=2.0)
    """
    if value.low is None or value.high is None:
        return Interval.of(1.0)
    if not value.likely:
        return Interval.exact(1.0)
    return Interval.between(value.low / value.likely, 1.0, value.high / value.likely)
