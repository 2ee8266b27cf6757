"""What a plan is wanted for: the machines that may be had, the goal, and the limits."""

from __future__ import annotations

from dataclasses import dataclass

from outlay import catalog, units
from outlay.catalog import Accelerator
from outlay.errors import InputError, UnknownName, each
from outlay.scenarios.inventory import chip_named, names_in, read_inventory
from outlay.scenarios.named import MOST_DEVICES
from outlay.scenarios.terms import catalog_tiers

GOALS = ("cheapest", "fastest", "greenest")
RENTED = "on-demand"
"""The tier that is looked at where nobody names one: what is taken away at any hour is not everybody's."""
_COUNTS = "1..1024"
_CATEGORIES = ("datacenter-gpu", "consumer-gpu", "workstation-gpu", "tpu", "trainium")
"""What `--on any` means: accelerators that train by themselves or together, and that somebody rents out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The machines to look at, and what decides between them. Dollars, seconds, kg CO2e."""

    machines: dict[str, tuple[int, ...]]
    """Accelerator → counts, ascending."""
    any_chip: bool
    tiers: tuple[str, ...]
    providers: tuple[str, ...] | None
    """None where anybody may sell."""
    goal: str
    limits: dict[str, float]
    """The most of `dollars`, `seconds` and `kg_co2e`."""
    had: dict[str, int] | None
    """Accelerator → how many there are; None where there are as many as one likes."""
    gone: dict[str, tuple[int, ...]]
    """Accelerators that cannot be had, with the counts that would have been looked at."""


def ask_plan(
    *,
    on: str | None,
    count: str | int | None,
    providers: str | None,
    tiers: str | None,
    goal: str | None,
    under: str | float | None,
    within: str | float | None,
    carbon: str | float | None,
    have: str | None,
    without: str | None,
    priced: bool,
    bought: bool = False,
    powered: bool = False,
) -> Wanted:
    """Read it; :class:`InputError` names what cannot be read or contradicts itself."""
    limits = {
        name: units.parse(text, unit, name=flag)
        for name, text, unit, flag in (
            ("dollars", under, "$", "--under"),
            ("seconds", within, "s", "--within"),
            ("kg_co2e", carbon, "kg CO2e", "--carbon"),
        )
        if text is not None
    }
    had = None if have is None else read_inventory(have)
    wanted_tiers = _tiers(tiers, owned=had is not None)
    if priced and (providers is not None or (tiers is not None and wanted_tiers != ("owned",))):
        other = f"--provider {providers}" if providers is not None else f"--tier {tiers}"
        raise InputError(
            f"`--price` and `{other}` are two prices",
            expected="one of them",
            hint=f"leave `--price` out to pay listed prices, or `{other.partition(' ')[0]}` to pay your own",
        )
    sellers = None if providers is None else tuple(each(_provider, names_in(providers, "--provider")))
    if sellers is not None and wanted_tiers == ("owned",):
        raise InputError(
            "`--provider` and machines that are owned: what is owned is rented from nobody",
            expected="one of them",
            hint="add `--tier on-demand` if `--have` is what a provider lets you rent, or leave `--provider` out",
        )
    if powered and "owned" not in wanted_tiers:
        raise InputError(
            "`--electricity` has no line: rented accelerators come with their power",
            expected="owned machines",
            hint="add `--have h100-sxm:64` or `--tier owned`, or leave `--electricity` out",
        )
    any_chip = on is None or on.strip().lower() == "any"
    chips = _chips(on, any_chip, had, wanted_tiers, sellers, priced)
    gone = (
        set(each(lambda name: chip_named(name, "--without"), names_in(without, "--without")))
        if without is not None
        else set()
    )
    if not any_chip and gone & set(chips):
        raise InputError(
            f"`--on` and `--without` both name {', '.join(sorted(gone & set(chips)))}",
            expected="each accelerator in one of them",
            hint="leave it out of one",
        )
    left = [chip for chip in chips if chip not in gone]
    if not left:
        raise InputError(
            "no accelerator is left to plan with", hint="name fewer after `--without`, or more after `--on`"
        )
    counts = read_counts(_COUNTS if count is None else count)
    if bought and len(left) > 1:
        raise InputError(
            f"`--hardware` is what one accelerator cost, and {len(left)} are looked at: {', '.join(left[:4])}",
            expected="one accelerator",
            hint=f"name what you bought: `--have {left[0]}:{(had or {}).get(left[0], 8)}`",
        )
    machines = {chip: _had_counts(chip, counts, had, said=count is not None) for chip in left}
    machines = {chip: numbers for chip, numbers in machines.items() if numbers}
    if not machines:
        raise InputError(
            f"`--have {have}` has fewer than `--count {count}` asks for",
            hint="leave `--count` out, or write counts that there are",
        )
    return Wanted(
        machines=machines,
        any_chip=any_chip,
        tiers=wanted_tiers,
        providers=sellers,
        goal=_goal(goal),
        limits=limits,
        had=had,
        gone={chip: _had_counts(chip, counts, had, said=count is not None) for chip in chips if chip in gone},
    )


