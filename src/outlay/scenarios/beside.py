"""What a training costs beside its run: runs before it, people, data that leave; lines where somebody says them."""

from __future__ import annotations

from dataclasses import dataclass

from outlay import catalog, units
from outlay.errors import InputError
from outlay.scenarios.people import People, people_of, read_people
from outlay.statement import Assumption, Interval, Receipt

HOURS_A_YEAR = 8_766.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """Shares from 0 up, dollars and bytes; None where nobody said."""

    exploration: float | None = None
    """Device-hours of failed and exploratory runs, over those of the run."""
    people: People | None = None
    egress: float | None = None


def read_beside(
    exploration: str | float | None, people: str | float | None, egress: str | float | None, *, a_month: bool = False
) -> Beside:
    """Read them; people are those of a run, or with `a_month` of a month. :class:`InputError` names what cannot be read."""
    team: People | None = None
    if people is not None:
        team = read_people(people) if a_month else people_of(people, unit="team", example="120k")
    return Beside(
        exploration=None
        if exploration is None
        else units.parse(exploration, "%", name="--exploration", zero=True, example="50%"),
        people=team,
        egress=None if egress is None else units.parse(egress, "B stored", name="--egress", zero=True, example="500GB"),
    )


def amortised(
    hardware: str | float, life: str | float | None, use: str | float | None, assumed: list[Assumption]
) -> tuple[Interval, Receipt]:
    """Dollars of a device-hour of what was bought for `hardware` dollars; `assumed` grows by what nobody said.

    >>> price, _ = amortised("35064", "4", "100%", [])
    >>> price.likely
    1.0
    """
    dollars = units.parse(hardware, "$", name="--hardware", example="30k")
    years, share = catalog.factor("device-life", "datacenter"), catalog.factor("utilisation", "datacenter")
    kept = years.likely if life is None else _years(life)
    busy = share.likely if use is None else units.parse(use, "%", name="--use", example="70%")
    if busy > 1:
        raise InputError(f"`--use` is {use}", expected="a share of at most 100%", hint="write `--use 70%`")
    if life is None:
        assumed.append(
            Assumption("life of devices", value=f"{kept:g} years", why="`--life` says another", receipt=years.receipt)
        )
    if use is None:
        assumed.append(
            Assumption(
                "use of devices", value=f"{busy:.0%} of the time", why="`--use` says another", receipt=share.receipt
            )
        )
    price = dollars / (kept * HOURS_A_YEAR * busy)
    source = f"--hardware {dollars:,.0f} over {kept:g} years, used {busy:.0%} of the time"
    return Interval.exact(price), Receipt(price, unit="$/device-hour", source=source, date="", basis="yours")


def _years(text: str | float) -> float:
    """`4`, `4y`: years."""
    words = str(text).strip().lower()
    number = words.removesuffix("years").removesuffix("year").removesuffix("y").strip()
    try:
        years = float(number)
    except ValueError:
        years = 0.0
    if not 0.1 <= years <= 50:
        raise InputError(f"`--life` is {text}", expected="years, from 0.1 to 50", hint="write `--life 4`")
    return years
