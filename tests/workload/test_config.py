"""The config door: defaults that are said, problems that are named all at once, files that are no configs."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay.errors import InputError
from outlay.workload import from_config, load_config, parameters, supported
from outlay.workload.config import FAMILIES

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
}


def refused(config: Any, **names: str) -> str:
    with pytest.raises(InputError) as caught:
        from_config(config, **names)
    assert caught.value.hint
    return caught.value.screen()


def test_defaults_of_the_type_are_taken_and_said() -> None:
    model = from_config(LLAMA)
    assert model.blocks[0].layer.feed_forward.width == 11008  # type: ignore[union-attr]
    assert model.assumed["intermediate_size"] == "11008 (default of llama)"
    assert "tie_word_embeddings" in model.assumed
    stated = from_config({**LLAMA, "intermediate_size": 256})
    assert "intermediate_size" not in stated.assumed
    assert "hidden_size" not in stated.assumed


@pytest.mark.parametrize("model_type", sorted(FAMILIES))
def test_every_missing_key_is_named_at_once(model_type: str) -> None:
    keys, _ = FAMILIES[model_type]
    screen = refused({"model_type": model_type}, source="models/config.json")
    assert "models/config.json" in screen
    assert all(f"`{key}`" in screen for key in keys.all())


@pytest.mark.parametrize("missing", ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"])
def test_one_missing_key(missing: str) -> None:
    screen = refused({key: value for key, value in LLAMA.items() if key != missing})
    others = {"hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"} - {missing}
    assert f"lacks `{missing}`" in screen
    assert not any(f"lacks `{other}`" in screen for other in others)


@pytest.mark.parametrize("value", [0, -1, 2.5, 64.0, True, "64", [], {}, float("nan"), float("inf"), 10**30, None])
@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"])
def test_bad_dimensions_are_named(key: str, value: Any) -> None:
    assert f"`{key}`" in refused({**LLAMA, key: value}, source="c.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_size": 65}, "`hidden_size` is 65: expected a multiple of `num_attention_heads`"),
        ({"num_key_value_heads": 3}, "`num_key_value_heads` is 3"),
        ({"intermediate_size": -5}, "`intermediate_size` is -5"),
        ({"attention_bias": "yes"}, '`attention_bias` is "yes": expected true or false'),
        ({"tie_word_embeddings": 1}, "`tie_word_embeddings` is 1"),
        ({"head_dim": 0}, "`head_dim` is 0"),
        ({"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 5}, "`num_experts_per_tok` is 5"),
        ({"model_type": "gemma3_text", "layer_types": ["full_attention"]}, "`layer_types`: expected a list of 2"),
        ({"model_type": "gemma3_text", "layer_types": ["full_attention", "odd"]}, "has odd"),
        ({"model_type": "qwen3_moe", "mlp_only_layers": "all"}, "`mlp_only_layers`"),
        ({"model_type": "phi3", "resid_pdrop": 1.5}, "`resid_pdrop` is 1.5"),
        ({"model_type": "rwkv"}, "which outlay does not read"),
        ({"model_type": 7}, "which outlay does not read"),
        ({"model_type": ["llama"]}, "which outlay does not read"),
    ],
)
def test_other_bad_values_are_named(change: dict[str, Any], words: str) -> None:
    assert words in refused({**LLAMA, **change})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hidden_size": 4096.5}, "`hidden_size` is 4096.5"),
        ({"hidden_size": 0}, "`hidden_size` is 0"),
        ({"num_attention_heads": "32"}, '`num_attention_heads` is "32"'),
        ({"num_attention_heads": -1, "num_key_value_heads": 8}, "`num_attention_heads` is -1"),
        ({"num_key_value_heads": True}, "`num_key_value_heads` is true"),
        ({"model_type": "mixtral", "num_local_experts": -8}, "`num_local_experts` is -8"),
        (
            {"model_type": "gemma2", "num_hidden_layers": 0, "layer_types": ["full_attention"] * 4},
            "`num_hidden_layers`",
        ),
    ],
)
def test_one_bad_value_is_one_problem(change: dict[str, Any], words: str) -> None:
    sound = {
        "model_type": "llama",
        "hidden_size": 4096,
        "num_hidden_layers": 4,
        "num_attention_heads": 32,
        "vocab_size": 9,
    }
    with pytest.raises(InputError) as caught:
        from_config({**sound, **change})
    assert words in caught.value.message
    assert not caught.value.details


def test_two_values_that_do_not_go_together_are_still_told() -> None:
    sound = {
        "model_type": "llama",
        "hidden_size": 4096,
        "num_hidden_layers": 4,
        "num_attention_heads": 33,
        "vocab_size": 0,
    }
    with pytest.raises(InputError) as caught:
        from_config(sound)
    assert any("multiple of `num_attention_heads`" in problem for problem in caught.value.details)
    assert any("`vocab_size` is 0" in problem for problem in caught.value.details)


def test_all_problems_come_in_one_error() -> None:
    screen = refused({**LLAMA, "vocab_size": 0, "intermediate_size": "wide", "head_dim": -1})
    assert all(f"`{key}`" in screen for key in ("vocab_size", "intermediate_size", "head_dim"))


def test_unknown_types_list_the_known_ones() -> None:
    screen = refused({**LLAMA, "model_type": "rwkv"})
    assert all(name in screen for name in supported())


@pytest.mark.parametrize("config", [None, [], "llama", 5])
def test_what_is_no_mapping(config: Any) -> None:
    assert "is no config" in refused(config)


def test_the_class_decides_what_stands_on_top() -> None:
    def count(name: str, **more: Any) -> int:
        return parameters(from_config({**LLAMA, "architectures": [name], **more})).total

    body = count("LlamaModel")
    assert count("LlamaForCausalLM") == body + 64 * 100
    assert count("LlamaForCausalLM", tie_word_embeddings=True) == body
    assert count("LlamaForSequenceClassification", num_labels=3) == body + 3 * 64
    assert count("LlamaForTokenClassification", id2label={"0": "a", "1": "b"}) == body + 2 * 64 + 2
    odd = from_config({**LLAMA, "architectures": ["SomethingElse"]})
    assert "SomethingElse" in odd.assumed["architectures"]


def test_the_type_may_follow_from_the_class() -> None:
    model = from_config({**LLAMA, "model_type": None, "architectures": ["Qwen3MoeForCausalLM"]})
    assert model.assumed["model_type"].startswith("qwen3_moe")
    assert "lacks `model_type`" in refused({"hidden_size": 64})


def test_other_names_of_a_key_are_read() -> None:
    plain = {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 100}
    other = {
        "model_type": "gpt2",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 100,
    }
    assert parameters(from_config(plain)) == parameters(from_config(other))
    assert from_config({"model_type": "bloom", "n_embed": 64, "n_layer": 2, "n_head": 4, "vocab_size": 10}).hidden == 64


def test_multimodal_configs_are_read_for_their_text() -> None:
    text = {key: value for key, value in LLAMA.items() if key != "model_type"}
    model = from_config({"model_type": "gemma3", "text_config": text, "vision_config": {"hidden_size": 9}})
    assert model.hidden == 64
    assert "text part" in model.assumed["text_config"]
    tied = from_config({"model_type": "llava", "text_config": text, "tie_word_embeddings": True})
    assert tied.tied


def test_a_model_may_be_given_by_numbers() -> None:
    palm = {
        "model_type": "transformer",
        "hidden": 512,
        "layers": 4,
        "heads": 8,
        "vocab": 100,
        "kv_heads": 1,
        "parallel": True,
    }
    assert from_config(palm).blocks[0].layer.norms == 1
    assert "`depth`" in refused({**palm, "depth": 3})
    assert "`experts_per_token` is 9" in refused({**palm, "experts": 8, "experts_per_token": 9})
    assert "`hidden` is 100" in refused({**palm, "hidden": 100})


def test_load_config_reads_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(LLAMA), encoding="utf-8")
    assert from_config(load_config(file), source=str(file)).depth == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"[1, 2]", "holds no object"),
        (b'"llama"', "holds no object"),
        (b"\xff\xfe\x00\x01", "is not text"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"a":' * 100_000, "nested too deep"),
        (b" " * 10_000_001, "10 MB"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "is not JSON"),
    ],
)
def test_foreign_files_are_refused_by_name(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "odd.json"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_config(file)
    assert words in caught.value.screen()
    assert "odd.json" in caught.value.screen()


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path, words in [
        (tmp_path, "is a directory"),
        (tmp_path / "none.json", "does not exist"),
        ("/dev/zero", "not a plain file"),
        ("a\0b", ""),
    ]:
        with pytest.raises(InputError, match=words or None):
            load_config(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10**20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(model_type=st.sampled_from(sorted(FAMILIES)), data=st.data())
def test_whatever_a_config_holds_it_is_answered_or_refused(model_type: str, data: st.DataObject) -> None:
    keys, _ = FAMILIES[model_type]
    config: dict[str, Any] = {"model_type": model_type, keys.hidden: 64, keys.depth: 2, keys.heads: 4, keys.vocab: 9}
    known = [
        *keys.all(),
        "architectures",
        "num_key_value_heads",
        "layer_types",
        "sliding_window",
        "num_experts",
        "n_routed_experts",
        "full_attention_interval",
        "linear_num_key_heads",
        "index_topk",
        "indexer_types",
    ]
    known += [
        "num_experts_per_tok",
        "attn_config",
        "hybrid_override_pattern",
        "attention_types",
        "q_lora_rank",
        "intermediate_size",
    ]
    for key in data.draw(st.lists(st.sampled_from(known), max_size=4)):
        config[key] = data.draw(json_values)
    with contextlib.suppress(InputError):
        assert parameters(from_config(config)).total > 0
