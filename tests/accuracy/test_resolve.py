"""A row's words as our question: what is believed, what is assumed, what is refused."""

from __future__ import annotations

import csv
from math import prod
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outlay import catalog
from outlay.accuracy.chips import chip_for
from outlay.accuracy.columns import COLUMNS, MEASURED, SCORED_ELSEWHERE
from outlay.accuracy.records import Record, Unread, _record, read_records
from outlay.accuracy.resolve import GB, GIB, Resolved, resolve
from outlay.accuracy.shapes import with_layers
from outlay.errors import InputError
from outlay.workload import Experts, Mlp, parameters, transformer

DATA = Path(__file__).parents[2] / "validation" / "training"
LLAMA = {
    "id": "a", "source": "s", "date": "2024-06", "task": "pretrain", "model": "Llama 3 70B", "layers": "80", "hidden": "8192",
    "ffn_hidden": "28672", "heads": "64", "kv_heads": "8", "vocab": "128256", "gated_mlp": "1", "seq_len": "8192",
    "global_batch": "128", "micro_batch": "1", "accelerator": "h100-sxm-80gb", "gpus": "64", "gpus_per_node": "8", "tp": "4",
    "pp": "4", "vpp": "5", "cp": "1", "dp": "4", "precision": "bf16", "optimizer": "adam", "framework": "NeMo 24.07",
    "activation_recompute": "none", "zero_stage": "1", "sequence_parallel": "1", "step_time_s": "1",
}  # fmt: skip


def row(**cells: object) -> Record:
    merged = {**LLAMA, **{key: str(value) for key, value in cells.items()}}
    outcome = _record(list(merged), list(merged.values()), 1, 2, COLUMNS)
    assert not isinstance(outcome, Unread), outcome
    return outcome


def ask(**cells: object) -> Resolved:
    return resolve(row(**cells))


def test_a_row_that_states_everything_assumes_nothing_of_its_configuration() -> None:
    found = ask(interconnect="NVLink4; 400Gb/s per GPU IB")
    assert not [text for text in found.assumed if "between nodes" not in text and "network" not in text]
    assert found.open == ()
    assert found.fixed == {
        "tensor": 4, "pipeline": 4, "context": 1, "data": 4, "virtual": 5, "zero": 1, "expert": 1, "sequence_parallel": 1,
        "recompute": 0, "micro_batch": 1,
    }  # fmt: skip
    assert (found.recipe.sequence_length, found.recipe.global_batch, found.cluster.count) == (8192, 128, 64)
    assert parameters(found.recipe.architecture).total == 70_553_706_496