def read_counts(text: str | int) -> tuple[int, ...]:
    """`64`, `32,64,96`, or `8..1024`: doublings from the first to the last, which is looked at too.

    >>> read_counts("8..100"), read_counts("96,32")
    ((8, 16, 32, 64, 100), (32, 96))
    """
    example = "write `--count 8..1024`, `--count 96`, or `--count 32,64`"
    found: set[int] = set()
    for part in names_in(str(text), "--count", example):
        first, dots, last = part.partition("..")
        try:
            low = int(units.parse(first, "count", name="--count"))
            high = int(units.parse(last, "count", name="--count")) if dots else low
        except InputError:
            raise InputError(f"`--count {text}`", expected="whole numbers, or FIRST..LAST", hint=example) from None
        if low > high or high > MOST_DEVICES:
            wants = "the smaller number first" if low > high else f"at most {MOST_DEVICES:,} accelerators"
            raise InputError(f"`--count {text}`", expected=wants, hint=example)
        while low < high:
            found.add(low)
            low *= 2
        found.add(high)
    return tuple(sorted(found))


def _chips(
    on: str | None,
    any_chip: bool,
    had: dict[str, int] | None,
    tiers: tuple[str, ...],
    sellers: tuple[str, ...] | None,
    priced: bool,
) -> list[str]:
    if not any_chip and on is not None:
        chips = list(dict.fromkeys(each(_bare, names_in(on, "--on"))))
        missing = [chip for chip in chips if had is not None and chip not in had]
        if missing:
            raise InputError(
                f"`--on` names {missing[0]}, which `--have` has not", hint=f"add `{missing[0]}:8` to `--have`"
            )
        return chips
    if had is not None:
        return list(had)
    if priced:
        raise InputError(
            "`--price` is the price of one accelerator, and `--on any` means them all",
            hint="name the accelerator: `--on h100-sxm`",
        )
    if "owned" in tiers and len(tiers) > 1:
        raise InputError(
            "`--tier owned` beside rented ones: nobody said which machines are owned",
            expected="what there is",
            hint="add `--have h100-sxm:64`, or leave `owned` out",
        )
    sold = {
        listing.accelerator
        for listing in catalog.prices()
        if listing.tier in tiers and (sellers is None or listing.provider in sellers)
    }
    found = [chip.name for chip in catalog.accelerators() if chip.name in sold and _trains(chip)]
    if not found:
        raise InputError(
            f"nobody lists accelerators for servers as {' or '.join(tiers)}",
            hint="write `--tier on-demand,spot`, or your own machines: `--have h100-sxm:64`",
        )
    return found


def _trains(chip: Accelerator) -> bool:
    return chip.category in _CATEGORIES and bool({"bf16", "fp16", "fp32"} & set(chip.peaks))


def _bare(name: str) -> str:
    """A name of `--on`; its count is said by `--count`."""
    if ":" in name:
        bare, _, count = name.partition(":")
        raise InputError(
            f"`--on {name}` has a count",
            expected="names alone: a plan chooses the count",
            hint=f"write `--on {bare} --count {count or '8..1024'}`",
        )
    return chip_named(name, "--on")


def _had_counts(chip: str, counts: tuple[int, ...], had: dict[str, int] | None, *, said: bool) -> tuple[int, ...]:
    if had is None:
        return counts
    most = had[chip]
    return tuple(sorted({count for count in counts if count <= most} | (set() if said else {most})))


def _tiers(text: str | None, *, owned: bool) -> tuple[str, ...]:
    if text is None:
        return ("owned" if owned else RENTED,)
    known = catalog_tiers()
    found = tuple(dict.fromkeys(name.lower().replace("_", "-") for name in names_in(text, "--tier")))
    for name in found:
        if name not in known:
            raise UnknownName("price tier", name, known, flag="--tier")
    return found


def _provider(name: str) -> str:
    listings = catalog.prices(provider=name)  # refuses a name that nobody has
    return listings[0].provider


def _goal(text: str | None) -> str:
    name = "cheapest" if text is None else text.strip().lower()
    if name not in GOALS:
        raise UnknownName("goal", name, GOALS, flag="--goal")
    return name
