"""The tables and sentences of a plan: what nothing beats, what binds, what came nearest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from outlay.layout import describe
from outlay.scenarios.training.bottleneck import bottleneck
from outlay.scenarios.training_plan.candidates import Candidate, Found
from outlay.scenarios.training_plan.question import Wanted
from outlay.search.front import front
from outlay.search.limits import Judged
from outlay.statement import Column, Figure, Interval, Table
from outlay.statement.line import total
from outlay.units import format_money, format_quantity

FLAGS = {"dollars": "--under", "seconds": "--within", "kg_co2e": "--carbon"}
_UNITS = {"seconds": "s", "kg_co2e": "kg CO2e"}
_VERBS = {"seconds": "takes", "dollars": "costs", "kg_co2e": "emits"}
_MOST_ROWS = 12
_MOST_SELLERS = 8


def machines(candidate: Candidate) -> str:
    """`64 × h100-sxm-80gb`."""
    return f"{candidate.place.devices:,} × {candidate.place.chip}"


def seller(candidate: Candidate) -> str:
    """`nebius, spot`, or the tier alone."""
    terms = candidate.run.terms
    return ", ".join(part for part in (terms.provider, terms.tier) if part)


def shown(name: str, value: float) -> str:
    """A limit's figure as a user writes it."""
    return format_money(value) if name == "dollars" else format_quantity(value, _UNITS[name], digits=3)


def limits_in_words(wanted: Wanted) -> str:
    """`within 14 days under $50,000`; empty without limits."""
    words = {"seconds": "within", "dollars": "under", "kg_co2e": "under"}
    return " ".join(
        f"{word} {shown(name, wanted.limits[name])}" for name, word in words.items() if name in wanted.limits
    )


def front_table(inside: Sequence[Candidate]) -> Table:
    """Plans within the limits that no other beats in time and dollars, the cheapest of them, and so on to the fastest."""
    kept = front([entry.dollars for entry in inside], [entry.seconds for entry in inside])
    if len(kept) > _MOST_ROWS:
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, _MOST_ROWS).round().astype(int))]
    recipes = _several(inside)
    return Table(
        "Time against cost: plans that no other beats in both",
        columns=(
            *("Accelerators", "Seller", *(("Recipe",) if recipes else ()), "Time"),
            *(Column("Cost", unit="$"), *(() if recipes else ("Waits for",))),
        ),
        rows=[
            (
                *_row(inside[place], tier=len({entry.tier for entry in inside}) > 1, recipe=recipes),
                *(() if recipes else (_waits(inside[place]),)),
            )
            for place in kept
        ],
        key="front",
    )


def recipes_table(inside: Sequence[Candidate], wanted: Wanted) -> Table | None:
    """The best within the limits for each precision and optimizer; None where there was no choice."""
    best = _best_of_each(inside, wanted, lambda entry: entry.place.recipe)
    if len(best) < 2:
        return None
    return Table(
        "The best of each recipe",
        columns=("Recipe", "Accelerators", "Time", Column("Cost", unit="$"), "Waits for"),
        rows=[
            (recipe_of(entry), machines(entry).replace(" ", "\N{NO-BREAK SPACE}"), *_row(entry)[2:], _waits(entry))
            for _, entry in sorted(best.items())
        ],
        key="recipes",
    )


def _best_of_each(
    inside: Sequence[Candidate], wanted: Wanted, kind: Callable[[Candidate], int]
) -> dict[int, Candidate]:
    best: dict[int, Candidate] = {}
    for entry in inside:
        other = best.setdefault(kind(entry), entry)
        if (score(entry, wanted.goal), entry.seconds) < (score(other, wanted.goal), other.seconds):
            best[kind(entry)] = entry
    return best


def counts_table(inside: Sequence[Candidate], wanted: Wanted) -> Table:
    """The best within the limits for each number of accelerators."""
    best = _best_of_each(inside, wanted, lambda entry: entry.place.devices)
    return Table(
        "The best of each number",
        columns=("Accelerators", "Seller", "Time", Column("Cost", unit="$"), "Waits for"),
        rows=[
            (*_row(best[count], tier=len({entry.tier for entry in best.values()}) > 1), _waits(best[count]))
            for count in sorted(best)
        ],
        key="counts",
    )


