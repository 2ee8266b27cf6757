"""The size for a budget: dollars and FLOP that agree, what half the size costs, and statements that hold together."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import outlay
from outlay import catalog
from outlay.errors import DoesNotFit, InputError
from outlay.render import render
from outlay.scaling import law
from outlay.scenarios.sizing.best import best_size
from outlay.statement import Statement, Table, from_json, to_json

POINTS = Path(__file__).resolve().parents[3] / "validation" / "losses" / "chinchilla.csv"
PLAIN = {"on": "h100-sxm", "price": 2.0, "utilisation": "40%"}


def table(statement: Statement, key: str) -> Table:
    found = statement.find(key)
    assert isinstance(found, Table)
    return found


def likely(statement: Statement, name: str) -> float:
    return statement.answer[name].value.likely


def test_it_is_public_and_its_statement_survives_json() -> None:
    assert outlay.best_size is best_size
    for statement in (best_size(flop=1e22), best_size(under="1M", tokens_served="2T", unique_tokens="1T")):
        assert from_json(to_json(statement)) == statement


def test_dollars_become_flop_by_price_and_utilisation() -> None:
    dollars = best_size(under=100_000, **PLAIN)
    peak = catalog.accelerator("h100-sxm").peak("bf16")
    flop = 100_000 / 2.0 * 3600 * 0.4 * peak
    assert likely(dollars, "training_flop") == pytest.approx(flop, rel=1e-9)
    plain = best_size(flop=flop)
    assert likely(dollars, "parameters") == pytest.approx(likely(plain, "parameters"), rel=1e-9)
    assert dollars.total.amount is not None
    assert dollars.total.amount.likely == pytest.approx(100_000, rel=1e-9)
    assert not dollars.total.amount.has_range
    assert dollars.coverage is None


def test_the_catalogs_own_price_is_taken() -> None:
    statement = best_size(under=100_000, on="h100-sxm", utilisation="40%", provider="lambda")
    price = catalog.price_for("h100-sxm", "lambda").likely
    (line,) = statement.lines
    assert line.unit_price is not None
    assert line.unit_price.likely == price
    assert line.receipts[0].source == catalog.price_for("h100-sxm", "lambda").receipt.source
    off = best_size(under=100_000, on="h100-sxm", utilisation="40%", provider="lambda", discount="50%")
    assert likely(off, "training_flop") == pytest.approx(2 * likely(statement, "training_flop"))


def test_a_dearer_flop_buys_a_smaller_model() -> None:
    sizes = [
        likely(best_size(under=1e5, on="h100-sxm", price=price, utilisation="40%"), "parameters") for price in (1, 2, 4)
    ]
    assert sizes == sorted(sizes, reverse=True)


def test_the_budget_pays_for_training_and_serving() -> None:
    statement = best_size(under=1e6, tokens_served=2e12, serving_utilisation="20%", **PLAIN)
    training, serving = statement.lines
    assert training.amount is not None
    assert serving.amount is not None
    assert training.amount.likely + serving.amount.likely == pytest.approx(1e6, rel=1e-6)
    assert serving.quantity is not None
    served = 2 * likely(statement, "parameters") * 2e12
    peak = catalog.accelerator("h100-sxm").peak("bf16")
    assert serving.quantity.likely == pytest.approx(served / (0.2 * peak) / 3600, rel=1e-9)
    dear = best_size(under=1e6, tokens_served=2e12, serving_utilisation="5%", **PLAIN)
    assert likely(dear, "parameters") < likely(statement, "parameters")


def test_without_demand_it_is_the_compute_optimal_size() -> None:
    plain, little = best_size(flop=1e22), best_size(flop=1e22, tokens_served=1e6)
    assert likely(little, "parameters") == pytest.approx(likely(plain, "parameters"), rel=1e-3)
    assert likely(best_size(flop=1e22, tokens_served=0), "parameters") == likely(plain, "parameters")


def test_the_utilisation_is_that_of_our_own_training() -> None:
    statement = best_size(under="1M", on="h100-sxm")
    (assumed,) = (entry for entry in statement.assumed if entry.name == "utilisation")
    found = re.search(r"a whole run of (\S+) on ([\d,]+) × (\S+),", assumed.why)
    assert found is not None
    model, count, chip = found.group(1), int(found.group(2).replace(",", "")), found.group(3)
    run = outlay.cost_training(model, tokens=round(likely(statement, "tokens")), on=f"{chip}:{count}")
    seconds = run.answer["seconds"].value
    peak = catalog.accelerator(chip).peak("bf16")
    from outlay.scenarios.named import read_model
    from outlay.workload import parameters

    flop = 6 * parameters(read_model(model)[0]).active * likely(statement, "tokens")
    share = float(assumed.value.partition("%")[0]) / 100
    assert flop / (seconds.likely * count * peak) == pytest.approx(share, abs=0.002)
    assert statement.total.amount is not None
    assert statement.total.amount.has_range


def test_a_count_is_taken_and_half_a_dozen_chips_answer() -> None:
    for on in ("h100-sxm:64", "a100-sxm-80gb", "rtx-4090", "tpu-v5p", "v100-sxm-32gb", "mi300x"):
        statement = best_size(under="20k", on=on)
        assert statement.total.amount is not None
        assert statement.total.amount.likely == pytest.approx(20_000, rel=1e-6)


def test_ranges_hold_the_laws() -> None:
    statement = best_size(flop=1e22)
    side = table(statement, "laws")
    sizes = [float(row[1]) * 1e9 for row in side.rows if isinstance(row[1], float)]
    value = statement.answer["parameters"].value
    assert value.low == pytest.approx(min(sizes))
    assert value.high == pytest.approx(max(sizes))
    assert len(sizes) >= 6


def test_half_the_size_is_what_it_says() -> None:
    statement = best_size(flop=1e22)
    curve = law("besiroglu").curves[0]
    parameters, tokens, loss = (likely(statement, name) for name in ("parameters", "tokens", "loss"))
    half = next(note for note in statement.notes if note.startswith("Half the size"))
    lost = float(curve.loss(parameters / 2, tokens)) - loss
    kept = float(curve.loss(parameters / 2, 2 * tokens)) - loss
    assert "costs 5 ZFLOP less" in half
    assert f"loses {lost:.2g}" in half
    assert f"it loses {kept:.2g}" in half
    rows = {row[0]: row for row in table(statement, "sizes").rows}
    assert rows["× 1"][4] == pytest.approx(loss)
    assert all(float(row[4] or 9) >= loss for row in rows.values())  # type: ignore[arg-type]
    assert all(row[5] is None or float(row[5]) >= 1e22 * (1 - 1e-9) for row in rows.values())  # type: ignore[arg-type]


def test_the_curve_falls() -> None:
    for keywords in ({}, {"tokens_served": 1e12}, {"unique_tokens": 1e10}, {"law": "abnar"}, {"law": "clark-hash"}):
        rows = table(best_size(flop=1e22, **keywords), "curve").rows
        losses = [float(row[3]) for row in rows if isinstance(row[3], float)]
        assert len(losses) >= 5
        assert losses == sorted(losses, reverse=True)


def test_data_that_run_out() -> None:
    plain, few = best_size(flop=1e22, law="muennighoff"), best_size(flop=1e22, unique_tokens="20B")
    assert likely(few, "loss") > likely(plain, "loss")
    assert likely(few, "epochs") == pytest.approx(likely(few, "tokens") / 20e9)
    rows = table(few, "repeats").rows
    for seen, fresh in ((float(row[1]), float(row[2])) for row in rows):  # type: ignore[arg-type]
        assert fresh <= seen * (1 + 1e-9)


def test_beyond_the_runs_of_a_law_is_said() -> None:
    assert any(note.startswith("Beyond the runs of besiroglu") for note in best_size(flop=1e26).notes)
    assert not any(note.startswith("Beyond the runs of besiroglu") for note in best_size(flop=1e21).notes)
    assert any("640 tokens a parameter" in note for note in best_size(flop=1e22, tokens_served=5e13).notes)
    assert any("16 epochs" in note for note in best_size(flop=1e23, unique_tokens=1e9).notes)


def test_mixtures_are_weighed_against_their_own_dense_models() -> None:
    rows = {str(row[0]): row for row in table(best_size(flop=1e20), "experts").rows}
    assert float(rows["krajewski"][5]) == pytest.approx(21.3, rel=0.02)  # type: ignore[arg-type]
    assert set(rows) == {"krajewski", "abnar", "clark-rl"}
    mixture = best_size(flop=1e20, law="krajewski")
    assert likely(mixture, "active_parameters") < likely(mixture, "parameters") / 40
    assert "experts" not in {section.key for section in mixture.sections}


def test_every_figure_that_is_shown_has_a_source() -> None:
    statement = best_size(under="1M", tokens_served="2T", unique_tokens="1T")
    for line in statement.lines:
        assert line.receipts
        assert all(part.receipts for part in line.parts)
    for section in statement.sections:
        assert section.receipts, section.key
    for name in ("parameters", "tokens", "loss"):
        assert statement.answer[name].receipts
        assert "law" in statement.answer[name].assumed


# --- a law of one's own


def test_a_fitted_law_answers_with_the_range_of_its_resamples() -> None:
    own, published = best_size(losses=POINTS, flop=1e22), best_size(flop=1e22)
    value = own.answer["parameters"].value
    assert value.low is not None
    assert value.high is not None
    assert value.low < likely(published, "parameters") < value.high
    assert own.answer["loss"].receipts[0].basis == "yours"
    assert table(own, "constants").rows[0][0] == "E"
    assert not any(entry.name == "law" for entry in own.assumed)
    assert any(note.startswith("Beyond your runs: 7.") for note in best_size(losses=POINTS, flop=1e23).notes)


def test_a_law_alone() -> None:
    statement = best_size(losses=POINTS)
    assert statement.title.startswith("A law from 240 runs: loss = 1.82 + 478 ÷ N^0.347")
    assert [section.key for section in statement.sections] == ["constants", "optimum"]
    assert from_json(to_json(statement)) == statement
    with pytest.raises(InputError, match="`--price` needs a budget"):
        best_size(losses=POINTS, price=2)


# --- what cannot be answered


@settings(max_examples=60, deadline=None)
@given(
    budget=st.floats(10, 29).map(lambda exponent: 10.0**exponent),
    law_name=st.sampled_from([None, *(facts.name for facts in catalog.laws())]),
    served=st.none() | st.floats(0, 17.9).map(lambda exponent: int(10.0**exponent)),
    unique=st.none() | st.floats(0, 17.9).map(lambda exponent: int(10.0**exponent)),
    priced=st.booleans(),
)
def test_any_question_is_answered_or_refused(
    budget: float, law_name: str | None, served: int | None, unique: int | None, priced: bool
) -> None:
    terms = PLAIN if priced else {}
    try:
        statement = best_size(flop=budget, law=law_name, tokens_served=served, unique_tokens=unique, **terms)
    except (InputError, DoesNotFit):
        return
    assert likely(statement, "parameters") > 0
    assert max(map(len, render(statement, "text").splitlines())) <= 80


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({}, "budget is missing"),
        ({"under": "1M", "flop": 1e22}, "two budgets"),
        ({"flop": 1e22, "law": "chinchila"}, "not a scaling law"),
        ({"flop": 1e22, "law": "kaplan", "losses": POINTS}, "two laws"),
        ({"flop": 1e22, "law": "llama-3", "tokens_served": 1e12}, "cannot weigh serving"),
        ({"flop": 1e22, "law": "deepseek", "unique_tokens": 1e12}, "seen twice"),
        ({"flop": 1e22, "serving_utilisation": "20%"}, "nothing to serve"),
        ({"flop": 1e22, "tokens_served": 1e12, "serving_utilisation": "20%"}, "prices nothing"),
        ({"under": "1M", "tier": "owned"}, "has no price"),
        ({"under": "1M", "price": 0}, "has no price"),
        ({"under": "-5"}, "--under"),
        ({"flop": "lots"}, "--flop"),
        ({"flop": math.nan}, "--flop"),
        ({"flop": 1e22, "tokens_served": -1}, "--tokens-served"),
        ({"flop": 1e22, "unique_tokens": 0}, "--unique-tokens"),
        ({"under": "1M", "utilisation": "140%"}, "--utilisation"),
        ({"under": "1M", "on": "h100"}, "`h100` is"),
        ({"flop": 1e22, "interval": 0}, "--interval"),
    ],
    ids=str,
)
def test_asked_wrongly(asked: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as caught:
        best_size(**asked)  # type: ignore[arg-type]
    assert says in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "asked",
    [
        {"flop": 5},
        {"flop": 1e20, "tokens_served": 1e17},
        {"under": 100, "tokens_served": 1e17},
        {"under": "0.01", **PLAIN, "price": 1e9},
    ],
    ids=["flop", "served", "dollars", "dear"],
)
def test_no_is_an_answer_and_its_hint_works(asked: dict[str, object]) -> None:
    with pytest.raises(DoesNotFit) as caught:
        best_size(**asked)  # type: ignore[arg-type]
    found = re.search(r"`--(flop|under) (\S+)`", caught.value.hint)
    assert found is not None
    best_size(**{**asked, found.group(1): found.group(2)})  # type: ignore[arg-type]


def test_serving_is_priced_by_the_model_of_serving() -> None:
    statement = best_size(under=1e6, tokens_served=2e12, on="h100-sxm")
    said = next(entry for entry in statement.assumed if entry.name == "serving utilisation")
    assert "our model of serving" in said.why
    assert "at full batch" in said.why
    line = next(line for line in statement.lines if line.key == "serving")
    assert line.shown_basis == "quoted" or line.basis == "quoted"


def test_a_budget_for_serving_that_is_too_small_is_refused_at_the_shares_of_the_least_model() -> None:
    """Small models use less of a device: what the published share of large ones would allow is not enough."""
    needs: list[float] = []
    for _ in range(2):
        with pytest.raises(DoesNotFit) as caught:
            best_size(under=0.5 * needs[0] if needs else 1, tokens_served=2e12)
        found = re.search(r"takes \$([0-9.]+)", caught.value.message)
        assert found is not None
        needs.append(float(found[1]))
    assert needs[0] == needs[1]
    with pytest.raises(DoesNotFit):
        best_size(under=0.9 * needs[0], tokens_served=2e12)
    best_size(under=1.01 * needs[0], tokens_served=2e12)


def test_more_served_makes_no_larger_model() -> None:
    sizes = [
        best_size(under=1e6, tokens_served=served, on="h100-sxm").answer["parameters"].value.likely
        for served in (1e11, 1e12, 1e13)
    ]
    assert sizes == sorted(sizes, reverse=True)
