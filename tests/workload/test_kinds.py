"""Layers that are equal count together, wherever they stand."""

from __future__ import annotations

from dataclasses import replace

from outlay.catalog import model_config
from outlay.workload import Architecture, Attention, Block, from_config, parameters, transformer


def of(name: str) -> Architecture:
    return from_config(model_config(name).config, name=name)


def test_alternating_windows_are_two_kinds() -> None:
    gpt_oss = of("gpt-oss-120b")
    assert len(gpt_oss.blocks) > 30
    windows = [block.layer.mixer.window for block in gpt_oss.kinds if isinstance(block.layer.mixer, Attention)]
    assert len(gpt_oss.kinds) == 2 and set(windows) == {128, None}
    assert sum(block.count for block in gpt_oss.kinds) == gpt_oss.depth


def test_kinds_have_the_parameters_of_the_blocks() -> None:
    hybrid = of("nemotron-h-56b")
    split = replace(hybrid, blocks=tuple(Block(layer=b.layer, count=1) for b in hybrid.blocks for _ in range(b.count)))
    assert len(split.kinds) == len(hybrid.kinds) < len(hybrid.blocks)
    assert parameters(split).total == parameters(hybrid).total


def test_shared_weights_stay_apart() -> None:
    """Two runs that each use one set of weights have two sets, though their layers are alike."""
    plain = transformer(layers=4, hidden=64, heads=4, vocab=100)
    layer = plain.blocks[0].layer
    twice = replace(plain, blocks=(Block(layer=layer, count=2, shared=True), Block(layer=layer, count=2, shared=True)))
    assert len(twice.kinds) == 2 and twice.depth == 4
    assert parameters(twice).total == parameters(replace(plain, blocks=(Block(layer=layer, count=2),))).total
