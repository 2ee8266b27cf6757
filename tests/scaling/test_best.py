"""The best size: against its closed form, against the paper's figures, and in its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay.scaling import Parametric, at, best, cheapest, law, tokens_for

CHINCHILLA = Parametric(E=1.69, A=406.4, B=410.7, alpha=0.336, beta=0.283)
"""Before rounding: the exponents with which Sardana's figures come out."""

exponents = st.floats(0.2, 0.7)
curves = st.builds(
    Parametric,
    E=st.floats(0.1, 3.0),
    A=st.floats(10.0, 2000.0),
    B=st.floats(10.0, 2000.0),
    alpha=exponents,
    beta=exponents,
)
budgets = st.floats(18.0, 25.0).map(lambda exponent: 10.0**exponent)
slow = settings(max_examples=60, deadline=None)


@slow
@given(curve=curves, flop=budgets)
def test_the_search_finds_the_closed_form(curve: Parametric, flop: float) -> None:
    parameters, tokens = curve.optimum(flop)
    if not 2e6 < parameters < 5e15 or tokens < 2e6:
        return
    found = best(curve, flop)
    assert found is not None
    assert found.parameters == pytest.approx(parameters, rel=1e-4)
    assert found.loss == pytest.approx(curve.loss(parameters, tokens), rel=1e-9)
    assert found.training_flop == pytest.approx(flop, rel=1e-9)


@slow
@given(curve=curves, flop=budgets, factor=st.floats(0.2, 5.0))
def test_no_other_size_is_better(curve: Parametric, flop: float, factor: float) -> None:
    parameters, _ = curve.optimum(flop)
    other = parameters * factor
    assert curve.loss(other, flop / 6.0 / other) >= curve.loss(*curve.optimum(flop)) * (1 - 1e-12)


@slow
@given(curve=curves, flop=budgets)
def test_at_the_optimum_both_terms_pull_alike(curve: Parametric, flop: float) -> None:
    parameters, tokens = curve.optimum(flop)
    size = curve.alpha * curve.A * parameters**-curve.alpha
    data = curve.beta * curve.B * tokens**-curve.beta
    assert size == pytest.approx(data, rel=1e-9)
    assert curve.parameters_for(tokens) == pytest.approx(parameters, rel=1e-6)


@slow
@given(flop=st.floats(19.0, 25.0), served=st.floats(6.0, 14.0), price=st.floats(0.3, 10.0))
def test_the_budget_is_spent_and_demand_makes_models_smaller(flop: float, served: float, price: float) -> None:
    budget, demand = 10.0**flop, 10.0**served
    plain = best(CHINCHILLA, budget)
    found = best(CHINCHILLA, budget, tokens_served=demand, serving_price=price)
    assert plain is not None
    if found is None:
        return
    assert found.training_flop + price * found.serving_flop == pytest.approx(budget, rel=1e-6)
    assert found.parameters <= plain.parameters * (1 + 1e-4)
    assert found.loss is not None
    assert plain.loss is not None
    assert found.loss >= plain.loss * (1 - 1e-9)
    more = best(CHINCHILLA, budget, tokens_served=2 * demand, serving_price=price)
    assert more is None or more.parameters <= found.parameters * (1 + 1e-4)
    assert more is None or (more.loss or 9.0) >= found.loss * (1 - 1e-9)


def test_without_demand_the_inference_aware_size_is_the_compute_optimal_one() -> None:
    plain = best(CHINCHILLA, 1e22)
    assert plain is not None
    ratios = []
    for demand in (1e12, 1e11, 1e10, 1e8, 1e6):
        found = best(CHINCHILLA, 1e22, tokens_served=demand)
        assert found is not None
        ratios.append(found.parameters / plain.parameters)
    assert ratios == sorted(ratios)
    assert ratios[-1] == pytest.approx(1.0, abs=1e-3)


