r"""What a run takes beside its steps: failures, restarts, repeated work, checkpoints, evaluation, warm-up.

A job of `n` devices fails every `M` seconds on average [1]_; each failure costs a restart of `R` seconds and the work since
the last checkpoint. Writing a checkpoint stops the run for `C` seconds, so checkpoints are best written every

.. math:: \tau = \sqrt{2 C M}

seconds of work (Young [2]_, Daly [3]_). A stretch of work and checkpoint, `s = τ + C`, that failures interrupt at the rate
`1/M` takes `M (e^{s/M} - 1)` seconds and `e^{s/M} - 1` restarts until it is done once [3]_.

.. [1] The rows `job_mttf` of the catalog's failures: measured jobs of 8 to 16,384 devices.
.. [2] J. W. Young, "A First Order Approximation to the Optimum Checkpoint Interval", CACM 17(9), 1974.
.. [3] J. T. Daly, "A higher order estimate of the optimum checkpoint interval for restart dumps", FGCS 22(3), 2006.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, fields, replace

import numpy as np

from outlay import catalog
from outlay.errors import InputError
from outlay.statement import Receipt
from outlay.workload import Number

CASES = ("low", "likely", "high")
"""Of what is lost: a run where all goes well, the likely one, and one where little does."""


NINE_IN_TEN = 1.2815515655446004
"""Standard deviations below which nine in ten of a normal distribution lie; `statistics` takes long to import."""
CAUSES_LOST = ("restarts", "lost_work", "checkpoints", "evaluation", "warm_up")
"""What takes time beside steps, in the order of a statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """How a run is operated; one of :data:`CASES`."""

    failure_scale: float
    """Hours between failures of a job of one device, by the fitted power law."""
    failure_power: float
    """Exponent with which they fall with the number of devices."""
    restart_seconds: float
    """From a failure until steps are taken again."""
    storage_bandwidth: float
    """Bytes a second that one device writes of a checkpoint, while nothing else goes on."""
    start_seconds: float
    """From the start of the job until its first step."""
    evaluation: float
    """Time of evaluation over time of steps."""
    ramp: float
    """Time that a smaller first batch costs, over time of steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """Seconds that a run takes beside its steps, by cause; arrays if the question was one."""

    restarts: Number
    lost_work: Number
    checkpoints: Number
    evaluation: Number
    warm_up: Number
    useful: Number
    """Seconds of steps that count."""
    interval: Number
    """Seconds of work between two checkpoints."""
    failures: Number
    """How often the run is interrupted."""

    @property
    def by_cause(self) -> dict[str, Number]:
        """Seconds under the names of :data:`CAUSES_LOST`."""
        return {cause: getattr(self, cause) for cause in CAUSES_LOST}

    @property
    def seconds(self) -> Number:
        """All that is lost."""
        return self.restarts + self.lost_work + self.checkpoints + self.evaluation + self.warm_up

    @property
    def goodput(self) -> Number:
        """Share of wall time in which steps are taken that count."""
        return self.useful / (self.useful + self.seconds)


def hours_between_failures(devices: Number, practice: Practice) -> Number:
    """Mean hours between failures of a job on `devices`: a power law through the published jobs.

    One rate a node does not fit them: 1,024 devices fail 3.6 times as often as the rate of a whole cluster says
    (A. Kokolis et al., arXiv:2410.21680).

    >>> round(float(hours_between_failures(16384, practices()["likely"])), 1)
    1.7
    """
    return practice.failure_scale * np.power(np.maximum(devices, 1), -practice.failure_power)


def best_interval(checkpoint_seconds: Number, seconds_between_failures: Number) -> Number:
    """Seconds of work between two checkpoints that lose the least, `√(2 C M)`.

    >>> best_interval(10.0, 18_000.0)
    600.0
    """
    best = np.sqrt(2.0 * np.asarray(checkpoint_seconds) * seconds_between_failures)
    return float(best) if np.ndim(best) == 0 else best


def losses(
    useful_seconds: Number,
    *,
    devices: Number,
    state_bytes: Number,
    practice: Practice,
    interval: Number | None = None,
    held: Number = math.inf,
) -> Losses:
    """What `useful_seconds` of steps on `devices` lose, with a state of `state_bytes` to save.

    `interval` is seconds of work between checkpoints; None takes the best. A run saves at least once, at its end. `held` are
    the hours after which the machines are taken away, where they are spot machines; waiting for others is not counted here.

    >>> lost = losses(2.6e6, devices=1024, state_bytes=1e12, practice=practices()["likely"])
    >>> round(float(lost.goodput), 3), round(float(lost.interval))
    (0.967, 1015)
    """
    if np.any(np.less_equal(useful_seconds, 0)) or np.any(np.less(devices, 1)):
        raise InputError("a run takes some time on some devices", hint="give positive seconds and devices")
    between = 3600.0 / (1.0 / hours_between_failures(devices, practice) + 1.0 / np.asarray(held, dtype=np.float64))
    write = state_bytes / (practice.storage_bandwidth * devices)
    evaluation, ramp = practice.evaluation * useful_seconds, practice.ramp * useful_seconds
    work = useful_seconds + evaluation + ramp
    apart = np.clip(best_interval(write, between) if interval is None else interval, 1.0, work)
    stretches = work / apart
    # Beyond this a run never ends; the bound keeps its seconds a finite number.
    repeats = np.expm1(np.minimum((apart + write) / between, 100.0))
    lost = stretches * (between * repeats - (apart + write)) if np.all(np.isfinite(between)) else 0.0 * work
    return Losses(
        restarts=stretches * repeats * practice.restart_seconds,
        lost_work=np.maximum(lost, 0.0),
        checkpoints=stretches * write,
        evaluation=evaluation,
        warm_up=ramp + practice.start_seconds,
        useful=useful_seconds,
        interval=apart,
        failures=stretches * repeats,
    )


@functools.lru_cache(maxsize=256)
def ranges(
    useful_seconds: float, *, devices: int, state_bytes: float, held: tuple[float, float, float] = (math.inf,) * 3
) -> dict[str, tuple[float, float, float]]:
    """Seconds lost by cause: low, likely, high.

    Low and high are the best and the worst that one of the practices at a time makes of the likely run: that jobs fail
    often, restart slowly and write slowly all at once is rarer than 80 % ranges are meant to hold. `held` are the hours for
    which spot machines are held at a time, the longest first.

    >>> low, likely, high = ranges(2.6e6, devices=16384, state_bytes=5.7e12)["restarts"]
    >>> low < likely < high
    True
    """
    usual = practices()["likely"]
    longest, likely, shortest = held
    tried = [(usual, likely)]
    for case, hours in (("low", longest), ("high", shortest)):
        other = practices()[case]
        tried += [(replace(usual, **{field.name: getattr(other, field.name)}), likely) for field in fields(Practice)]
        tried.append((usual, hours))
    found = [
        losses(useful_seconds, devices=devices, state_bytes=state_bytes, practice=practice, held=hours).by_cause
        for practice, hours in tried
    ]
    return {
        cause: (
            min(float(one[cause]) for one in found),
            float(found[0][cause]),
            max(float(one[cause]) for one in found),
        )
        for cause in CAUSES_LOST
    }


@functools.cache
def practices() -> dict[str, Practice]:
    """The three cases, from the catalog's published jobs.

    Times between failures are fitted in logarithms; low and high are 80 % of the scatter about the line.
    """
    scale, power, scatter = _fitted()
    wide = math.exp(NINE_IN_TEN * scatter)
    return {
        case: Practice(
            failure_scale=scale * {"low": wide, "likely": 1.0, "high": 1.0 / wide}[case],
            failure_power=power,
            restart_seconds=_fact("restart", case),
            storage_bandwidth=_fact("storage_bandwidth", case),
            start_seconds=_fact("start", case),
            evaluation=_fact("evaluation", case),
            ramp=_fact("ramp", case),
        )
        for case in CASES
    }


def receipts() -> dict[str, Receipt]:
    """Where the likely practice comes from: `jobs` whose failures were counted, then each other fact by its name."""
    jobs = [row for row in catalog.failures("job_mttf") if row.receipt.basis == "measured"]
    largest = max(jobs, key=lambda row: row.devices or 0)
    facts = {row.metric: row.receipt for row in catalog.failures("operation") if row.scale == "likely"}
    return {"jobs": largest.receipt, **facts}


def _fact(metric: str, case: str) -> float:
    value = next(row.value for row in catalog.failures("operation", metric) if row.scale == case)
    if value is None:
        raise InputError(
            f"`{metric}` of the catalog's failures has no number", hint="give it one, or drop the override"
        )
    return value


def _fitted() -> tuple[float, float, float]:
    """Hours of one device, exponent, and the scatter of the logarithm, by least squares over `job_mttf`."""
    jobs = [(row.devices, row.value) for row in catalog.failures("job_mttf") if row.devices and row.value]
    size = np.log([devices for devices, _ in jobs])
    hours = np.log([value for _, value in jobs])
    slope, level = np.polyfit(size, hours, 1)
    scatter = math.sqrt(float(np.sum((hours - level - slope * size) ** 2)) / max(len(jobs) - 2, 1))
    return math.exp(level), float(-slope), scatter