def sellers_table(best: Candidate, candidates: Sequence[Candidate]) -> Table | None:
    """The same machines from whoever else rents them out, the cheapest first; None where nobody does."""
    same = sorted((entry for entry in candidates if entry.place == best.place), key=lambda entry: entry.dollars)
    if len(same) < 2:
        return None
    others, tiers = len(same) - _MOST_SELLERS, len({entry.tier for entry in same}) > 1
    return Table(
        f"{machines(best)} from each seller",
        columns=("Seller", Column("Device-hour", unit="$"), "Time", Column("Cost", unit="$"), "CO₂e"),
        rows=[
            (
                seller(entry) if tiers or entry.run.terms.provider is None else entry.run.terms.provider,
                None if entry.run.terms.price is None else entry.run.terms.price.likely,
                Figure(Interval.of(entry.seconds), unit="s"),
                entry.dollars if np.isfinite(entry.dollars) else None,
                Figure(Interval.of(entry.kg_co2e), unit="kg CO2e"),
            )
            for entry in same[:_MOST_SELLERS]
        ],
        notes=(f"{others:,} more ask more: `--all` lists them.",) if others > 0 else (),
        key="sellers",
    )


def _several(candidates: Iterable[Candidate]) -> bool:
    """Whether there was a choice of recipes."""
    return len({entry.place.recipe for entry in candidates}) > 1


def all_table(candidates: Iterable[Candidate], wanted: Wanted) -> Table:
    """Every plan, with its layout."""
    ranked = sorted(candidates, key=lambda entry: (score(entry, wanted.goal), entry.seconds))
    recipes = _several(ranked)
    return Table(
        "All plans",
        columns=(
            *("Accelerators", "Seller", *(("Recipe",) if recipes else ()), "Time"),
            Column("Cost", unit="$"),
            *("CO₂e", "MFU", "Waits for", "Layout"),
        ),
        rows=[
            (
                *_row(entry, recipe=recipes),
                Figure(Interval.of(entry.kg_co2e), unit="kg CO2e"),
                Figure(Interval.of(entry.run.utilisation), unit="%"),
                _waits(entry),
                "; ".join(describe(run.fitted.chosen.layout) for run in entry.course.runs),
            )
            for entry in ranked
        ],
        key="all",
    )


def _row(entry: Candidate, *, tier: bool = True, recipe: bool = False) -> tuple[str | float | Figure | None, ...]:
    return (
        machines(entry).replace(" ", "\N{NO-BREAK SPACE}"),
        seller(entry) if tier or entry.run.terms.provider is None else entry.run.terms.provider,
        *((recipe_of(entry),) if recipe else ()),
        Figure(Interval.of(entry.seconds), unit="s"),
        entry.dollars if np.isfinite(entry.dollars) else None,
    )


def recipe_of(entry: Candidate) -> str:
    """`fp8, adam`."""
    recipe = entry.run.question.recipe
    return f"{recipe.precision}, {recipe.optimizer}"


def _waits(entry: Candidate) -> str:
    name, share = bottleneck(entry.run)
    return f"{name}, {share:.0%}"


def score(entry: Candidate, goal: str) -> float:
    """What the goal makes small."""
    return {"cheapest": entry.dollars, "fastest": entry.seconds, "greenest": entry.kg_co2e}[goal]


def looked_at(found: Found, inside: Sequence[Candidate]) -> str:
    """How much was looked at: every count adds up. `inside` are the offers within the limits."""
    kept = len(front([entry.dollars for entry in inside], [entry.seconds for entry in inside]))
    over = len(found.candidates) - len(inside)
    text = (
        f"Looked at {found.looked_at:,} layouts: illegal {found.looked_at - found.legal:,}, too big for the memory "
        f"{found.legal - found.fitting:,}, slower on the same machines {found.fitting - found.chosen:,}, fastest there "
        f"{found.chosen:,}. Offers for those: {len(found.candidates):,}, of which beaten by none {kept:,}, beaten "
        f"{len(inside) - kept:,}" + (f", beyond a limit {over:,}." if over else ".")
    )
    small = [entry for entry in found.failed if entry.need is not None]
    odd = len(found.failed) - len(small)
    if small:
        near = min(small, key=lambda entry: entry.need or np.inf)
        text += (
            f" On {len(small):,} of the numbers of accelerators nothing fits; nearest to it, {near.count:,} × {near.chip} "
            f"need{'s' if near.count == 1 else ''} {near.need:.3g} times the memory."
        )
    lacking = sum("does not multiply in" in str(entry.error) for entry in found.failed)
    if lacking:
        text += f" {lacking:,} do not have the precision."
    if odd - lacking:
        text += f" {odd - lacking:,} divide model or batch in no way."
    if found.unsold:
        text += f" {len(found.unsold):,} are listed by nobody as linked machines."
    return text


