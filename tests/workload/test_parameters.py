"""Parameter counts: published figures, parts that sum to the whole, and what grows with what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.catalog.published import model_config, models
from outlay.workload import from_config, parameters, transformer

# (model, billions of parameters, of which active): model cards and papers, to the digits they print.
PUBLISHED = [
    ("llama-3-8b", 8.030261248, None),
    ("llama-3.1-405b", 405.853388800, None),
    ("mixtral-8x7b", 46.702792704, 12.879925248),
    ("gpt2", 0.124439808, None),
    ("bert-large", 0.335174458, None),
    ("deepseek-v3", 671.0, 37.6),
    ("deepseek-v2", 235.7, 21.4),
    ("qwen3-235b-a22b", 235.1, 22.2),
    ("qwen3-30b-a3b", 30.5, 3.35),
    ("gpt-oss-120b", 116.83, 5.7),
    ("llama-4-maverick", 400.7, 17.2),
    ("bloom-176b", 176.247271424, None),
    ("gpt-neox-20b", 20.554567680, None),
    ("falcon-180b", 179.522565120, None),
    ("gemma-2-27b", 27.227128320, None),
    ("phi-2", 2.779683840, None),
    ("dbrx", 131.596523520, 36.5),
    ("palm-540b", 540.35, None),
    ("gpt-3-175b", 174.6, None),
    ("nemotron-4-340b", 341.0, None),
    ("nemotron-3-super-120b-a12b", 120.67, 12.77),
]


@pytest.mark.parametrize(("name", "total", "active"), PUBLISHED)
def test_published_counts(name: str, total: float, active: float | None) -> None:
    count = parameters(from_config(model_config(name).config))
    digits = len(str(total).partition(".")[2])
    assert round(count.total / 1e9, digits) == pytest.approx(total, abs=1.1 * 10**-digits)
    if active is not None:
        assert count.active / 1e9 == pytest.approx(active, rel=0.005)
    else:
        assert count.active == count.total


def test_deepseek_v3_prediction_layer_is_beside_the_model() -> None:
    """The checkpoint has 685 B: the model, 11.5 B of the layer, and second copies of embedding and head."""
    count = parameters(from_config(model_config("deepseek-v3").config))
    copies = 2 * 129280 * 7168
    assert (count.total + count.multi_token_prediction + copies) / 1e9 == pytest.approx(684.5, abs=0.1)


@pytest.mark.parametrize("entry", models(), ids=lambda entry: entry.name)
def test_parts_sum_to_the_whole(entry: object) -> None:
    count = parameters(from_config(entry.config))  # type: ignore[attr-defined]
    stack = sum(times * layer.total for times, layer in count.layers)
    assert count.embedding + count.embedding_other + stack + count.final_norm + count.head == count.total
    idle = sum(times * layer.idle for times, layer in count.layers)
    assert 0 < count.active == count.total - idle


widths = st.integers(1, 40).map(lambda n: 64 * n)


@given(
    heads=st.sampled_from([1, 2, 4, 8]),
    width=widths,
    depth=st.integers(1, 50),
    vocab=st.integers(1, 10**6),
    gated=st.booleans(),
)
def test_closed_form_of_a_plain_transformer(heads: int, width: int, depth: int, vocab: int, gated: bool) -> None:
    model = transformer(
        layers=depth, hidden=width, heads=heads, vocab=vocab, gated=gated, ffn_hidden=4 * width, tied=True, bias=False
    )
    norms = (1 if gated else 2) * width
    matrices = 4 + (3 if gated else 2) * 4
    assert parameters(model).total == vocab * width + depth * (matrices * width**2 + 2 * norms) + norms


@given(experts=st.integers(1, 64), active=st.integers(1, 64), depth=st.integers(1, 8))
def test_more_experts_are_more_parameters_and_as_many_active(experts: int, active: int, depth: int) -> None:
    def count(number: int) -> tuple[int, int]:
        model = transformer(
            layers=depth,
            hidden=128,
            heads=4,
            vocab=100,
            gated=True,
            experts=number,
            experts_per_token=min(active, experts),
        )
        found = parameters(model)
        return found.total, found.active - depth * 128 * number  # the router grows with the experts

    assert count(experts + 1)[0] > count(experts)[0]
    assert count(experts + 1)[1] == count(experts)[1]
