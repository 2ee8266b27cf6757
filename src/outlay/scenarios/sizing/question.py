"""What is asked of a size: a budget, a demand, data, a law; every blank filled in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from outlay import catalog, units
from outlay.errors import DoesNotFit, InputError
from outlay.scaling import Best, Fit, Law, at, law, panel, read_losses, repeated
from outlay.scaling import fit as fit_law
from outlay.scaling.best import FEWEST_TOKENS, SMALLEST
from outlay.scaling.laws import DATA_CONSTRAINED, DEFAULT
from outlay.scenarios.sizing.devices import Devices, Share, agree_devices
from outlay.statement import Assumption, Interval, Receipt
from outlay.units import format_money, format_quantity

_FIXED_POINTS = 4
_SEARCHED = 5
"""Of the resamples of a law, one in so many is searched where the best size has no closed form."""
_MIXTURES = ("granular", "sparse", "routed")
MOST_FLOP = 1e30


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """A budget in FLOP of training, and the law that divides it."""

    law: Law
    law_receipt: Receipt
    fitted: Fit | None
    panel: tuple[Law, ...]
    """Laws whose answers make the range, the law itself among them."""
    flop: float
    dollars: float | None
    """The budget, where it was one of money."""
    tokens_served: float
    unique_tokens: float | None
    devices: Devices | None
    found: Best
    level: float
    assumed: tuple[Assumption, ...]

    @property
    def serving_price(self) -> float:
        """What a FLOP of serving costs over one of training: 1 where FLOP are the budget."""
        return 1.0 if self.dollars is None or self.devices is None else self.devices.serving_price

    @property
    def shares(self) -> tuple[Share, ...]:
        """Of the peak, in training and, where something is served, in serving."""
        found = () if self.devices is None else (self.devices.training, self.devices.serving)
        return tuple(share for share in found if share is not None)

    @property
    def is_mixture(self) -> bool:
        return self.law.facts is not None and self.law.facts.form in _MIXTURES

    def best(self, flop: float, *, by: Law | None = None, served: bool = True) -> Best | None:
        """The best size for another budget, by another law, or without the demand."""
        return (by or self.law).best(
            flop, tokens_served=self.tokens_served if served else 0.0, serving_price=self.serving_price
        )

    def others(self, flop: float) -> tuple[tuple[Law, Best], ...]:
        """What each law of the panel, or each resample of one's own law, answers."""
        answers = ((entry, self.best(flop, by=entry)) for entry in self.panel)
        return tuple((entry, found) for entry, found in answers if found is not None)

    def priced(self, flop: float) -> float:
        """A budget of `flop` as it was asked for: in FLOP, or in dollars, which are no surer than to four digits."""
        if self.dollars is None:
            return flop
        return self.dollars if flop == self.flop else float(f"{flop / self.flop * self.dollars:.4g}")

    def shown(self, flop: float) -> str:
        """The same in words."""
        return format_quantity(flop, "FLOP") if self.dollars is None else format_money(self.priced(flop))


def ask_size(
    *,
    under: str | float | None,
    flop: str | float | None,
    on: str | None,
    tokens_served: str | float | None,
    unique_tokens: str | float | None,
    law_name: str | None,
    losses: str | Path | None,
    utilisation: str | float | None,
    serving_utilisation: str | float | None,
    provider: str | None,
    tier: str | None,
    price: str | float | None,
    discount: str | float | None,
    level: float,
) -> Sizing:
    """Read a question and find its answer.

    :raises InputError: for what cannot be read or contradicts itself.
    :raises DoesNotFit: if the budget is too small for any model.
    """
    budget = _budget(under, flop)
    served = (
        0.0 if tokens_served is None else float(units.parse(tokens_served, "tokens", name="--tokens-served", zero=True))
    )
    unique = None if unique_tokens is None else float(units.parse(unique_tokens, "tokens", name="--unique-tokens"))
    if serving_utilisation is not None and not served:
        raise InputError(
            "`--serving-utilisation` has nothing to serve", hint="add `--tokens-served 2T`, or leave it out"
        )
    money = {
        "--provider": provider,
        "--tier": tier,
        "--price": price,
        "--discount": discount,
        "--utilisation": utilisation,
    }
    wants_devices = under is not None or on is not None or any(value is not None for value in money.values())
    if unique is not None and unique < FEWEST_TOKENS:
        raise InputError(
            f"`--unique-tokens` is {unique_tokens}",
            expected=f"at least {FEWEST_TOKENS:,.0f} tokens",
            hint="write `--unique-tokens 300B`",
        )
    chosen, receipt, fitted, assumed = read_law(law_name, losses, served=bool(served), unique=unique)
    devices = None
    if wants_devices:
        devices = agree_devices(
            on=on,
            provider=provider,
            tier=tier,
            price=price,
            discount=discount,
            utilisation=utilisation,
            serving_utilisation=serving_utilisation,
            served=bool(served),
        )
        assumed += devices.assumed
    elif serving_utilisation is not None:
        raise InputError("`--serving-utilisation` prices nothing here", hint="add `--on h100-sxm`, or leave it out")
    question = Sizing(
        law=chosen,
        law_receipt=receipt,
        fitted=fitted,
        panel=_panel(chosen, fitted, served=bool(served), unique=unique),
        flop=budget,
        dollars=budget if under is not None else None,
        tokens_served=served,
        unique_tokens=unique,
        devices=devices,
        found=Best(parameters=1, active_parameters=1, tokens=1, loss=None, training_flop=6, serving_flop=0),
        level=level,
        assumed=assumed,
    )
    return _solved(question, stated=utilisation is not None, serving_stated=serving_utilisation is not None)