def binding(judged: Judged, candidates: Sequence[Candidate], wanted: Wanted, best: Candidate) -> Iterator[str]:
    """The limit that keeps better plans out, and what giving it up would bring."""
    goal = np.asarray([score(entry, wanted.goal) for entry in candidates])
    for number, (name, place) in enumerate(judged.binding(goal).items()):
        other = candidates[place]
        limit = f"`{FLAGS[name]} {_said(name, wanted.limits[name])}`"
        what = "What binds is" if number == 0 else "So does"
        yield (f"{what} {limit}: without it, {machines(other)} ({seller(other)}) {against(other, best)}.")


def substitute(missed: Candidate, best: Candidate, wanted: Wanted) -> Iterator[str]:
    """What the best plan costs more than one with machines that cannot be had, where that would be better."""
    if score(missed, wanted.goal) < score(best, wanted.goal):
        chip = missed.run.question.accelerator.name
        yield (
            f"The best substitute for {chip} is {machines(best)} ({seller(best)}): with it, {machines(missed)} "
            f"({seller(missed)}) {against(missed, best)}."
        )


def beyond(best: Candidate, wanted: Wanted) -> Iterator[str]:
    """Where the high end of a range is over a limit that the likely figure keeps."""
    amount = total(best.course.lines)
    highs = {
        "dollars": None if amount is None else amount.high,
        "seconds": best.course.duration.high,
        "kg_co2e": best.course.operational.high,
    }
    said = [
        f"{_VERBS[name]} {shown(name, high)}"
        for name, limit in wanted.limits.items()
        if (high := highs[name]) is not None and high > limit
    ]
    if said:
        yield f"Limits are kept by the likely figures: at the high end of its range the plan {' and '.join(said)}."


def nearest(judged: Judged, candidates: Sequence[Candidate], wanted: Wanted) -> str | None:
    """The plan that failed by the least, and why."""
    place = nearest_place(judged, candidates, wanted)
    if place is None:
        return None
    near = candidates[place]
    return f"Nearest that fails: {machines(near)} ({seller(near)}): {why(judged, place, near, wanted)}."


def nearest_place(judged: Judged, candidates: Sequence[Candidate], wanted: Wanted) -> int | None:
    """That of the plan that failed by the least; of several, the best."""

    def order(place: int) -> tuple[float, ...]:
        entry = candidates[place]
        return score(entry, wanted.goal), entry.seconds, entry.dollars

    return min((int(place) for place in judged.nearest()), key=order, default=None)


def why(judged: Judged, place: int, near: Candidate, wanted: Wanted) -> str:
    """Which limits a candidate exceeds, with its figures."""
    said = []
    for name, share in judged.broken(place).items():
        verb = _VERBS[name]
        value = shown(name, getattr(near, name))
        said.append(f"{verb} {value}, {excess(share)} `{FLAGS[name]} {_said(name, wanted.limits[name])}`")
    return " and ".join(said)


def excess(share: float) -> str:
    """How far a figure is past a limit, as a share of it: in per cent, or how many times as much.

    >>> excess(0.026), excess(2.5), excess(168513.5)
    ('2.6 % over', '250 % over', '169,000 times')
    """
    if share < _MANY:
        return f"{format_quantity(share, '%', digits=2)} over"
    return f"{float(f'{1.0 + share:.3g}'):,.0f} times"


_MANY = 9.0


def _said(name: str, value: float) -> str:
    """A limit as it is typed.

    >>> _said("seconds", 14 * 86_400.0), _said("seconds", 5400.0), _said("kg_co2e", 20e3), _said("dollars", 5e4)
    ('14d', '1.5h', '20t', '50k')
    """
    scales = {
        "seconds": ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms")),
        "kg_co2e": ((1000.0, "t"), (1.0, "kg"), (1e-3, "g")),
        "dollars": ((1e6, "M"), (1e4, "k"), (1.0, ""), (1e-9, "")),
    }[name]
    scale, unit = next((entry for entry in scales if value >= entry[0]), scales[-1])
    return f"{value if not unit else value / (1e3 if unit == 'k' else scale):.10g}{unit}"


def against(other: Candidate, best: Candidate) -> str:
    """`costs $3,100 less and takes 4 days more`."""
    said = []
    if np.isfinite(other.dollars) and np.isfinite(best.dollars):
        said.append(f"costs {_difference(format_money, other.dollars - best.dollars)}")
    said.append(
        f"takes {_difference(lambda value: format_quantity(value, 's', digits=2), other.seconds - best.seconds)}"
    )
    return " and ".join(said)


def _difference(form: Callable[[float], str], value: float) -> str:
    return f"{form(abs(value))} {'less' if value < 0 else 'more'}"
