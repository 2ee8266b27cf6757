"""What a serving plan is wanted for: the load and its day, the latencies, the machines, formats and engines to look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from outlay import catalog, units
from outlay.catalog import Accelerator, Grid
from outlay.errors import InputError, UnknownName
from outlay.scenarios.beside import amortised
from outlay.scenarios.inventory import names_in
from outlay.scenarios.named import check_texts, read_model
from outlay.scenarios.problems import Problems
from outlay.scenarios.serving.demand import Demand, read_demand
from outlay.scenarios.serving.published import published_for
from outlay.scenarios.serving.runs_on import caches, refuses
from outlay.scenarios.serving.software import (
    cache_of,
    engine_named,
    engine_of,
    read_sequences,
    told,
    usual_engine,
)
from outlay.scenarios.serving_plan.day import Day, read_day
from outlay.scenarios.serving_plan.formats import ANY, left_out, read_formats
from outlay.scenarios.serving_plan.offers import Money, unsold
from outlay.scenarios.training_plan.question import Wanted, ask_plan, read_counts
from outlay.serving import Engine, Format, Load
from outlay.serving.engines import engine_on
from outlay.serving.objectives import FULL, Objectives
from outlay.statement import Assumption, Receipt
from outlay.units import with_article
from outlay.workload import Architecture

MODES = ("aggregated", "disaggregated")
"""Prompts and decoding on the same instances, or each on its own."""
_TEXTS = ("day", "goal", "on", "have", "without", "provider", "tier", "engine", "mode", "quant", "kv", "grid")
_SAID = 3
"""Accelerators that an error names."""
ENGINES = ("vllm", "sglang", "trtllm", "llamacpp")
"""Those that are looked at by `--engine any`, and that `--export` starts."""
_START_UP = 300.0
_REQUESTS = (*("input", "output", "rate", "concurrency", "users", "requests_per_user", "peak", "prefix_hit", "turns"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingWanted:
    """One serving, to be asked of many machines."""

    asked: Mapping[str, Any]
    """The parameters of :func:`~outlay.scenarios.serving_plan.plan.plan_serving`."""
    architecture: Architecture
    receipt: Receipt
    demand: Demand
    day: Day | None
    objectives: Objectives
    """Of the mean request; with `tail`, necessary and not enough."""
    tail: bool
    """99 of 100 requests keep them."""
    wanted: Wanted
    least: int
    """Accelerators that a plan has at least."""
    formats: tuple[Format, ...] | None
    """None is any."""
    published: str
    barred: tuple[str, ...]
    """Formats that are too much worse, by what is published of them."""
    cache: str
    engines: tuple[Engine, ...] | None
    """None is the usual one of each accelerator."""
    most_sequences: int | None
    """Requests that run together in an instance at most; None is what each engine allows."""
    modes: tuple[str, ...]
    one_machine: bool
    """An instance stays within one machine."""
    money: Money
    pue: float | None
    """None is that of each seller."""
    grid: Grid
    electricity: float
    """Dollars of a kWh of owned machines."""
    assumed: tuple[Assumption, ...]

    @property
    def rate(self) -> float:
        """Requests a second in the busiest hour."""
        assert self.demand.rate is not None
        return self.demand.rate * (self.demand.peak if self.day is None else self.day.peak)

    @property
    def usual_rate(self) -> float:
        """Requests a second at which the machines that are on work most of the day: the mean, or the busiest hour's where
        as many are on as it needs."""
        assert self.demand.rate is not None
        return self.demand.rate if self.day is None else self.rate

    @property
    def load(self) -> Load:
        """One request; its rate is set by whoever asks."""
        return Load(input=self.demand.input, output=self.demand.output, cached=self.demand.cached, rate=self.rate)

    @property
    def size(self) -> int:
        """Accelerators × engines × formats × modes that are looked at, about."""
        formats = len(ANY) if self.formats is None else len(self.formats)
        return len(self.wanted.machines) * len(self.engines or ENGINES[:1]) * formats * len(self.modes)

    def engines_on(self, chip: Accelerator) -> tuple[Engine, ...]:
        """The engines that run on an accelerator, with the limits that they set themselves by its memory or were told."""
        if self.engines is None:  # of each format: that of llama.cpp's files reads no others
            names = [None] if self.formats is None else [form.name for form in self.formats]
            found = dict.fromkeys(usual_engine(name, chip) for name in names)
            return tuple(self._told(engine) for engine in found if engine is not None and self.keeps(engine))
        return tuple(
            self._told(engine_on(engine, chip))
            for engine in self.engines
            if not refuses(engine, chip) and self.keeps(engine)
        )

    def _told(self, engine: Engine) -> Engine:
        return told(engine, None, self.most_sequences, [])

    def keeps(self, engine: Engine) -> bool:
        """Whether an engine has the cache that was asked for."""
        known = caches(engine)
        return self.asked.get("kv") is None or known is None or self.cache in known

    def check_engines(self) -> None:
        """Refuse engines of which none runs on any of the accelerators, and caches that none of them has."""
        chips = [catalog.accelerator(name) for name in self.wanted.machines]
        if not chips or any(self.engines_on(chip) for chip in chips):
            return
        if self.asked.get("kv") is not None:
            chip = chips[0]
            engine = usual_engine(None, chip) if self.engines is None else self.engines[0]
            cache_of(self.asked["kv"], engine, [])  # says which it has
        if self.engines is None:
            forms = [None] if self.formats is None else [form.name for form in self.formats]
            engine_of(None, forms[0], chips[0], [])  # says why none runs
            return
        raise InputError(
            f"`--engine {self.asked['engine']}` runs on none of the accelerators asked for",
            expected="an engine for one of them",
            details=[
                f"{engine.name} does not run on {with_article(chip.name)}: {refuses(engine, chip)}"
                for engine in self.engines
                for chip in chips[:_SAID]
            ],
            hint=f"write `--engine {engine_of(None, None, chips[0], []).name}`, or leave it out",
        )


def ask_serving_plan(model: str | Mapping[str, object] | Architecture, asked: Mapping[str, Any]) -> ServingWanted:
    """Read it; :class:`InputError` names what cannot be read or contradicts itself."""
    architecture, receipt = read_model(model)
    if architecture.family != "decoder":
        raise InputError(
            f"{architecture.name} does not answer token by token ({architecture.family})",
            expected="a decoder",
            hint="`outlay show models` lists decoders, such as llama-3-8b; encoders are not served yet",
        )
    check_texts(asked, *_TEXTS)
    if asked.get("hardware") is not None and asked.get("use") is None:
        asked = {**asked, "use": 1.0}  # a month of serving pays for every hour
    if all(asked.get(name) is None for name in ("rate", "users", "concurrency")):
        raise InputError(
            "the load is missing",
            hint="add `--input 1024 --output 256 --rate 5/s`, `--rate 100k/day` or `--users 10000`",
        )
    demand = read_demand(architecture, **{name: asked.get(name) for name in _REQUESTS})
    if demand.rate is None:
        raise InputError(
            "`--concurrency` is a number of clients that wait, and a plan is for requests that come",
            expected="`--rate` or `--users`",
            hint="write `--rate 5/s`, or price one deployment: `outlay cost serving MODEL --on NAME:COUNT --concurrency 32`",
        )
    problems = Problems()
    peak = None if asked.get("peak") is None else demand.peak
    day = problems.attempt(lambda: _day(asked.get("day"), asked.get("start_up"), peak))
    objectives = problems.attempt(lambda: _objectives(asked.get("ttft"), asked.get("tpot")))
    engines = problems.attempt(lambda: _engines(asked.get("engine")))
    modes = problems.attempt(lambda: _modes(asked.get("mode")))
    cache = problems.attempt(lambda: cache_of(asked.get("kv"), None, []))
    sequences = problems.attempt(lambda: read_sequences(asked.get("max_num_seqs")))
    problems.settle()
    assert objectives is not None and modes is not None and cache is not None
    hardware = asked.get("hardware")
    wanted = ask_plan(
        on=asked.get("on"),
        count=asked.get("count"),
        goal=asked.get("goal"),
        under=asked.get("under"),
        carbon=asked.get("carbon"),
        have=asked.get("have"),
        without=asked.get("without"),
        within=None,
        providers=asked.get("provider"),
        tiers=asked.get("tier"),
        priced=asked.get("price") is not None,
        bought=hardware is not None,
    )
    assumed: list[Assumption] = [*demand.assumed]
    wanted = _own_what_nobody_rents_out(wanted, asked, assumed)
    if day is not None:
        assumed = [entry for entry in assumed if entry.name != "busiest hour"] + list(day.assumed)
        if asked.get("start_up") is None:
            assumed.append(
                Assumption(
                    "start-up",
                    value="5 min",
                    why="machines are there, weights are read and graphs captured (`--start-up`)",
                )
            )
    published, said = published_for(model)
    formats = read_formats(asked.get("quant"), published)
    barred: dict[str, str] = {}
    if asked.get("worse") is not None:
        formats = None if asked.get("quant") is None else formats
        barred = _barred(asked, architecture, published, formats, assumed)
    elif asked.get("quant") is None:
        assumed.append(
            Assumption(
                "weights",
                value=published,
                why=f"as published ({said.source}); `--quant any` looks at others",
                receipt=said,
            )
        )
    if asked.get("kv") is None:
        assumed.append(Assumption("cache", value="16 bits a number", why="what engines do unless told (`--kv`)"))
    if asked.get("p99"):
        if not objectives.stated:
            raise InputError(
                "`--p99` says which requests keep `--ttft` and `--tpot`, and neither is given",
                expected="one of them",
                hint="add `--ttft 500ms`, or leave `--p99` out",
            )
        why = "3,000 of them are played for a plan, in its busiest hour"
        assumed.append(Assumption("requests played", value="all of the mean length, coming at random", why=why))
    if not objectives.stated:
        assumed.append(Assumption("latencies", value="any", why="nobody asked for one (`--ttft`, `--tpot`)"))
    why = "of the most that an instance answers: beyond it waits grow for hours"
    assumed.append(Assumption("fullest", value=f"{FULL:.0%}", why=why))
    grid = catalog.grid(asked.get("grid") or "world")
    own = None if hardware is None else amortised(hardware, asked.get("life"), asked.get("use"), assumed)[0].likely
    _check_money(asked, wanted)
    counts = str(asked.get("count") or "")
    found = ServingWanted(
        asked=asked,
        architecture=architecture,
        receipt=receipt,
        demand=demand,
        day=day,
        objectives=objectives,
        tail=bool(asked.get("p99")),
        wanted=wanted,
        least=min(read_counts(counts)) if ".." in counts or "," in counts else 1,
        formats=formats,
        published=published,
        barred=tuple(barred),
        cache=cache,
        engines=engines,
        most_sequences=sequences,
        modes=modes,
        one_machine=bool(asked.get("one_machine")),
        money=Money(price=asked.get("price"), discount=asked.get("discount"), own=own),
        pue=None if asked.get("pue") is None else _pue(asked["pue"]),
        grid=grid,
        electricity=_electricity(asked.get("electricity"), grid),
        assumed=tuple(assumed),
    )
    found.check_engines()
    return found


def _own_what_nobody_rents_out(wanted: Wanted, asked: Mapping[str, Any], assumed: list[Assumption]) -> Wanted:
    """The same with machines of one's own where nobody said otherwise, and they are to be had in no other way."""
    said = any(asked.get(name) is not None for name in ("tier", "provider", "price", "have"))
    if said or wanted.any_chip or not unsold([catalog.accelerator(name) for name in wanted.machines]):
        return wanted
    names = " or ".join(wanted.machines)
    assumed.append(Assumption("tier", value="owned", why=f"no seller of {names} is known here (`--price`)"))
    return replace(wanted, tiers=("owned",))


