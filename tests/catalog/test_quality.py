"""Published effects of compression: every row read back, and what a note makes of them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from outlay import catalog
from outlay.catalog import rows
from outlay.catalog.compressed import techniques
from outlay.errors import UnknownName
from outlay.scenarios.serving.quality import NEAR, quality_note, quality_section
from outlay.serving import formats

TABLE = rows.FOLDER / "quality.csv"


@pytest.fixture(scope="module")
def raw() -> list[dict[str, str]]:
    with Path(TABLE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_is_read_back(raw):
    assert len(catalog.quality()) == len(raw) > 300
    for row, entry in zip(raw, catalog.quality(), strict=True):
        assert (entry.model, entry.technique, entry.format, entry.benchmark) == (
            *(row["model"], row["technique"], row["format"], row["benchmark"]),
        )
        assert entry.receipt.source.startswith("https://") and entry.receipt.date and entry.receipt.basis == "measured"
        if not row["baseline"]:
            assert entry.worse == -float(row["change"])
            continue
        before, after = float(row["baseline"]), float(row["compressed"])
        fell = (before - after) / before
        assert entry.worse == pytest.approx(fell if row["better"] == "higher" else -fell)
        assert (entry.kind == "score") == (row["better"] == "higher")


def test_formats_of_weights_are_known_or_llamacpp_s(raw):
    known = {entry.name for entry in formats()}
    for row in raw:
        if row["technique"] == "quantization" and row["format"]:
            assert row["format"] in known or row["format"].startswith(("q", "iq"))


def test_a_model_of_the_catalog_has_its_parameters():
    from outlay.workload import from_config, parameters

    names = {entry.name for entry in catalog.models()}
    for entry in catalog.quality():
        if entry.model in names:
            config = catalog.model_config(entry.model).config
            assert entry.parameters == pytest.approx(parameters(from_config(config)).total, rel=2e-3)


def test_a_range_holds_the_results_of_this_model_and_of_no_other():
    note = quality_note("meta-llama/Llama-3.1-8B-Instruct", "w4a16")
    own = [entry.worse for entry in catalog.quality("llama-3.1-8b", format="w4a16", technique="quantization")]
    assert note.known and note.model == "llama-3.1-8b" and len(own) == 2
    (effect,) = note.effects
    assert (effect.worse.low, effect.worse.high) == (min(own), max(own))
    assert "this model" in note.sentence() and "not known" not in note.sentence()


def test_near_models_of_the_house_come_before_near_models_and_say_so():
    kin = quality_note("llama-3.3-70b", "fp8")
    assert kin.scope.startswith("llama models of 35 B to 141 B") and not kin.known
    assert {entry.line for effect in kin.effects for entry in effect.results} == {"llama"}
    near = quality_note("qwen3-8b", "int8")
    size = 8.19e9
    for effect in near.effects:
        for entry in effect.results:
            assert size / NEAR * 0.99 <= entry.parameters <= size * NEAR * 1.01
    assert near.sentence().endswith("not known for this model)")


@pytest.mark.parametrize(("model", "format"), [("llama-3.1-8b", "nvfp4"), ("deepseek-v3", "w4a16"), ("no-such", "fp8")])
def test_nothing_published_is_said_and_never_guessed(model, format):
    note = quality_note(model, format)
    assert note.effects == () and note.receipts == ()
    assert note.sentence() == "not known for this model"


def test_the_published_format_costs_nothing():
    assert quality_note("llama-3.1-8b", "fp16").sentence() == "as published"
    assert quality_note("deepseek-v3", "fp8-block", published="fp8-block").sentence() == "as published"
    assert quality_note("deepseek-v3", "fp8-block").sentence() == "not known for this model"


def test_caches_have_results_of_their_own():
    weights, cache = (
        quality_note("llama-2-7b", "int8"),
        quality_note("llama-2-7b", "int8", technique="cache quantization"),
    )
    assert weights.effects[0].kind == "perplexity"
    assert cache.effects[0].kind == "score" and cache.effects[0].worse.high == pytest.approx(0.0162, abs=1e-4)


def test_the_section_has_a_row_for_each_format():
    table = quality_section("llama-3-70b", ["bf16", "q4_k_m", "nvfp4"])
    assert [row[0] for row in table.rows] == ["bf16", "q4_k_m", "nvfp4"]
    assert table.rows[2][1] is None and table.rows[2][2] == "not known for this model"
    assert table.receipts


def test_distillation_is_there_and_an_unknown_technique_is_refused():
    assert {"distillation", "pruning", "quantization"} <= set(techniques())
    results = catalog.quality("bert-base", technique="distillation")
    assert any("DistilBERT" in entry.method and entry.benchmark == "CoLA" for entry in results)
    with pytest.raises(UnknownName, match="distilation"):
        catalog.quality(technique="distilation")
