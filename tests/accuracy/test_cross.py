"""Cross-validation: what a source measured never reaches its own predictions."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from outlay.accuracy.cross import KIN, TUNING, families, kin_of, load_unseen, predictors, refits, stored
from outlay.accuracy.predict import predictor
from outlay.accuracy.records import Records, read_records
from outlay.accuracy.serving.cross import load_serving_unseen
from outlay.accuracy.solve import Fit, fittable
from outlay.accuracy.validate import validate
from outlay.cli.validate import command
from outlay.errors import InputError
from outlay.training import StepCoefficients, load_coefficients

DATA = Path(__file__).parents[2] / "validation" / "training"
SOURCES = ("korthikanti_2022", "megatron_2021_a100", "simumax_b200")


def slanted(wild: float) -> Fit:
    """A fit of some rows whose slopes are invented; of the Korthikanti rows the measured times are `wild` times longer."""
    records = [record for source in SOURCES for record in read_records(DATA / f"{source}.csv").records]
    rows = fittable(records)
    from outlay.accuracy.magnitudes import MAGNITUDES, by_group

    magnitudes = (*MAGNITUDES, *by_group(rows))
    random = np.random.default_rng(0)
    logs = random.normal(scale=0.1, size=len(rows))
    logs -= np.where([row.record.source == "korthikanti_2022" for row in rows], np.log(wild), 0.0)
    return Fit(
        coefficients=load_coefficients().step,
        rows=rows,
        errors=np.expm1(logs),
        slopes=random.normal(size=(len(rows), len(magnitudes))),
        weight=np.full(len(rows), 0.5),
        tie=np.full(len(magnitudes), 0.3),
        distance=np.zeros(len(magnitudes)),
        magnitudes=magnitudes,
    )


def test_a_source_s_measurements_do_not_reach_its_own_refit() -> None:
    plain, wild = refits(slanted(1.0)), refits(slanted(50.0))
    assert plain["korthikanti_2022",] == wild["korthikanti_2022",]
    assert plain["simumax_b200",] != wild["simumax_b200",]


def test_what_only_a_source_shows_is_pooled_without_it() -> None:
    found = refits(slanted(1.0))["simumax_b200",]
    assert "blackwell" not in found.slowdown and "ampere" in found.slowdown


def test_kin_are_left_out_together() -> None:
    for family in KIN:
        assert all(kin_of(source) == family for source in family)
    assert families(["papers", *KIN[0], *KIN[0]]) == sorted([("papers",), KIN[0]])
    shipped = load_unseen()
    assert all(isinstance(step, StepCoefficients) for step in shipped.values())
    assert set(KIN) <= {*shipped, *load_serving_unseen()}


def test_the_refits_are_of_the_present_model() -> None:
    for entry in stored()["refits"]:
        assert set(entry["coefficients"]) == set(StepCoefficients.__dataclass_fields__) - TUNING, "run: make fit"


def test_each_row_is_predicted_by_its_source_s_own_predictor() -> None:
    records = read_records(DATA / "korthikanti_2022.csv") + read_records(DATA / "megatron_2021_a100.csv")
    shipped, unseen = predictor(load_coefficients()), predictors(load_unseen())
    found = validate(records, shipped, unseen=unseen)
    for source in ("korthikanti_2022", "megatron_2021_a100"):
        alone = Records(records=tuple(record for record in records.records if record.source == source))
        twins = {one.id: one.predicted for one in validate(alone, unseen[source]).comparisons}
        assert {one.id: one.predicted for one in found.comparisons if one.source == source} == pytest.approx(twins)
    assert [one.predicted for one in validate(records, shipped).comparisons] != [
        one.predicted for one in found.comparisons
    ]


def test_a_source_that_no_fit_used_takes_the_shipped_fit_and_it_is_said(tmp_path: Path) -> None:
    records = read_records(DATA / "korthikanti_2022.csv")
    mine = Records(records=tuple(dataclasses.replace(record, source="mine") for record in records.records))
    shipped = predictor(load_coefficients())
    found = validate(mine, shipped, unseen=predictors(load_unseen()))
    assert [one.predicted for one in found.comparisons] == [
        one.predicted for one in validate(mine, shipped).comparisons
    ]
    out = tmp_path / "out.txt"
    path = tmp_path / "mine.csv"
    path.write_text((DATA / "korthikanti_2022.csv").read_text().replace(",korthikanti_2022,", ",mine,"))
    arguments = [str(path), "--cross", "source", "-o", str(out)]
    assert CliRunner().invoke(command, arguments, standalone_mode=False).exception is None
    assert "no row of mine" in " ".join(out.read_text().split())


@pytest.mark.parametrize("extra", [["--cross", "row"], ["--cross", ""], ["--interval", "0"], ["--interval", "nan"]])
def test_bad_options_are_refused_with_a_hint(extra: list[str]) -> None:
    done = CliRunner().invoke(command, [str(DATA / "papers.csv"), *extra], standalone_mode=False)
    assert isinstance(done.exception, InputError) and done.exception.exit_code == 2 and done.exception.hint
