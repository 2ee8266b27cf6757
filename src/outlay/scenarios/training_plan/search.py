"""The search behind a plan: every candidate, those within the limits, and the best of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from outlay import catalog
from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.inventory import names_in
from outlay.scenarios.named import read_model
from outlay.scenarios.terms import Terms, agree
from outlay.scenarios.training.course import Course, course_of, fit_all, questions_of, seller_for
from outlay.scenarios.training.fitting import Fitted
from outlay.scenarios.training.question import Question, ask, optimizer_name, precision_name
from outlay.scenarios.training.run import Run
from outlay.scenarios.training.stages import Stage, ask_stages
from outlay.scenarios.training.statement import run_of
from outlay.scenarios.training_plan.candidates import Candidate, Failed, Found, Place, candidates_of, offers
from outlay.scenarios.training_plan.question import Wanted, ask_plan
from outlay.scenarios.training_plan.sections import (
    FLAGS,
    limits_in_words,
    machines,
    nearest_place,
    score,
    seller,
    shown,
    why,
)
from outlay.search.limits import Judged, judge
from outlay.statement import Receipt
from outlay.training import Coefficients, load_coefficients
from outlay.training.ranges import parse_level
from outlay.workload import Architecture

if TYPE_CHECKING:
    from outlay.scenarios.training.able import Able

_WANTED = ("on", "count", "goal", "under", "within", "carbon", "have", "without")
_RECIPE = ("layout", "sequence_length", "global_batch", "precision", "optimizer", "recompute", "framework")
_AXES = ("precision", "optimizer")
"""What may be asked for in several ways, to be searched over."""
MOST_LARGER = 32_768
"""Accelerators beyond which nobody is told to rent more."""
_TERMS = (
    *("price", "discount", "grid", "pue", "data", "checkpoints", "lost_work", "egress", "exploration", "people"),
    *("hardware", "life", "use"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One training, to be asked of many machines."""

    asked: Mapping[str, Any]
    """The parameters of :func:`~outlay.scenarios.training_plan.plan.plan_training`."""
    architecture: Architecture
    receipt: Receipt
    tokens: int
    """Those that are still to be trained."""
    stages: tuple[Stage, ...]
    recipes: tuple[Mapping[str, str], ...]
    """Precisions and optimizers to search over; one without any where nobody asked for several."""
    wanted: Wanted
    able: Able | None
    """What it has to be run by; None where that is anything."""
    level: float
    """Share of runs that ranges are to hold."""
    coefficients: Coefficients

    def questions(self, place: Place) -> tuple[Question, ...]:
        """The training on so many of one accelerator, stage by stage."""

        def one(asked: Mapping[str, Any], tokens: int | None) -> Question:
            on = asked["on"] or f"{place.chip}:{place.devices}"
            recipe = {name: asked.get(name) for name in _RECIPE}
            left = self.tokens if tokens is None else tokens
            found = ask(self.architecture, tokens=left, on=on, gpus_per_node=None, interconnect=None, **recipe)
            return replace(found, model_receipt=self.receipt)

        return questions_of(self.stages, {**self.asked, **self.recipes[place.recipe], "on": None}, one)

    def fit(self, questions: Sequence[Question], *, wide: bool = True) -> tuple[Fitted, ...]:
        """The layout of each stage."""
        return fit_all(self.stages, questions, self.coefficients, explain=False, wide=wide, able=self.able)

    def terms(self, question: Question, who: str | None, kind: str) -> Terms:
        """What `who` asks for it in the tier `kind`; of a stage on machines of its own that he has not, anybody."""
        own = self.asked.get("price") is not None
        tier: str | None = kind
        if self.stages and not own:
            chip, had = question.accelerator.name, self.wanted.had
            if kind == "owned" and had is not None and had.get(chip, 0) < question.devices:
                who, tier = None, None
            else:
                who, tier = seller_for(chip, who, kind)
        return agree(
            question,
            provider=None if own else who,
            tier=None if own and kind != "owned" else tier,
            electricity=self.asked.get("electricity") if tier == "owned" else None,
            **{name: self.asked.get(name) for name in _TERMS},
        )

    def course(self, fitted: Sequence[Fitted], who: str | None, kind: str) -> Course:
        """The whole run on the terms of a seller."""
        return course_of(self.stages, fitted, lambda question: self.terms(question, who, kind), self.assemble)

    def assemble(self, question: Question, fitted: Fitted, terms: Terms) -> Run:
        """One stage on its terms."""
        return run_of(question, fitted, terms, self.coefficients, self.level)

    def look(self, wanted: Wanted, progress: Callable[[int, int], None] | None = None) -> Found:
        """Every candidate on the machines of `wanted`."""
        return candidates_of(
            wanted,
            recipes=len(self.recipes),
            fitter=lambda place, wide: self.fit(self.questions(place), wide=wide),
            assemble=self.course,
            contenders=lambda candidates, faster: _contenders(candidates, wanted, faster),
            at_once=self.able is not None,  # what is hardly ever the fastest may be all that a tool runs
            progress=progress,
        )

    def missed(self) -> list[Candidate]:
        """What could be used of the machines that `--without` takes away."""
        gone = self.wanted.gone
        return _usable(self.look(replace(self.wanted, machines=gone)).candidates, self.wanted) if gone else []


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A search that found a plan, and what it was chosen from."""

    search: Search
    found: Found
    judged: Judged
    usable: Sequence[Candidate]
    """Within all limits, and with a figure for the goal."""
    best: Candidate


def search_plan(
    model: str | Mapping[str, object] | Architecture,
    asked: Mapping[str, Any],
    *,
    able: Able | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Planned:
    """The best plan, and all that were looked at; of those that tools are `able` to run, where some are named.

    :raises InputError: for anything that cannot be read, or that contradicts itself.
    :raises DoesNotFit: if no plan is within the limits, with the nearest that there is.
    """
    search = _search_of(model, asked, able)
    wanted = search.wanted
    found = search.look(wanted, progress)
    if not found.candidates:
        raise _nothing(search, found)
    judged = judge(_figures(found.candidates), wanted.limits)
    usable = _usable(found.candidates, wanted, judged)
    if not usable:
        raise _none_within(search, judged, found.candidates)
    return Planned(search=search, found=found, judged=judged, usable=usable, best=best_of(usable, wanted))


def _search_of(model: str | Mapping[str, object] | Architecture, asked: Mapping[str, Any], able: Able | None) -> Search:
    level, coefficients = parse_level(asked.get("interval")), load_coefficients()
    wanted = ask_plan(
        **{name: asked.get(name) for name in _WANTED},
        providers=asked.get("provider"),
        tiers=asked.get("tier"),
        priced=asked.get("price") is not None,
        bought=asked.get("hardware") is not None,
        powered=asked.get("electricity") is not None,
    )
    architecture, receipt = read_model(model)
    stages, tokens = ask_stages(asked.get("stages"), asked.get("tokens"), asked.get("done"))
    if wanted.any_chip and stages and all("on" in stage.asked for stage in stages):
        raise InputError(
            f"every stage of `{asked.get('stages')}` says its machines",
            expected="one that is to be planned",
            hint="leave a cell of `on` empty, or price it with `outlay cost training`",
        )
    return Search(
        asked=asked,
        architecture=architecture,
        receipt=receipt,
        tokens=tokens,
        stages=stages,
        recipes=_recipes(asked),
        able=able,
        wanted=wanted,
        level=level,
        coefficients=coefficients,
    )


def _usable(candidates: Sequence[Candidate], wanted: Wanted, judged: Judged | None = None) -> list[Candidate]:
    """Candidates within the limits, of which one knows what the goal makes small."""
    judged = judged or judge(_figures(candidates), wanted.limits)
    return [
        entry
        for entry, kept in zip(candidates, judged.within, strict=True)
        if kept and np.isfinite(score(entry, wanted.goal))
    ]


def best_of(usable: Sequence[Candidate], wanted: Wanted) -> Candidate:
    """The best for the goal."""
    return min(usable, key=lambda entry: (score(entry, wanted.goal), entry.seconds, entry.dollars))


def _figures(candidates: Sequence[Candidate]) -> dict[str, NDArray[np.float64]]:
    return {
        name: np.array([getattr(entry, name) for entry in candidates], dtype=np.float64)
        for name in ("dollars", "seconds", "kg_co2e")
    }


def _contenders(candidates: Sequence[Candidate], wanted: Wanted, faster: float) -> Iterator[int]:
    """Candidates that, were they `faster` by a factor and cheaper by as much, could be best, nearest, or on the front."""
    if not candidates:
        return
    now = _figures(candidates)
    then = {name: values / faster for name, values in now.items()}
    kept = judge(now, wanted.limits).within
    could = judge(then, wanted.limits).within
    if not could.any():  # then the nearest counts: whatever is not much farther off than it
        worst = np.max([np.asarray(excess) for excess in judge(now, wanted.limits).over.values()], axis=0)
        yield from map(int, np.flatnonzero(worst + 1.0 <= (worst.min() + 1.0) * faster))
        return
    goal = {"cheapest": "dollars", "fastest": "seconds", "greenest": "kg_co2e"}[wanted.goal]
    for index in np.flatnonzero(could):
        better = (now["dollars"] < then["dollars"][index]) & (now["seconds"] < then["seconds"][index]) & kept
        best = then[goal][index] <= now[goal][kept].min(initial=np.inf)
        if best or not better.any():
            yield int(index)


def _recipes(asked: Mapping[str, Any]) -> tuple[Mapping[str, str], ...]:
    """Every combination of the precisions and optimizers that were asked for; names that nobody knows are refused here."""
    axes = []
    for name, read in (("precision", precision_name), ("optimizer", optimizer_name)):
        if asked.get(name) is None:
            continue
        texts = list(names_in(str(asked[name]), f"--{name}"))
        known = [read(text) for text in texts]
        if len(set(known)) < len(known):
            raise InputError(f"`--{name} {asked[name]}` names one twice", hint="leave one of them out")
        axes.append([(name, text) for text in texts])
    return tuple(dict(chosen) for chosen in itertools.product(*axes))


def _nothing(search: Search, found: Found) -> DoesNotFit | InputError:
    """Nothing could be priced at all: nobody sells it, or nothing fits."""
    architecture, wanted = search.architecture, search.wanted
    small = [entry for entry in found.failed if entry.need is not None]
    if small:
        near = min(small, key=lambda entry: entry.need or np.inf)
        return DoesNotFit(
            f"{architecture.name} fits on none of the machines asked for\n"
            f"  nearest: {near.count:,} × {near.chip}, whose fullest device needs {near.need:.2f} times its memory",
            hint=_where_it_fits(search, near),
        )
    if found.failed:
        return max(found.failed, key=lambda entry: entry.count).error
    chips = sorted(wanted.machines)
    listed = [chip for chip in chips if catalog.prices(chip)]
    if not listed:
        node = int(catalog.server_for(chips[0], 8).devices)
        return DoesNotFit(
            f"nobody in the catalog rents out {', '.join(chips)}",
            hint=f"write `--have {chips[0]}:{node}` if they are yours, or your own `--price`",
        )
    alone = [chip for chip in listed if tuple(offers(replace(wanted, providers=None), chip, 1))]
    if alone and max(max(counts) for counts in wanted.machines.values()) > 1:
        hint = f"write `--count 1 --on {alone[0]}`, or your own `--price`"
    else:
        tiers = sorted({listing.tier for chip in listed for listing in catalog.prices(chip)})
        hint = f"write your own `--price`; listed are {', '.join(tiers)} (`outlay show prices {listed[0]}`)"
    return DoesNotFit(
        f"nobody that was asked offers {', '.join(chips)} in these counts as {' or '.join(wanted.tiers)}, linked to each other",
        hint=hint,
    )


def _where_it_fits(search: Search, near: Failed) -> str:
    """More of the same, if that is enough; it is tried."""
    wanted = search.wanted
    for times in () if wanted.had is not None else (2, 4, 8, 16):
        if (count := near.count * times) <= MOST_LARGER:
            found = search.look(replace(wanted, machines={near.chip: (count,)}))
            if found.candidates:
                return f"write `--on {near.chip} --count {count}`, or name larger accelerators"
    return "name larger accelerators: `outlay show accelerators` lists their memory"


def _none_within(search: Search, judged: Judged, candidates: tuple[Candidate, ...]) -> DoesNotFit:
    """The limits cannot be kept: the nearest plan, and what would have to give."""
    architecture, wanted = search.architecture, search.wanted
    place = nearest_place(judged, candidates, wanted)
    if place is None:
        return DoesNotFit(
            f"nobody lists a price of what trains {architecture.name} within these limits",
            hint="write your own `--price`, or `--goal fastest`",
        )
    near = candidates[place]
    more = {name: getattr(near, name) for name in judged.broken(place)}
    relief = " ".join(f"{FLAGS[name]} {_rounded(name, value)}" for name, value in more.items())
    return DoesNotFit(
        f"no plan trains {architecture.name} {limits_in_words(wanted)}\n"
        f"  nearest: {machines(near)} ({seller(near)}) {why(judged, place, near, wanted)}\n"
        f"  its time is {shown('seconds', near.seconds)}, its cost {shown('dollars', near.dollars)}",
        hint=f"it is there with `{relief}`{_larger(search, near)}",
    )


def _larger(search: Search, near: Candidate) -> str:
    """More of the same accelerators than were looked at, where those keep the limits; each count is tried."""
    wanted = search.wanted
    most = max(wanted.machines[near.place.chip])
    if near.place.devices < most or wanted.had is not None:
        return ""
    for times in (2, 4, 8):
        if (count := times * most) <= MOST_LARGER:
            found = search.look(replace(wanted, machines={near.place.chip: (count,)}))
            if _usable(found.candidates, wanted):
                return f"; or with more of them: `--count {count}`"
    return ""


def _rounded(name: str, value: float) -> str:
    """A little more than `value`, as it is typed."""
    if name == "seconds":
        return f"{np.ceil(value / 8640.0) / 10:g}d" if value > 86_400 else f"{np.ceil(value / 360.0) / 10:g}h"
    step = 10.0 ** (np.floor(np.log10(value)) - 2)
    return f"{np.ceil(value / step) * step:.12g}{'kg' if name == 'kg_co2e' else ''}"