def _barred(
    asked: Mapping[str, Any],
    architecture: Architecture,
    published: str,
    formats: tuple[Format, ...] | None,
    assumed: list[Assumption],
) -> dict[str, str]:
    """What `--worse` leaves out; an error where nothing is left."""
    worse = units.parse(asked["worse"], "%", name="--worse", zero=True, example="1%")
    if worse >= 1:
        raise InputError(
            f"`--worse` is {asked['worse']}", expected="a share from 0% to below 100%", hint="write `--worse 1%`"
        )
    found = left_out(architecture, published, worse, formats)
    if formats is not None and all(form.name in found for form in formats):
        raise InputError(
            f"`--worse {asked['worse']}` leaves out every format of `--quant {asked['quant']}`",
            details=[f"{name}: {said}" for name, said in found.items()],
            hint="leave `--quant` out: the published weights are then among those that are looked at",
        )
    if found:
        said = "; ".join(f"{name}: {words}" for name, words in found.items())
        assumed.append(
            Assumption("formats left out", value=", ".join(found), why=f"`--worse {asked['worse']}`; {said}")
        )
    return found


def _objectives(ttft: str | float | None, tpot: str | float | None) -> Objectives:
    def seconds(name: str, text: str | float | None, example: str) -> float:
        return np.inf if text is None else float(units.parse(text, "s", name=name, example=example))

    return Objectives(ttft=seconds("--ttft", ttft, "500ms"), tpot=seconds("--tpot", tpot, "50ms"))


