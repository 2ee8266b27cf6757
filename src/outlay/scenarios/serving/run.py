"""A month of serving: device-hours by what they are spent on, energy, carbon, and what a request and a token cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from outlay import catalog, economics
from outlay.machine import power_watts, wall_watts
from outlay.scenarios.serving.playing import Waits
from outlay.scenarios.serving.question import ServingQuestion
from outlay.scenarios.serving.ways import Served
from outlay.scenarios.terms import Terms
from outlay.serving import Iteration, Performance, ServingCoefficients, Work, iteration
from outlay.statement import Assumption, Interval, Receipt

HOURS = economics.HOURS_PER_MONTH
SECONDS = HOURS * 3600.0
_YEAR = 365.25 * 86_400.0
_NOTICED = 1e-3
"""Share of idle time below which none is spoken of."""


@dataclass(frozen=True, kw_only=True)
class ServingRun:
    """A deployment that serves for a month: its question, how it is served, and the terms."""

    question: ServingQuestion
    served: Served
    terms: Terms
    """Of the devices that answer."""
    prompt_terms: Terms | None = None
    """Of those that compute prompts, where they are others."""
    coefficients: ServingCoefficients
    waits: Waits | None = None
    """Of single requests in the busiest hour, where they come at a rate."""
    fitted_on: tuple[Receipt, ...] = ()
    assumed: tuple[Assumption, ...] = ()
    relative: Mapping[str, Interval] = field(default_factory=dict)
    """Seconds (or joules) over those predicted, by kind of figure: the range that holds a share `level` of deployments."""
    level: float | None = None

    @cached_property
    def requests(self) -> float:
        """Of a month."""
        return self.served.requests_per_second * SECONDS

    @property
    def input_tokens(self) -> float:
        """Prompt tokens of a month, those that the cache holds included."""
        return self.requests * self.question.demand.input

    @property
    def output_tokens(self) -> float:
        """Answered tokens of a month."""
        return self.requests * self.question.demand.output

    @cached_property
    def device_hours(self) -> float:
        """Of a month: all devices, at work or not."""
        return self.question.all_devices * HOURS

    @property
    def pools(self) -> tuple[tuple[ServingQuestion, Terms], ...]:
        """Devices and their terms: those that compute prompts, where they are others, then those that answer."""
        terms = (self.terms,) if self.prompt_terms is None else (self.prompt_terms, self.terms)
        return tuple(zip(self.question.pools, terms, strict=True))

    @property
    def front_end(self) -> float:
        """Of the seconds to a first token, those before the engine has the request."""
        prompt = self.question.demand.load(self.served.working).input
        engine, prefill = self.served.deployment.engine, self.served.prefill
        if prefill is None:
            return float(self.coefficients.step.front_of(engine, prompt))
        return float(self.coefficients.step.front_of_pools(prefill.engine, engine, prompt))

    @cached_property
    def prompt(self) -> Iteration:
        """One prompt by itself, in as many steps as the engine takes for it."""
        deployment = self.served.prefill or self.served.deployment
        load = self.question.demand.load(self.served.working)
        computed = float(load.computed)
        steps = math.ceil(computed / float(deployment.engine.chunk_tokens))
        each = computed / steps
        past = float(load.input) - computed + (computed - each) / 2.0
        step = iteration(deployment, Work(prefill=each, prompts=1.0, past=past), self.coefficients)
        stages = 1 if deployment.engine.sequential_layers else int(deployment.layout.pipeline)
        if stages == 1:
            parts = {name: seconds * steps for name, seconds in step.breakdown.items()}
            return replace(step, seconds=step.seconds * steps, breakdown=parts)
        # It passes the stages of a pipeline one after another; a step alone has a share of it in each.
        read = iteration(deployment, Work(prefill=1.0, prompts=1.0), self.coefficients)
        parts = {
            name: seconds * steps + max(float(seconds - read.breakdown[name]), 0.0) * (stages - 1)
            for name, seconds in step.breakdown.items()
        }
        return replace(step, seconds=sum(parts.values()), breakdown=parts)

    @cached_property
    def decoding(self) -> Iteration:
        """One step of the sequences that decode together in the busiest hour, drafted tokens with it."""
        return self._decoding(self.served.busiest)

    def _decoding(self, fares: Performance) -> Iteration:
        load = self.question.demand.load(self.served.working)
        together = max(float(fares.decoding), 1.0)
        drafted = 0.0 if self.question.draft is None else float(self.question.draft.drafted)
        work = Work(decoding=together, context=float(load.context), drafted=drafted)
        return iteration(self.served.deployment, work, self.coefficients)

    @cached_property
    def answer_seconds(self) -> float:
        """Device time of the tokens of one answer after its first, which comes with its prompt, on average over the day."""
        further = max(self.question.demand.output - 1.0, 0.0)
        mean = self.served.mean
        together = max(float(mean.decoding), 1.0)
        speculation = self.question.speculation(self.served.deployment)
        if speculation is None:
            return float(self._decoding(mean).seconds) * further / together
        # Drafting is in the seconds between tokens, not in the step that verifies them.
        return min(float(mean.tpot), float(self.served.most.tpot)) * further / together

    @cached_property
    def shares(self) -> dict[str, float]:
        """Of the paid device time: prompts, answers, and waiting for requests. They sum to 1.

        Devices that do one of the two do it all day, whether requests come or not.
        """
        if self.question.prefill is not None:
            first = self.question.prefill.devices / self.question.all_devices
            return {"input": first, "output": 1.0 - first, "idle": 0.0}
        served, prompt, answer = self.served, float(self.prompt.seconds), self.answer_seconds
        whole = served.replicas * int(served.deployment.devices) / self.question.devices
        busy = float(served.mean.busy) * served.working / served.replicas * whole
        busy = 1.0 if served.overrun or busy > 1.0 - _NOTICED else busy
        return {
            "input": busy * prompt / (prompt + answer),
            "output": busy * answer / (prompt + answer),
            "idle": 1.0 - busy,
        }

    @cached_property
    def input_share(self) -> float:
        """Of what is paid, that of prompts; idle time is shared out as the work is."""
        first, last = self.shares["input"], self.shares["output"]
        if self.prompt_terms is not None and self.prompt_terms.price is not None and self.terms.price is not None:
            first, last = first * self.prompt_terms.price.likely, last * self.terms.price.likely
        return first / (first + last) if first + last else self.shares["input"]

    @cached_property
    def host_watts(self) -> float:
        """A device's share of what its server draws beside the devices, on average."""
        whole = sum(pool.server.host_watts / pool.server.devices * pool.devices for pool in self.question.pools)
        return whole / self.question.all_devices

    @cached_property
    def device_watts(self) -> float:
        """Mean of all devices over the day, idle ones included."""
        served, count = self.served, self.question.all_devices
        working = count - served.idle
        if served.prefill is None:
            working = served.working * int(served.deployment.devices)
        idle = float(power_watts(self.question.accelerator, {}))
        return (float(served.mean.device_watts) * working + idle * (count - working)) / count

    @property
    def machine(self) -> catalog.Server | None:
        """The machine that stands by itself; None where devices stand in racks."""
        server = self.question.server
        return server if server.idle_watts is not None and self.question.prefill is None else None

    @cached_property
    def busy(self) -> float:
        """Share of the time that devices work, of all of them."""
        working = self.served.working * int(self.served.deployment.devices)
        return min(float(self.served.mean.busy), 1.0) * working / self.question.all_devices

    @cached_property
    def watts(self) -> float:
        """Of everything, at the sockets of the servers."""
        count = self.question.all_devices
        if self.machine is None:
            return (self.device_watts + self.host_watts) * count
        return float(wall_watts(self.question.accelerator, self.machine, self.device_watts, self.busy)) * count

    @cached_property
    def work_watts(self) -> float:
        """Of one device with its share of the server while it works."""
        chip, server = self.question.accelerator, self.question.server
        seconds = float(self.prompt.seconds), self.answer_seconds
        joules = seconds[0] * self.prompt.device_watts + seconds[1] * self._decoding(self.served.mean).device_watts
        return float(wall_watts(chip, server, joules / max(sum(seconds), 1e-12), 1.0))

    @cached_property
    def kilowatt_hours(self) -> Interval:
        """Of a month, at the meter of the building."""
        pue = self.terms.pue
        likely = float(economics.energy(self.watts * SECONDS, pue.likely))
        if pue.low is None or pue.high is None:
            return self.ranged("energy", likely)
        building = Interval.between(pue.low / pue.likely, 1.0, pue.high / pue.likely)
        return building * self.ranged("energy", likely)

    @cached_property
    def operational(self) -> Interval:
        """kg CO₂e of a month's electricity."""
        return self.kilowatt_hours * float(economics.carbon(1.0, self.terms.grid.intensity))

    @cached_property
    def making(self) -> catalog.Factor:
        """kg CO₂e of making one device."""
        return catalog.embodied_carbon(self.question.accelerator)

    @cached_property
    def life(self) -> catalog.Factor:
        return catalog.factor("device-life", "datacenter")

    @cached_property
    def embodied(self) -> Interval:
        """kg CO₂e: the month's share of the devices' making, over all of their life."""
        whole = Interval.exact(0.0)
        for pool in self.question.pools:
            making = catalog.embodied_carbon(pool.accelerator)
            low, likely, high = (
                float(economics.embodied_carbon(pool.devices * SECONDS, mass, self.life.likely * _YEAR))
                for mass in (making.low, making.likely, making.high)
            )
            whole = whole + Interval.between(low, likely, high)
        return whole

    def ranged(self, kind: str, likely: float) -> Interval:
        """A figure that goes as the time (or the energy) of a kind of figure, with the range of that."""
        relative = self.relative.get(kind)
        return Interval.of(likely) if relative is None else relative * likely
