"""The laws of the catalog as formulas: how each divides a budget, and where it was never tried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from outlay import catalog
from outlay.catalog import LawFacts
from outlay.errors import InputError
from outlay.scaling.allocation import Allocation
from outlay.scaling.best import Best, at, best
from outlay.scaling.curve import FORWARD, TRAINING, Curve
from outlay.scaling.experts import Granular, Routed, Sparse
from outlay.scaling.parametric import Parametric
from outlay.scaling.repeats import Repeated
from outlay.units import format_number, format_quantity

DEFAULT, DATA_CONSTRAINED = "besiroglu", "muennighoff"
ROUTED_TOKENS = 130e9
"""All routed models were trained on so many (arXiv:2202.01169, §4)."""
GRANULARITIES = (1.0, 2.0, 4.0, 8.0, 16.0)
SPARSITIES = (0.0, 0.5, 0.75, 0.875, 0.9, 0.95)
EXPERTS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
_DECAYS = ("token_decay", "parameter_decay")


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """A law ready to answer: `curves` are the choices that it leaves, or an allocation stands in their place."""

    name: str
    facts: LawFacts | None
    """None for a law of the user's own."""
    curves: tuple[Curve, ...] = ()
    allocation: Allocation | None = None

    @property
    def says_loss(self) -> bool:
        """It gives a loss for any size and data, so that demand can be weighed."""
        return bool(self.curves)

    def best(self, flop: float, *, tokens_served: float = 0.0, serving_price: float = 1.0) -> Best | None:
        """The best size for `flop` of training and serving; None if there is none.

        An allocation answers only where nothing is served.

        >>> found = law("llama-3").best(3.8e25)
        >>> f"{found.parameters:.3g} {found.loss}"
        '3.89e+11 None'
        >>> law("llama-3").best(3.8e25, tokens_served=1e12) is None
        True
        """
        if self.allocation is not None:
            return None if tokens_served else _allocated(self.allocation, flop)
        found = [
            _routed(curve, flop, tokens_served, serving_price)
            if isinstance(curve, Routed)
            else best(curve, flop, tokens_served=tokens_served, serving_price=serving_price)
            for curve in self.curves
        ]
        answers = [entry for entry in found if entry is not None and entry.loss is not None]
        return min(answers, key=lambda entry: entry.loss or 0.0, default=None)

    def beyond(self, found: Best) -> tuple[str, ...]:
        """What of an answer lies outside the runs that the law was fitted on, in words.

        >>> chinchilla = law("chinchilla")
        >>> chinchilla.beyond(chinchilla.best(6e23))
        ('2.6 × the largest size (16 B)', '4.9 × the most tokens (500 B tokens)', '200 × the most FLOP (3 ZFLOP)')
        """
        facts = self.facts
        if facts is None:
            return ()
        said = []
        for value, span, low, high, unit in (
            (found.parameters, facts.parameters, "smallest size", "largest size", "parameters"),
            (found.tokens, facts.tokens, "fewest tokens", "most tokens", "tokens"),
            (found.ratio, facts.ratio, "fewest tokens a parameter", "most tokens a parameter", ""),
            (found.training_flop, facts.flop, "least FLOP", "most FLOP", "FLOP"),
        ):
            if span is None or span[0] / 1.001 <= value <= span[1] * 1.001:
                continue
            edge, words = (span[0], low) if value < span[0] else (span[1], high)
            shown = format_quantity(edge, unit).removesuffix(" parameters") if unit else format_number(edge)
            said.append(f"{format_number(value / edge, digits=2)} × the {words} ({shown})")
        return tuple(said)