def _day(text: str | None, start_up: str | float | None, peak: float | None) -> Day | None:
    if text is None:
        if start_up is not None:
            raise InputError("`--start-up` goes with `--day`", hint="add `--day diurnal`, or leave `--start-up` out")
        return None
    seconds = _START_UP
    if start_up is not None:
        seconds = units.parse(start_up, "s", name="--start-up", zero=True, example="5min")
        if seconds > 86_400:
            raise InputError(f"`--start-up` is {start_up}", expected="less than a day", hint="write `--start-up 5min`")
    return read_day(text, seconds, peak)


def _engines(text: str | None) -> tuple[Engine, ...] | None:
    if text is None:
        return None
    names = ENGINES if text.strip().lower() == "any" else names_in(text, "--engine", "write `--engine vllm,sglang`")
    return tuple(dict.fromkeys(engine_named(name) for name in names))


def _modes(text: str | None) -> tuple[str, ...]:
    if text is None or text.strip().lower() == "any":
        return MODES
    found = tuple(name.lower() for name in names_in(text, "--mode", "write `--mode aggregated`"))
    for name in found:
        if name not in MODES:
            raise UnknownName("mode of serving", name, MODES, flag="--mode")
    return found


def _pue(text: str | float) -> float:
    ratio = units.parse(text, "", name="--pue")
    if not 1 <= ratio <= 100:
        raise InputError(f"`--pue` is {text}", expected="a ratio from 1 to 100", hint="write `--pue 1.2`")
    return ratio


