"""Published laws against what their papers print; repeated data; mixtures; where laws stop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay import catalog
from outlay.errors import InputError
from outlay.scaling import Granular, Parametric, Repeated, Routed, Sparse, cheapest, law, laws, panel, repeated, worth


def test_every_law_answers_a_budget() -> None:
    for entry in (*laws(), *laws("diffusion")):
        found = entry.best(1e21)
        assert found is not None, entry.name
        assert 1e7 < found.active_parameters < 1e12, entry.name
        assert 1e8 < found.tokens < 1e14, entry.name
        assert found.active_parameters <= found.parameters
        assert found.loss is None or 0.3 < found.loss < 4


@pytest.mark.parametrize(
    ("name", "flop", "parameters", "tokens", "within"),
    [
        ("chinchilla-1", 1.23e22, 10e9, 205.1e9, 0.02),  # table 3 of arXiv:2203.15556
        ("chinchilla-1", 5.76e23, 67e9, 1.5e12, 0.08),
        ("llama-3", 3.8e25, 402e9, 16.55e12, 0.05),
        ("porian", 5.88e23, 77e9, 1.27e12, 0.01),
        ("kaplan", 8.64e19, 1.3e9, 1.1e10, 0.01),
        ("nanochat", 1e19, 381.8e6, 3.8069e9, 0.02),
        ("besiroglu", 5.76e23, 70e9, 1.4e12, 0.06),  # Chinchilla itself: about 20 tokens a parameter
        ("chinchilla", 5.76e23, 40e9, 2.4e12, 0.05),  # table A3: 40 B by approach 3
        ("krajewski", 1.93e20, 43e9, 28.94e9, 0.04),  # table 2 of arXiv:2402.07871: 64 × 1 B, granularity 16
        ("krajewski", 2.95e18, 4.3e9, 4.37e9, 0.04),  # 64 × 100 M, granularity 8
    ],
)
def test_what_the_papers_print(name: str, flop: float, parameters: float, tokens: float, within: float) -> None:
    found = law(name).best(flop)
    assert found is not None
    assert found.parameters == pytest.approx(parameters, rel=within)
    assert found.tokens == pytest.approx(tokens, rel=within)


def test_fine_grained_experts_save_twenty_times_at_1e20() -> None:
    found = law("krajewski").best(1e20)
    assert found is not None
    assert found.loss is not None
    dense = cheapest(law("krajewski-dense").curves[0], found.loss)
    assert dense is not None
    assert dense.training_flop / 1e20 == pytest.approx(20, rel=0.1)
    assert found.label.startswith("granularity 16")


def test_the_published_losses_of_gemstones_and_chinchilla() -> None:
    assert law("gemstones").curves[0].loss(543482880.0, 10003415040.0) == pytest.approx(3.1011, rel=0.003)
    again = law("besiroglu").curves[0].loss(1e9, 2e10)
    assert law("chinchilla").curves[0].loss(1e9, 2e10) == pytest.approx(again, rel=0.01)
    assert law("chinchilla-rounded").curves[0].loss(1e9, 2e10) == pytest.approx(again, rel=0.03)


def test_the_joint_law_of_kaplan_is_its_own_formula() -> None:
    size, data = 1e8, 1e10
    expected = ((6.4e13 / size) ** (0.076 / 0.103) + 1.8e13 / data) ** 0.103
    assert law("kaplan-joint").curves[0].loss(size, data) == pytest.approx(expected, rel=1e-12)


# --- repeated data

unique = st.floats(8.0, 13.0).map(lambda exponent: 10.0**exponent)
amounts = st.floats(7.0, 16.0).map(lambda exponent: 10.0**exponent)
DECAY = 15.387756


@given(amount=amounts, fresh=unique)
def test_a_repeated_token_is_never_worth_more_than_a_fresh_one(amount: float, fresh: float) -> None:
    found = worth(amount, fresh, DECAY)
    assert found <= amount * (1 + 1e-9)
    assert found <= fresh * (1 + DECAY) * (1 + 1e-9)
    if amount <= fresh:
        assert found == pytest.approx(amount, rel=1e-12)
    assert worth(2 * amount, fresh, DECAY) >= found * (1 - 1e-12)


def test_repeats_saturate() -> None:
    assert worth(1e20, 1e9, DECAY) == pytest.approx(1e9 * (1 + DECAY))
    four = worth(4e9, 1e9, DECAY) / 4e9
    assert 0.9 < four < 1, "up to four epochs are nearly free (arXiv:2305.16264)"


@given(fresh=unique, parameters=st.floats(7.0, 12.0).map(lambda e: 10.0**e), tokens=amounts)
def test_less_data_is_never_better(fresh: float, parameters: float, tokens: float) -> None:
    base = law("muennighoff").curves[0]
    assert isinstance(base, Parametric)
    few, more = (repeated(base, amount, name="muennighoff") for amount in (fresh, 3 * fresh))
    assert few.loss(parameters, tokens) >= more.loss(parameters, tokens) * (1 - 1e-9)
    assert more.loss(parameters, tokens) >= base.loss(parameters, tokens) * (1 - 1e-9)


def test_with_data_in_plenty_nothing_is_repeated() -> None:
    plain = law("muennighoff").best(1e21)
    plenty = law("muennighoff", unique_tokens=1e15).best(1e21)
    assert plain is not None
    assert plenty is not None
    assert plenty.loss == pytest.approx(plain.loss, rel=1e-6)
    assert plenty.parameters == pytest.approx(plain.parameters, rel=0.01)
    few = law("muennighoff", unique_tokens=1e9).best(1e21)
    assert few is not None
    assert few.loss is not None
    assert plain.loss is not None
    assert few.loss > plain.loss
    assert few.parameters < plain.parameters, "repeats are spent on epochs before they are on size"


def test_unique_parameters_are_a_twentieth_of_the_data() -> None:
    base = law("muennighoff").curves[0]
    assert isinstance(base, Parametric)
    assert base.parameters_for(1e11) / 1e11 == pytest.approx(0.051, rel=0.01)


def test_other_laws_take_the_decays_of_muennighoff() -> None:
    (curve,) = law("besiroglu", unique_tokens=1e10).curves
    assert isinstance(curve, Repeated)
    assert curve.token_decay == DECAY
    for name in ("krajewski", "abnar", "clark-rl", "llama-3", "kaplan-joint"):
        with pytest.raises(InputError, match="seen twice"):
            law(name, unique_tokens=1e10)


# --- experts


def test_one_finest_expert_is_no_cheaper_than_its_routing() -> None:
    flop = [
        Granular(c=0, g=1, gamma=1, a=1, alpha=0.1, b=1, beta=0.1, granularity=g).flop_per_token(1e10) for g in (1, 64)
    ]
    assert flop[0] < flop[1]


def test_a_mixture_without_sparsity_is_dense() -> None:
    curve = law("abnar").curves[0]
    assert isinstance(curve, Sparse)
    assert curve.sparsity == 0
    assert curve.active_parameters(1e9) == 1e9
    assert curve.flop_per_token(1e9) == 6e9
    losses = [entry.loss(1e10, 1e11) for entry in law("abnar").curves]
    assert losses == sorted(losses), "at one total size, sparser is worse"


def test_routing_with_one_expert_is_no_routing() -> None:
    one, many = (
        next(curve for curve in law("clark-sbase").curves if isinstance(curve, Routed) and curve.experts == experts)
        for experts in (1.0, 64.0)
    )
    assert one.saturated(1.0) == pytest.approx(one.Estart)
    assert one.saturated(1e12) == pytest.approx(one.Emax)
    assert one.dense_equal(1.3e9) == pytest.approx(1.3e9, rel=1e-9)
    assert many.dense_equal(1.3e9) > 2 * 1.3e9
    assert many.dense_equal(1e13) < 1e13, "beyond the cutoff routing does not help"
    assert np.shape(one.loss(np.array([1e9, 1e10]), 130e9)) == (2,)


# --- the panel and the ranges


def test_the_panel_can_weigh_what_is_asked() -> None:
    names = {entry.name for entry in panel()}
    assert names == {facts.name for facts in catalog.laws() if facts.panel}
    assert {entry.name for entry in panel(served=True)} == {"besiroglu", "chinchilla", "muennighoff"}
    assert all(isinstance(entry.curves[0], Repeated) for entry in panel(unique_tokens=1e9))


def test_the_dense_laws_agree_within_a_factor_of_three() -> None:
    for flop in (1e20, 1e21, 1e22):
        sizes = [found.parameters for entry in panel() if (found := entry.best(flop)) is not None]
        assert max(sizes) / min(sizes) < 3


def test_beyond_says_what_is() -> None:
    found = law("besiroglu").best(1e21)
    assert found is not None
    assert law("besiroglu").beyond(found) == ()
    far = law("besiroglu").best(1e26)
    assert far is not None
    said = " ".join(law("besiroglu").beyond(far))
    assert "largest size" in said
    assert "most tokens" in said
    assert "most FLOP" in said
    small = law("besiroglu").best(1e16)
    assert small is not None
    assert "smallest size" in " ".join(law("besiroglu").beyond(small))