def law(name: str, *, unique_tokens: float | None = None) -> Law:
    """The law `name` of the catalog, over `unique_tokens` of data where they are few.

    Laws that know nothing of repetition take the decays of Muennighoff's.

    :raises UnknownName: with the nearest names.
    :raises InputError: if the law has no data to repeat.
    """
    facts = catalog.law(name)
    if facts.form == "allocation":
        if unique_tokens is not None:
            raise _no_data(facts.name)
        return Law(name=facts.name, facts=facts, allocation=_allocation(facts.constants))
    curves = _curves(facts)
    if unique_tokens is not None:
        curves = tuple(repeated(curve, unique_tokens, name=facts.name, constants=facts.constants) for curve in curves)
    return Law(name=facts.name, facts=facts, curves=curves)


def repeated(curve: Curve, unique_tokens: float, *, name: str, constants: Mapping[str, float] | None = None) -> Curve:
    """`curve` over data that run out.

    :raises InputError: for a law that is no sum of two powers.
    """
    if not isinstance(curve, Parametric) or curve.power != 1.0:
        raise _no_data(name)
    own = constants if constants and _DECAYS[0] in constants else catalog.law(DATA_CONSTRAINED).constants
    return Repeated(base=curve, unique_tokens=unique_tokens, **{key: own[key] for key in _DECAYS})


def laws(domain: str = "language") -> tuple[Law, ...]:
    """All laws of a domain, in the order of the catalog."""
    return tuple(law(facts.name) for facts in catalog.laws() if facts.domain == domain)


def panel(*, served: bool = False, unique_tokens: float | None = None) -> tuple[Law, ...]:
    """The laws whose answers make the range: those that can weigh demand, or repeat data, where that is asked."""
    names = [facts.name for facts in catalog.laws() if facts.panel]
    if served or unique_tokens is not None:
        names = [name for name in names if catalog.law(name).form == "parametric"]
    return tuple(law(name, unique_tokens=unique_tokens) for name in names)


def _no_data(name: str) -> InputError:
    return InputError(
        f"the law `{name}` says nothing of data that are seen twice",
        hint=f"leave `--unique-tokens` out, or write `--law {DATA_CONSTRAINED}`",
    )


def _curves(facts: LawFacts) -> tuple[Curve, ...]:
    constants = dict(facts.constants)
    if facts.form == "joint":
        alpha = constants["alphaN"] / constants["alphaD"]
        size = constants["Nc"] ** alpha
        return (Parametric(E=0.0, A=size, B=constants["Dc"], alpha=alpha, beta=1.0, power=constants["alphaD"]),)
    if facts.form == "granular":
        return tuple(Granular(granularity=granularity, **constants) for granularity in GRANULARITIES)
    if facts.form == "sparse":
        constants["lambda_"] = constants.pop("lambda")
        return tuple(Sparse(sparsity=sparsity, **constants) for sparsity in SPARSITIES)
    if facts.form == "routed":
        return tuple(Routed(experts=experts, **constants) for experts in EXPERTS)
    return (Parametric(**{key: value for key, value in constants.items() if key not in _DECAYS}),)


def _allocation(constants: Mapping[str, float]) -> Allocation:
    return Allocation(
        parameters_coefficient=constants.get("N"),
        parameters_exponent=constants.get("a", 0.0),
        tokens_coefficient=constants.get("D"),
        tokens_exponent=constants.get("b", 0.0),
        loss_coefficient=constants.get("L"),
        loss_exponent=constants.get("l", 0.0),
    )


def _allocated(allocation: Allocation, flop: float) -> Best:
    parameters, tokens = (float(value) for value in allocation.optimum(flop))
    return Best(
        parameters=parameters,
        active_parameters=parameters,
        tokens=tokens,
        loss=allocation.least_loss(flop),
        training_flop=flop,
        serving_flop=0.0,
    )


def _routed(curve: Routed, flop: float, tokens_served: float, serving_price: float) -> Best:
    """All that the budget buys at the tokens of the law's runs."""
    each = TRAINING * ROUTED_TOKENS + FORWARD * serving_price * tokens_served
    return at(curve, flop / each, ROUTED_TOKENS, tokens_served=tokens_served)
