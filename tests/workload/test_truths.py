"""Counts against what `transformers` and torch count; the tables come from `scripts/truths_from_transformers.py`."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from outlay.catalog.published import models
from outlay.workload import flop_per_token, from_config, parameters, supported

ROOT = Path(__file__).resolve().parents[2]
TRUTHS = ROOT / "tests" / "truths"
SMALL: Mapping[str, Any] = json.loads((TRUTHS / "configs.json").read_text(encoding="utf-8"))
CONFIGS: Mapping[str, Any] = {entry.name: entry.config for entry in models()} | dict(SMALL)


def rows(table: str) -> list[dict[str, str]]:
    with (TRUTHS / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


PARAMETERS = rows("parameters")
FLOP = rows("flop")


@pytest.mark.parametrize("row", PARAMETERS, ids=lambda row: row["config"])
def test_parameters_equal_those_of_transformers(row: dict[str, str]) -> None:
    count = parameters(from_config(CONFIGS[row["config"]]))
    assert (count.total, count.non_embedding) == (int(row["parameters"]), int(row["non_embedding_parameters"]))


def test_every_family_is_counted_in_at_least_two_configs_and_every_published_model_once() -> None:
    families = Counter(row["model_type"] for row in PARAMETERS)
    nested = {"gemma3", "llama4", "mistral3", "llava", "kimi_vl", "kimi_k2", "qwen3_5", "qwen3_5_moe"}
    assert set(supported()) - nested - {"transformer"} == set(families)
    assert len(families) >= 50
    assert min(families.values()) >= 2
    counted = {row["config"] for row in PARAMETERS}
    assert {entry.name for entry in models() if entry.config["model_type"] != "transformer"} <= counted


@pytest.mark.parametrize("row", FLOP, ids=lambda row: row["config"])
def test_flop_equal_those_of_torchs_counter(row: dict[str, str]) -> None:
    length = int(row["sequence_length"])
    tokens = int(row["batch"]) * length
    flop = flop_per_token(from_config(CONFIGS[row["config"]]), length, causal=False)
    assert flop.forward * tokens == pytest.approx(int(row["forward_flop"]), rel=1e-12)
    assert flop.backward * tokens == pytest.approx(int(row["backward_flop"]), rel=1e-12)


def test_flop_are_counted_in_many_families() -> None:
    assert len({row["model_type"] for row in FLOP}) >= 35


@pytest.mark.torch
@pytest.mark.parametrize("row", PARAMETERS, ids=lambda row: row["config"])
def test_the_table_of_parameters_is_what_transformers_counts_now(row: dict[str, str]) -> None:
    truths = script()
    assert truths.counts(dict(CONFIGS[row["config"]])) == (int(row["parameters"]), int(row["non_embedding_parameters"]))


@pytest.mark.torch
@pytest.mark.parametrize("row", FLOP, ids=lambda row: row["config"])
def test_the_table_of_flop_is_what_torch_counts_now(row: dict[str, str]) -> None:
    truths = script()
    assert truths.flop_counts(dict(CONFIGS[row["config"]])) == (int(row["forward_flop"]), int(row["backward_flop"]))


@pytest.mark.torch
def test_the_table_of_defaults_is_what_transformers_has_now() -> None:
    written = json.loads((ROOT / "src/outlay/workload/defaults.json").read_text(encoding="utf-8"))
    assert script().default_table() == written["types"]


def script() -> Any:
    pytest.importorskip("transformers")
    if str(ROOT / "scripts") not in sys.path:
        sys.path.insert(0, str(ROOT / "scripts"))
    import truths_from_transformers

    return truths_from_transformers
