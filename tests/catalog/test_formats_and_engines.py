"""Formats and engines of the catalog: every figure reads back through the public API, with its receipt."""

from __future__ import annotations

import re

import pytest

from outlay.catalog import rows
from outlay.serving import engine_for, format_for, formats
from outlay.statement import BASES


def test_every_format_reads_back_with_its_receipt():
    table = rows.read("formats")
    assert len(formats()) == len(table) >= 30
    for found, row in zip(formats(), table, strict=True):
        assert found.name == row["name"]
        assert found.weight_bits == float(row["weight_bits"]) == found.receipt.value
        assert (found.compute, found.activation, found.scope) == (row["compute"], row["activation"], row["scope"])
        assert found.dequantized == (row["kernel"] == "dequantized")
        assert found.description == row["description"]
        assert (found.receipt.source, found.receipt.date) == (row["source"], row["date"])
        assert found.receipt.basis == row["basis"]
        assert row["source"] and row["date"]


def test_names_of_formats_mean_one_thing():
    table = rows.read("formats")
    for row in table:
        assert format_for(row["name"]).name == row["name"]
        assert [other["name"] for other in table if re.search(other["pattern"], row["name"])] == [row["name"]]


@pytest.mark.parametrize(
    ("name", "bits"), [("q4_0", 4.5), ("q8_0", 8.5), ("q6_k", 6.5625), ("nvfp4", 4.5), ("mxfp4", 4.25)]
)
def test_bits_of_blocks_follow_from_their_layout(name, bits):
    """4 or 8 bits and a 16-bit scale for 32 weights; 6.5625 for a block of 256; an 8-bit scale for 16 or 32."""
    assert format_for(name).weight_bits == pytest.approx(bits, rel=1e-3)


def test_mixtures_are_in_the_order_of_their_names():
    families = (("q2_k_s", "q2_k", "q3_k_s", "q3_k_m", "q3_k_l"), ("q4_k_s", "q4_k_m", "q5_k_s", "q5_k_m", "q6_k", "q8_0"),
                ("iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_m", "iq3_xxs", "iq3_xs", "iq3_s", "iq3_m"))  # fmt: skip
    for family in families:
        bits = [format_for(name).weight_bits for name in family]
        assert bits == sorted(bits)


def test_every_engine_reads_back_with_its_source():
    for row in rows.read("engines"):
        year = (
            (float(row["since"]) + min(float(row["until"]), 2026.9)) / 2
            if float(row["since"])
            else float(row["until"]) - 0.1
        )
        found = engine_for(row["name"], min(year, 2026.5))
        assert found.name == row["name"]
        assert found.basis == row["basis"]
        assert found.basis in BASES
        assert (found.source, found.date, found.note) == (row["source"], row["date"], row["note"])
        for field in ("block_tokens", "chunk_tokens", "most_sequences", "graph_sequences"):
            assert getattr(found, field) == int(row[field])
        assert found.memory_share == float(row["memory_share"])
        assert found.collection == float(row["collection"])
        assert (found.host, found.batching, found.family) == (row["host"], row["batching"], row["family"])
        assert (found.mixed, found.overlap_schedule, found.sequential_layers, found.front_end) == tuple(
            row[name] == "1" for name in ("mixed", "overlap_schedule", "sequential_layers", "front_end")
        )


def test_years_of_an_engine_follow_each_other():
    spans: dict[str, list[tuple[float, float]]] = {}
    for row in rows.read("engines"):
        spans.setdefault(row["family"] if row["name"] == "trtllm" else row["name"], []).append(
            (float(row["since"]), float(row["until"]))
        )
    for found in spans.values():
        assert all(since < until for since, until in found)
    assert engine_for("vllm", 2024).name == "vllm-0"
    assert engine_for("vllm", 2026).name == "vllm"