def test_the_first_order_condition_of_sardana() -> None:
    """At the cheapest size of a loss, (a N^-alpha) / (b D^-beta) terms stand as 1 + served / (3 trained)."""
    curve = CHINCHILLA
    found = cheapest(curve, curve.loss(13e9, 5.76e11), tokens_served=2e12)
    assert found is not None
    size = curve.alpha * curve.A * found.parameters**-curve.alpha
    data = curve.beta * curve.B * found.tokens**-curve.beta
    assert size / data == pytest.approx(1 + 2e12 / (3 * found.tokens), rel=1e-3)


@pytest.mark.parametrize(
    ("quality", "served", "size", "more_data"), [(7e9, 1e11, 6.0e9, 1.18)], ids=["7B, 100 B tokens"]
)
def test_sardanas_example(quality: float, served: float, size: float, more_data: float) -> None:
    curve = CHINCHILLA
    tokens = float(_optimal_tokens(curve, quality))
    found = cheapest(curve, curve.loss(quality, tokens), tokens_served=served)
    assert found is not None
    assert found.parameters == pytest.approx(size, rel=0.02)
    assert found.tokens / tokens == pytest.approx(more_data, abs=0.01)


def test_sardanas_figure_one() -> None:
    """13 B's quality for 2 T tokens: 7 B, 1.7e22 FLOP or 17 % less (arXiv:2401.00448, figure 1)."""
    tokens = _optimal_tokens(CHINCHILLA, 13e9)
    plain = at(CHINCHILLA, 13e9, tokens, tokens_served=2e12)
    assert plain.loss is not None
    found = cheapest(CHINCHILLA, plain.loss, tokens_served=2e12)
    assert found is not None
    assert found.parameters == pytest.approx(7e9, rel=0.02)
    assert plain.flop - found.flop == pytest.approx(1.7e22, rel=0.02)
    assert 1 - found.flop / plain.flop == pytest.approx(0.17, abs=0.006)


def _optimal_tokens(curve: Parametric, parameters: float) -> float:
    low, high = 1e6, 1e20
    for _ in range(200):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if curve.parameters_for(middle) < parameters else (low, middle)
    return low


@slow
@given(curve=curves, flop=st.floats(19.0, 24.0))
def test_budget_and_loss_are_two_sides_of_one_answer(curve: Parametric, flop: float) -> None:
    found = best(curve, 10.0**flop)
    if found is None or not 3e6 < found.parameters < 3e15 or found.tokens < 3e6:
        return
    assert found.loss is not None
    back = cheapest(curve, found.loss)
    assert back is not None
    assert back.training_flop == pytest.approx(10.0**flop, rel=1e-4)


def test_a_loss_below_the_limit_is_reached_by_nobody() -> None:
    assert cheapest(CHINCHILLA, CHINCHILLA.E) is None
    assert np.isinf(tokens_for(CHINCHILLA, np.array([1e9]), CHINCHILLA.E)).all()


def test_a_budget_below_the_smallest_model_has_no_answer() -> None:
    assert best(CHINCHILLA, 5e12) is None
    assert best(CHINCHILLA, 1e22, tokens_served=1e17) is None
    assert best(CHINCHILLA, 6.1e12) is not None


def test_more_money_is_never_worse() -> None:
    for name in ("besiroglu", "muennighoff", "krajewski", "abnar", "clark-rl", "gemstones", "kaplan-joint"):
        losses = [entry.loss for flop in (1e19, 1e21, 1e23, 1e25) if (entry := law(name).best(flop)) is not None]
        assert losses == sorted(losses, key=lambda loss: -(loss or 0.0))


def test_arrays_and_numbers_agree() -> None:
    parameters, tokens = np.geomspace(1e8, 1e12, 7), np.geomspace(1e10, 1e13, 7)
    for name in ("besiroglu", "krajewski", "abnar", "clark-rl"):
        for curve in law(name).curves:
            together = np.asarray(curve.loss(parameters, tokens))
            alone = [float(curve.loss(float(n), float(d))) for n, d in zip(parameters, tokens, strict=True)]
            assert together == pytest.approx(alone, rel=1e-12)
