"""The fit of whole steps: leaving sources out equals fitting without them, and magnitudes keep their bounds."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from outlay.accuracy.fit import document
from outlay.accuracy.magnitudes import MAGNITUDES, assembled
from outlay.accuracy.solve import SCALE, Fit, left_out, moved
from outlay.training import load_coefficients


def linear(seed: int) -> tuple[Fit, Any]:
    """Thirty rows of two sources whose logarithms are linear in two magnitudes, fitted; and a fit of any part of them."""
    random = np.random.default_rng(seed)
    slopes, noise = random.normal(size=(30, 2)), random.normal(scale=0.08, size=30)
    weight, tie = np.full(30, 0.5), np.array([0.2, 0.4])
    sources = ["ours"] * 20 + ["theirs"] * 10

    def solved(part: np.ndarray) -> np.ndarray:
        def residuals(move: np.ndarray) -> np.ndarray:
            error = noise[part] + slopes[part] @ move
            soft = SCALE * np.sqrt(2 * (np.sqrt(1 + (error / SCALE) ** 2) - 1))
            return np.concatenate([weight[part] * soft, tie * move])

        return np.asarray(scipy.optimize.least_squares(residuals, np.zeros(2), xtol=1e-12, ftol=1e-12, gtol=1e-12).x)

    every = np.ones(30, dtype=bool)
    at = solved(every)
    rows = tuple(SimpleNamespace(record=SimpleNamespace(source=source)) for source in sources)
    found = Fit(
        coefficients=load_coefficients().step,
        rows=rows,  # type: ignore[arg-type]
        errors=np.expm1(noise + slopes @ at),
        slopes=slopes,
        weight=weight,
        tie=tie,
        distance=at,
    )
    return found, lambda part: noise + slopes @ solved(part)


@pytest.mark.parametrize("seed", range(5))
def test_leaving_out_is_fitting_without(seed: int) -> None:
    found, fitted = linear(seed)
    seen = np.array([row.record.source == "ours" for row in found.rows])
    assert left_out(found, {"theirs"}) == pytest.approx(np.expm1(fitted(seen))[~seen], abs=2e-4)


def test_leaving_nothing_out_moves_nothing() -> None:
    found, _ = linear(0)
    assert moved(found, np.ones(30, dtype=bool)) == pytest.approx([0, 0], abs=1e-4)
    assert len(left_out(found, {"ours", "theirs"})) == 30
    assert len(left_out(found, {"nobody"})) == 0


def test_a_fit_is_stored_with_its_errors_seen_and_unseen() -> None:
    errors = {"ours": np.array([0.1, -0.2, np.nan]), "theirs": np.array([0.3])}
    content = document(linear(1)[0], errors, date="2026-11-23")
    assert set(content["errors"]) == {"ours", "theirs"}
    assert content["errors"]["theirs"]["rows"] == 10
    assert content["errors"]["theirs"]["unseen"]["mean"] == 0.3
    assert content["errors"]["ours"]["unseen"]["mean"] == 0.15
    assert content["coefficients"]["memory_slowdown"] == pytest.approx(
        load_coefficients().step.memory_slowdown, rel=1e-3
    )


@given(st.lists(st.floats(-20, 20), min_size=len(MAGNITUDES), max_size=len(MAGNITUDES)))
def test_magnitudes_stay_in_their_domain(point: list[float]) -> None:
    step = assembled(load_coefficients().step, list(MAGNITUDES), point)
    for magnitude in MAGNITUDES:
        value = getattr(step, magnitude.name)
        assert value > 0
        assert not magnitude.share or value <= 1


def test_the_shipped_fit_says_where_it_comes_from() -> None:
    """The errors that the fit left are shipped with it; a fit that gets worse fails here before it is shipped."""
    import importlib.resources
    import json

    text = (importlib.resources.files("outlay.catalog") / "coefficients" / "step.json").read_text(encoding="utf-8")
    content = json.loads(text)
    assert content["basis"] == "fitted"
    assert len(content["errors"]) >= 15
    limits = {"korthikanti_2022": 0.08, "megatron_2021_a100": 0.09, "vtrain_multi": 0.13, "vtrain_single": 0.14}
    limits |= {"llm_foundry": 0.10, "nvidia_nemo_24_25": 0.06, "simumax_b200": 0.08, "bigscience_bloom": 0.11}
    for source, limit in limits.items():
        assert content["errors"][source]["mean"] <= limit, source