def _electricity(asked: str | float | None, grid: Grid) -> float:
    if asked is not None:
        return units.parse(asked, "$/kWh", name="--electricity", zero=True, example="0.15")
    if grid.electricity_price is not None:
        return grid.electricity_price
    return catalog.factor("electricity", "world").likely


def _check_money(asked: Mapping[str, Any], wanted: Wanted) -> None:
    """Refuse flags of which one would silently win over the other."""
    if asked.get("price") is not None and asked.get("provider") is not None:
        raise InputError(
            f"`--price {asked['price']}` and `--provider {asked['provider']}` are two prices",
            expected="one of them",
            hint="leave `--provider` out to pay your own price, or `--price` to pay theirs",
        )
    if asked.get("hardware") is not None and wanted.tiers != ("owned",):
        raise InputError(
            f"`--hardware {asked['hardware']}` is what machines of your own cost, and these are rented",
            expected="owned machines",
            hint="add `--have h100-sxm:8`, or leave `--hardware` out",
        )
    if asked.get("electricity") is not None and wanted.tiers != ("owned",):
        raise InputError(
            "`--electricity` has no line: rented accelerators come with their power",
            hint="add `--have h100-sxm:8`, or leave `--electricity` out",
        )
    discount = asked.get("discount")
    if discount is not None:
        units.parse(discount, "%", name="--discount", zero=True)
    if asked.get("price") is not None:
        units.parse(asked["price"], "$/device-hour", name="--price", zero=True)
