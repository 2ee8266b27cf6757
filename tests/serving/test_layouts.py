"""Which layouts of an instance are legal, against what engines say."""

from __future__ import annotations

import numpy as np
import pytest

from outlay.catalog import model_config
from outlay.layout import Layout
from outlay.serving import engine_for
from outlay.serving.layouts import layouts_of, legal
from outlay.workload import Architecture, from_config


def architecture(name: str) -> Architecture:
    return from_config(model_config(name).config, name=name)


@pytest.mark.parametrize("name", ["llama-3-70b", "deepseek-v3", "gpt2", "mixtral-8x7b", "qwen3-32b"])
@pytest.mark.parametrize("engine", ["vllm", "llamacpp"])
def test_every_layout_is_legal_once_and_within_the_devices(name: str, engine: str) -> None:
    model = architecture(name)
    for most in (1, 2, 8, 48):
        found = layouts_of(model, engine_for(engine), most=most, domain=8)
        layouts = found.layouts
        assert legal(layouts, model).all()
        assert (np.asarray(layouts.devices) <= most).all()
        assert (np.asarray(layouts.tensor) <= 8).all()
        columns = np.stack([np.broadcast_to(getattr(layouts, each), (found.count,)) for each in DEGREES])
        assert np.unique(columns, axis=1).shape[1] == found.count <= found.looked_at
        if engine == "llamacpp":
            assert (np.asarray(layouts.tensor) == 1).all()


DEGREES = ("tensor", "pipeline", "data", "expert", "expert_tensor")


def test_heads_divide_or_are_repeated() -> None:
    llama = architecture("llama-3-70b")  # 64 heads, 8 of keys and values
    degrees = np.array([1, 8, 16, 64, 3, 128])
    assert legal(Layout(tensor=degrees, sequence_parallel=False), llama).tolist() == [True] * 4 + [False] * 2


def test_attention_is_split_by_sequences_where_there_are_experts() -> None:
    def held(model: str, **degrees: int) -> bool:
        layout = Layout(**{name: np.array([value]) for name, value in degrees.items()}, sequence_parallel=False)
        return bool(legal(layout.broadcast(), architecture(model))[0])

    assert not held("llama-3-70b", data=2)
    assert held("deepseek-v3", data=8, expert=8)
    assert held("deepseek-v3", data=8, expert_tensor=8)
    assert not held("deepseek-v3", data=8, expert=4)  # half of the devices would have no experts
    assert not held("mixtral-8x7b", data=16, expert=16)  # it has eight