def _solved(question: Sizing, *, stated: bool, serving_stated: bool) -> Sizing:
    """The utilisation decides the size and the size the utilisation: a few turns, until the model taken as a guide stays."""

    def guided(question: Sizing, found: Best) -> Sizing:
        """With the shares of a model about as large as the one found, where they were not stated."""
        devices = question.devices
        if devices is not None and not stated:
            devices = devices.trained_as(found, question.level)
        if devices is not None and devices.serving is not None and not serving_stated:
            devices = devices.served_as(found, question.level)
        return replace(question, devices=devices)

    def solved(question: Sizing) -> Sizing:
        """With its best size; where there seems to be none, the least model is asked for at its own shares."""
        answer = _once(question)
        if answer is None:
            question = guided(question, _least(question))
            answer = _once(question)
        if answer is None:
            raise _too_little(replace(question, flop=_bought(question)))
        return answer

    seen: list[tuple[str, ...]] = []
    for _ in range(_FIXED_POINTS):
        question = solved(question)
        if question.devices is None or (stated and (serving_stated or not question.tokens_served)):
            break
        question = guided(question, question.found)
        guide = tuple(share.note for share in question.shares)
        if question.dollars is None or guide in seen:
            break
        seen.append(guide)
    question = solved(question)
    notes = tuple(share.assumption for share in question.shares if share.assumption is not None)
    return replace(question, assumed=(*question.assumed, *notes))


def _once(question: Sizing) -> Sizing | None:
    """With the best size at the shares that it has; None where no size is to be had."""
    flop = _bought(question)
    found = question.best(flop)
    return None if found is None else replace(question, flop=flop, found=found)


def _least(question: Sizing) -> Best:
    """The least model that is looked at; with experts where the law has some."""
    found = question.found
    label = "experts" if question.is_mixture else found.label
    return replace(found, parameters=SMALLEST, active_parameters=SMALLEST, tokens=FEWEST_TOKENS, label=label)


def _bought(question: Sizing) -> float:
    """FLOP of training that the budget buys."""
    flop = question.flop
    if question.dollars is not None and question.devices is not None:
        bought = question.devices.flop(question.dollars)
        if bought is None:
            raise InputError(
                f"{question.devices.chip.name} has no price here, so {format_money(question.dollars)} buy no known time",
                hint="write `--price 2.10`, in dollars per device-hour, or `--flop 1e22`",
            )
        flop = bought
    if flop > MOST_FLOP:
        flag, most = "--flop", 1e24
        if question.dollars is not None:
            flag, most = "--under", float(f"{question.dollars * 1e24 / flop:.1g}")
        raise InputError(
            f"the budget is {flop:.3g} FLOP",
            expected="at most 1e30",
            hint=f"write `{flag} {most:.0e}`".replace("e+0", "e").replace("e+", "e"),
        )
    return flop


def _too_little(question: Sizing) -> DoesNotFit:
    """No size at all: the demand, or the least model, costs more than there is."""
    least = 6.0 * SMALLEST * FEWEST_TOKENS + 2.0 * question.serving_price * SMALLEST * question.tokens_served
    asked = question.shown(question.flop)
    flag, need = "--flop", f"{least * 1.1:.2g}".replace("e+", "e")
    if question.dollars is not None:
        flag, need = "--under", f"{max(float(f'{question.priced(least) * 1.1:.2g}'), 0.01):.12g}"
    why = f"a model of 1 M parameters on 1 M tokens takes {question.shown(least)}"
    if question.tokens_served:
        why = f"to serve {format_quantity(question.tokens_served, 'tokens')}, even " + why
    hint = f"write `{flag} {need}`" + (" or fewer `--tokens-served`" if question.tokens_served else "")
    return DoesNotFit(f"no model fits into {asked}\n  {why}", hint=hint)


def _budget(under: str | float | None, flop: str | float | None) -> float:
    if under is not None and flop is not None:
        raise InputError(
            "`--under` and `--flop` are two budgets",
            expected="one of them",
            hint="write `--under 1M` for dollars, or `--flop 1e22` for operations",
        )
    if under is not None:
        return units.parse(under, "$", name="--under")
    if flop is not None:
        return units.parse(flop, "FLOP", name="--flop", example="1e22")
    raise InputError(
        "the budget is missing", hint="write `outlay size --under 1M` for dollars, or `outlay size --flop 1e22`"
    )