def test_measured_columns_and_notes_never_matter() -> None:
    bare = {key: value for key, value in LLAMA.items() if key != "step_time_s"}
    noisy = dict.fromkeys((*MEASURED, *SCORED_ELSEWHERE), "123.25") | {"notes": "tp=8 micro-batch 4 CHECK"}
    one = resolve(_record(list(bare), list(bare.values()), 1, 2, COLUMNS))  # type: ignore[arg-type]
    other = ask(**noisy)
    assert (one.recipe, one.fixed, one.open, one.assumed) == (other.recipe, other.fixed, other.open, other.assumed)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"task": "vision"}, "not yet: vision"),
        ({"task": "", "family": "convnet"}, "not yet: vision"),
        ({"task": "diffusion"}, "not yet: diffusion"),
        ({"accelerator": ""}, "`accelerator` is empty"),
        ({"model": "secret", "layers": "", "hidden": ""}, "`layers` and `hidden` empty"),
        ({"model": "secret", "layers": ""}, "`layers` empty"),
        ({"precision": "bf99"}, "precision `bf99` is no number format"),
        (
            {"model": "secret", "hidden": 4096, "heads": 33},
            "`hidden` is 4096: expected a multiple of `heads`, which is 33",
        ),
        (
            {"model": "secret", "heads": 32, "kv_heads": 5},
            "`heads` is 32: expected a multiple of `kv_heads`, which is 5",
        ),
        ({"model": "secret", "experts": 4, "experts_per_token": 8}, "`experts_per_token` is 8: expected at most"),
    ],
)
def test_what_cannot_be_answered_says_why(cells: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as raised:
        ask(**cells)
    assert said in raised.value.message


def test_columns_are_believed_over_the_name() -> None:
    assert ask(layers=12, model="llama3-70b-L12").recipe.architecture.depth == 12
    custom = ask(hidden=4096, heads=32, model="Llama 3 70B").recipe.architecture
    assert (custom.hidden, custom.depth) == (4096, 80)
    assert ask(vocab=32000).recipe.architecture.vocab == 32000


def test_a_known_name_says_what_columns_cannot() -> None:
    cells = {"layers": 61, "hidden": 7168, "ffn_hidden": 18432, "heads": 128, "kv_heads": 128, "vocab": 129280, "experts": 256,
             "experts_per_token": 8, "expert_ffn_hidden": 2048, "shared_experts": 1}  # fmt: skip
    full = ask(model="DeepSeekV3", **cells).recipe.architecture
    assert full.multi_token_prediction == 1 and isinstance(full.blocks[0].layer.feed_forward, Mlp)
    assert full.blocks[0].layer.mixer.kv_rank == 512  # type: ignore[union-attr]
    assert ask(model="DeepSeekV3 (w/o MTP)", **cells).recipe.architecture.multi_token_prediction == 0
    cut = ask(model="deepseek-v3-L4", **{**cells, "layers": 4}).recipe.architecture
    assert cut.depth == 4 and cut.blocks[0].count == 1 and isinstance(cut.blocks[1].layer.feed_forward, Experts)


@given(st.integers(1, 200))
def test_cutting_keeps_depth_and_the_kinds_of_layers(count: int) -> None:
    model = transformer(layers=32, hidden=512, heads=8, vocab=1000, experts=4)
    assert with_layers(model, count).depth == count
    assert {b.layer for b in with_layers(model, count).blocks} <= {b.layer for b in model.blocks}


def test_size_alone_makes_a_model_of_that_size() -> None:
    empty = dict.fromkeys(("layers", "hidden", "ffn_hidden", "heads", "kv_heads", "vocab", "gated_mlp"), "")
    for cells in ({"params_total_b": 7, "model": "mystery"}, {"model": "mystery-7b"}):
        found = ask(**empty, **cells)
        assert 0.85 < parameters(found.recipe.architecture).total / 7e9 < 1.15
        assert any("layers of width" in text for text in found.assumed)
    deep = ask(
        **{**empty, "hidden": 14400, "params_total_b": 194, "model": "gpt-194B", "vocab": 250880}
    ).recipe.architecture
    assert deep.hidden == 14400 and 0.98 < parameters(deep).total / 194e9 < 1.02


def test_missing_degrees_follow_from_those_given() -> None:
    assert ask(dp="").fixed["data"] == 4
    assert ask(gpus="").cluster.count == 64
    assert ask(gpus="", tp="", pp="", dp="", cp="", gpus_per_node=4, zero_stage="fsdp").cluster.count == 4
    assert ask(pp="", vpp="", dp="").fixed["data"] == 16
    fsdp = ask(tp="", pp="", vpp="", cp="", dp="", zero_stage="fsdp")
    assert (fsdp.fixed["tensor"], fsdp.fixed["data"], fsdp.fixed["zero"], fsdp.open) == (1, 64, 3, ())
    searched = ask(tp="", pp="", vpp="", cp="", dp="", zero_stage="")
    assert searched.open[:2] == ("tensor", "pipeline") and "tensor" not in searched.fixed


def test_missing_batches_follow_from_each_other() -> None:
    plain = {"tp": 1, "pp": 1, "vpp": "", "cp": 1, "dp": 64}
    assert ask(**plain, global_batch="", micro_batch=2).recipe.global_batch == 128
    assert ask(**plain, global_batch=128, micro_batch="", seq_len=4096).fixed["micro_batch"] == 2
    assert ask(global_batch=128, micro_batch="").fixed["micro_batch"] == 4  # of them the fastest that fits is taken
    assert ask(**plain, global_batch="", micro_batch="").recipe.global_batch == 512  # 4 M tokens
    assert ask(**plain, global_batch=64, micro_batch=4).fixed["micro_batch"] == 1


def test_contradicting_degrees_still_fill_the_devices() -> None:
    for cells in (
        {"tp": 1, "pp": 1, "cp": 2, "dp": 4, "gpus": 32},
        {"tp": 4, "pp": 1, "cp": 16, "dp": 4, "gpus": 1024, "global_batch": 4},
    ):
        found = ask(**cells, vpp="")
        assert prod(found.fixed[name] for name in ("tensor", "pipeline", "context", "data")) == cells["gpus"]
        assert any("is not gpus" in text for text in found.assumed)


def test_degrees_that_need_more_devices_than_there_are_spoil_the_row() -> None:
    with pytest.raises(InputError, match="tp·pp·cp is 64 and `gpus` 8"):
        ask(tp=8, pp=8, gpus=8, dp="", vpp="")
    with pytest.raises(InputError):
        ask(accelerator="trainium1", gpus=2, tp=3, pp=8, cp=1, dp=1, vpp="")


def test_weights_are_sharded_inside_a_slice_of_tpus() -> None:
    cells = {"tp": 1, "pp": 1, "vpp": "", "cp": 1, "zero_stage": "fsdp", "framework": "MaxText", "gpus_per_node": ""}
    words = "ICI torus within slice; DCN between 2 slices (data parallel over DCN)"
    assert ask(accelerator="tpu-v5e", gpus=512, dp=512, interconnect=words, **cells).fixed["shard"] == 256
    assert "shard" not in ask(accelerator="tpu-v5e", gpus=256, dp=256, **cells).fixed


def test_trainium_degrees_count_cores() -> None:
    found = ask(accelerator="trainium1", gpus=16, gpus_per_node=16, tp=8, pp=1, vpp="", cp=1, dp=4, precision="bf16")
    assert prod(found.fixed[name] for name in ("tensor", "pipeline", "context", "data")) == 16
    assert any("cores a chip" in text for text in found.assumed)


def test_lengths_that_rows_leave_out() -> None:
    bert = {"model": "bert-large", "layers": 24, "hidden": 1024, "ffn_hidden": 4096, "heads": 16, "kv_heads": 16, "vocab": 30522,
            "gated_mlp": 0, "tp": "", "pp": "", "vpp": "", "cp": "", "dp": "", "gpus": 8, "seq_len": ""}  # fmt: skip
    assert ask(**bert, source="mlperf_training").recipe.sequence_length == 256
    assert ask(**bert).recipe.sequence_length == 512
    assert ask(**bert).recipe.architecture.family == "encoder"
    assert ask(task="sft", seq_len="").recipe.sequence_length == 512
    assert (
        ask(
            model="transformer-xl base", layers="", hidden="", heads="", seq_len="", vocab="", ffn_hidden=""
        ).recipe.sequence_length
        == 192
    )


def test_berts_phases_fill_their_batches_with_samples_of_like_length() -> None:
    cells = {"model": "bert-large", "layers": 24, "hidden": 1024, "heads": 16, "kv_heads": "", "ffn_hidden": 4096, "vocab": 30522,
             "gated_mlp": 0, "tp": "", "pp": "", "vpp": "", "dp": "", "gpus": 8, "date": "2022"}  # fmt: skip
    long = ask(**cells, framework="PyTorch NGC", seq_len=512)
    assert long.recipe.sequence_length == 288 and any("288 tokens of 512" in said for said in long.assumed)
    assert ask(**cells, framework="PyTorch NGC", seq_len=128).recipe.sequence_length == 128
    assert ask(**cells, framework="PyTorch", seq_len=512).recipe.sequence_length == 512


def test_dropout_is_the_models_or_the_softwares() -> None:
    old = {
        "model": "gpt-22B",
        "layers": 48,
        "hidden": 6144,
        "heads": 64,
        "kv_heads": "",
        "ffn_hidden": "",
        "gated_mlp": 0,
    }
    assert ask(**old, framework="Megatron-LM 2021", date="2021").recipe.dropout == 0.1
    assert ask(framework="NeMo 24.07").recipe.dropout == 0.0


def test_a_size_that_is_not_stated_is_not_guessed() -> None:
    with pytest.raises(InputError, match="no model of known size"):
        ask(model="llama (size not stated)", layers="", hidden="", heads="", kv_heads="", ffn_hidden="")


def test_tuned_encoders_have_no_vocabulary_head() -> None:
    cells = {"model": "bert-large (SQuAD)", "layers": "", "hidden": "", "ffn_hidden": "", "heads": "", "kv_heads": "",
             "vocab": "", "gated_mlp": "", "tp": "", "pp": "", "vpp": "", "cp": "", "dp": "", "gpus": 1}  # fmt: skip
    assert not ask(task="sft", **cells).recipe.architecture.head
    assert ask(task="pretrain", **cells).recipe.architecture.head


def test_what_a_gb_is() -> None:
    assert ask(framework="LitGPT").memory_unit == GB
    assert ask().memory_unit == GIB


NEW_CHIPS = [
    ("NVIDIA H100 80GB HBM3", "h100"),
    ("b400-sxm-400gb", "b"),
    ("mi999x-512gb", "mi"),
    ("tpu-v12x", "tpu"),
    ("rtx-6090-ti", "rtx"),
    ("gaudi7", "gaudi"),
]


@pytest.mark.parametrize(("text", "line"), NEW_CHIPS)
def test_chips_never_seen_are_answered_by_their_line_and_it_is_said(text: str, line: str) -> None:
    chip, said = chip_for(text)
    assert chip.name.startswith(line)
    assert said or line == "h100"


@pytest.mark.parametrize(
    "text", ["quantum-9000", "toaster", "gpu", "nvidia", "h9000", "k6000", "xyz-1", "?!", "x" * 5000]
)
def test_a_name_like_none_of_ours_is_no_h100(text: str) -> None:
    with pytest.raises(InputError, match="is not an accelerator"):
        ask(accelerator=text)


def test_every_accelerator_of_ours_is_itself_to_a_record() -> None:
    for chip in catalog.accelerators():
        assert chip_for(chip.name) == (chip, "")


def test_every_row_of_ours_resolves_or_says_why_and_fills_its_devices() -> None:
    refused: dict[str, int] = {}
    answered = 0
    for path in sorted(DATA.glob("*.csv")):
        for record in read_records(path).records:
            try:
                found = resolve(record)
            except InputError as error:
                refused[error.message] = refused.get(error.message, 0) + 1
                continue
            answered += 1
            if "tensor" in found.fixed:
                degrees = [found.fixed[name] for name in ("tensor", "pipeline", "context", "data")]
                assert prod(degrees) == found.cluster.count, record.id
            layers = record.whole("layers")
            assert layers is None or found.recipe.architecture.depth == layers
            assert record.whole("hidden") in (None, found.recipe.architecture.hidden)
            assert record.whole("global_batch") in (None, found.recipe.global_batch)
    assert answered / (answered + sum(refused.values())) > 0.95, refused


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.integers(1, 512).map(str)
            if kind == "count"
            else st.sampled_from(["", "0", "1", "3", "full", "bert", "moe"])
            for name, kind in COLUMNS.items()
            if kind in ("count", "text") and name not in (*MEASURED, "vocab", "layers")
        },
    )
)
def test_no_combination_of_readable_cells_breaks(cells: dict[str, str]) -> None:
    merged = {**LLAMA, **cells}
    outcome = _record(list(merged), list(merged.values()), 1, 2, COLUMNS)
    assert isinstance(outcome, Record)
    try:
        found = resolve(outcome)
    except InputError:
        return
    assert all(value >= 0 for value in found.fixed.values())
    assert found.recipe.global_batch >= 1 and found.recipe.sequence_length >= 1


def test_all_distinct_words_of_ours_resolve() -> None:
    seen: dict[str, set[str]] = {
        name: set() for name in ("accelerator", "framework", "precision", "optimizer", "interconnect")
    }
    for path in DATA.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            for line in csv.DictReader(file):
                for name, texts in seen.items():
                    texts.add(line[name])
    for name, texts in seen.items():
        for text in texts - {""}:
            if "lora" in text or "adapter" in text:
                continue
            assert ask(**{name: text}).cluster.count == 64