def read_law(
    name: str | None, losses: str | Path | None, *, served: bool, unique: float | None
) -> tuple[Law, Receipt, Fit | None, tuple[Assumption, ...]]:
    """The law that divides the budget: as named, as fitted, or the usual one for the question."""
    for flag, text in (("--law", name), ("--fit", losses)):
        if text is not None and not str(text).strip():
            raise InputError(f"`{flag}` is empty", hint=f"leave `{flag}` out, or say one")
    if losses is not None:
        if name is not None:
            raise InputError("`--law` and `--fit` are two laws", expected="one of them", hint="leave `--law` out")
        return _own(losses, unique)
    wanted = name or (DEFAULT if unique is None else DATA_CONSTRAINED)
    found = law(wanted, unique_tokens=unique)
    assert found.facts is not None
    if served and not found.says_loss:
        raise InputError(
            f"the law `{found.name}` says nothing of sizes beside the compute-optimal one, so it cannot weigh serving",
            hint=f"leave `--tokens-served` out, or write `--law {DEFAULT}`",
        )
    assumed: list[Assumption] = []
    if name is None:
        why = f"{found.facts.title}; `outlay show laws` lists the others, `--fit` makes one of your own runs"
        assumed.append(Assumption("law", value=found.name, why=why, receipt=found.facts.receipt))
    if unique is not None:
        assumed += _decays(found.name)
    return found, found.facts.receipt, None, tuple(assumed)


def _decays(name: str) -> list[Assumption]:
    facts = catalog.law(DATA_CONSTRAINED)
    if name == facts.name:
        return []
    tokens, size = facts.constants["token_decay"], facts.constants["parameter_decay"]
    value = f"tokens after {tokens:.1f} repeats, parameters after {size:.1f}"
    return [
        Assumption("decay of repeats", value=value, why=f"fitted on C4; `{name}` knows none", receipt=facts.receipt)
    ]


def _own(losses: str | Path, unique: float | None) -> tuple[Law, Receipt, Fit, tuple[Assumption, ...]]:
    fitted = fit_law(read_losses(losses))
    receipt = Receipt(f"{len(fitted.runs)} runs", unit="", source=str(losses), date="", basis="yours")
    curve = fitted.curve if unique is None else repeated(fitted.curve, unique, name="yours")
    assumed = () if unique is None else tuple(_decays("yours"))
    return Law(name="yours", facts=None, curves=(curve,)), receipt, fitted, assumed


def _panel(chosen: Law, fitted: Fit | None, *, served: bool, unique: float | None) -> tuple[Law, ...]:
    """The law itself and those that its answer can be held against: dense ones of language, or its own resamples."""
    if fitted is not None:
        return (chosen,)
    assert chosen.facts is not None
    if chosen.facts.domain != "language" or chosen.facts.form in _MIXTURES:
        return (chosen,)
    found = panel(served=served, unique_tokens=unique)
    return found if chosen.name in {entry.name for entry in found} else (chosen, *found)


def spread(question: Sizing, flop: float) -> dict[str, Interval]:
    """Parameters, tokens and loss with their range: over the laws, or the quantiles of one's own resamples."""
    found = question.found if flop == question.flop else question.best(flop)
    assert found is not None
    answers = [entry for _, entry in question.others(flop)]
    share = 0.0
    if question.fitted is not None:
        answers = list(_resampled(question, question.fitted, flop))
        share = (1.0 - question.level) / 2.0
    made: dict[str, Interval] = {}
    for name in ("parameters", "tokens", "loss"):
        likely = getattr(found, name)
        values = sorted(value for entry in answers if (value := getattr(entry, name)) is not None)
        if likely is None:
            continue
        if len(values) < 2:
            made[name] = Interval.of(likely)
            continue
        low, high = _quantile(values, share), _quantile(values, 1.0 - share)
        made[name] = Interval.between(min(low, likely), likely, max(high, likely))
    return made


def _resampled(question: Sizing, fitted: Fit, flop: float) -> list[Best]:
    """In closed form where there is one; else of a part of the resamples, since each is searched for."""
    if not question.tokens_served and question.unique_tokens is None:
        return [at(sample, *(float(value) for value in sample.optimum(flop))) for sample in fitted.samples]
    found = []
    for sample in fitted.samples[::_SEARCHED]:
        curve = sample if question.unique_tokens is None else repeated(sample, question.unique_tokens, name="yours")
        answer = question.best(flop, by=Law(name="yours", facts=None, curves=(curve,)))
        found += [] if answer is None else [answer]
    return found


def _quantile(values: list[float], share: float) -> float:
    place = share * (len(values) - 1)
    first = min(int(place), len(values) - 2)
    return values[first] + (values[first + 1] - values[first]) * (place - first)
