"""Launch files as people write them, and everything that can be wrong with one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.training.launch.plans import plan

from outlay.errors import InputError
from outlay.layout import Layout, Recompute, describe
from outlay.scenarios.training.launching import import_run
from outlay.training.launch import read, write
from outlay.training.launch.keys import known
from outlay.training.launch.megatron_model import _pattern
from outlay.training.launch.shell import commands

SCRIPT = """#!/bin/bash
# an example of how such scripts are written
export CUDA_DEVICE_MAX_CONNECTIONS=1
GPUS_PER_NODE=8
NUM_NODES=16   # a comment
WORLD_SIZE=$(($GPUS_PER_NODE*$NUM_NODES))
TP=8
PP=${PP:-4}
LAUNCHER=(
    --nproc_per_node $GPUS_PER_NODE
    --nnodes $NUM_NODES
    --master_addr $MASTER_ADDR
)
MODEL="
    --num-layers 96 \\
    --hidden-size 12288
    --num-attention-heads 96
    --seq-length 2048
    --max-position-embeddings 2048
"
TRAINING=(
    --micro-batch-size 1
    --global-batch-size 1536
    --train-iters 500000
    --fp16
    --lr 6.0e-5
    --recompute-granularity full --recompute-method uniform --recompute-num-layers 1
)
torchrun ${LAUNCHER[@]} pretrain_gpt.py \\
    ${MODEL} \\
    "${TRAINING[@]}" \\
    --tensor-model-parallel-size $TP --pipeline_model_parallel_size=$PP \\
    --sequence-parallel --num-layers-per-virtual-pipeline-stage 6
"""


def layout(text: str, source: str = "run.sh", **options: object) -> Layout:
    found = dict(read(text, source=source, **options).layout)  # type: ignore[arg-type]
    return Layout(**found)


def test_a_megatron_script() -> None:
    found = read(SCRIPT, source="run.sh")
    assert describe(Layout(**found.layout)) == "tp=8,pp=4,vpp=4,dp=4,mbs=1,zero=0,sp=on,recompute=full"
    assert (found.devices, found.sequence_length, found.global_batch, found.steps) == (128, 2048, 1536, 500_000)
    assert found.precision == "fp16"
    assert isinstance(found.model, dict)
    assert found.model["layers"] == 96


def test_bare_arguments_and_underscores() -> None:
    found = read("--tensor_model_parallel_size=2 --micro-batch-size 4 --nproc-per-node 8", source="args.txt")
    assert (found.layout["tensor"], found.layout["data"], found.layout["micro_batch"]) == (2, 4, 4)


def test_experts_are_divided_among_tensor_ranks_unless_said() -> None:
    both = "--num-experts 8 --tensor-model-parallel-size 4 --expert-model-parallel-size 8"
    assert read(both, source="a").layout["expert_tensor"] == 4
    assert read(f"{both} --expert-tensor-parallel-size 1", source="a").layout["expert_tensor"] == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A=3\nrun.py --a $A --b $((A*2+1)) --c ${B:-x}", ["run.py", "--a", "3", "--b", "7", "--c", "x"]),
        ("A=1 B='2 3' run.py --x", ["run.py", "--x"]),
        ("L=(--a 1)\nL+=(--b 2)\nrun.py ${L[@]}", ["run.py", "--a", "1", "--b", "2"]),
        ("# --nothing here\nrun.py '#' --a  # end", ["run.py", "#", "--a"]),
        ("run.py --a $UNSET", ["run.py", "--a", "$UNSET"]),
        ("run.py --x $((2**99999999)) --y $((1/0))", ["run.py", "--x", "$((2**99999999))", "--y", "$((1/0))"]),
    ],
)
def test_shell(text: str, words: list[str]) -> None:
    assert commands(text, source="run.sh")[0] == words


@pytest.mark.parametrize(
    ("text", "pattern"),
    [("2", [1, 0, 1, 0]), ("[0,1]*2", [0, 1, 0, 1]), ("([0]*1+[1]*3)", [0, 1, 1, 1]), ("x()", []), ("0", [])],
)
def test_layers_with_experts(text: str, pattern: list[int]) -> None:
    assert _pattern(text, 4) == pattern


@pytest.mark.parametrize(
    ("source", "text", "words"),
    [
        ("a.sh", "--tensor-model-paralel-size 8 --foo --bar 3", ["tensor-model-parallel-size", "--foo", "--bar"]),
        ("a.sh", "--tensor-model-parallel-size eight", ["eight", "whole number"]),
        ("a.sh", "--tensor-model-parallel-size $TP", ["$TP"]),
        ("a.sh", "--tensor-model-parallel-size 3 --nproc-per-node 8", ["8 devices", "tp 3"]),
        ("a.sh", "--num-layers 10 --num-layers-per-virtual-pipeline-stage 3", ["10 layers"]),
        ("a.sh", "--optimizer soap --num-layers 3", ["soap", "adam"]),
        ("a.sh", "--num-layers '3", ["does not close"]),
        ("a.sh", "hello", ["looks like no launch file"]),
        ("a.toml", "[parallelism\n", ["TOML"]),
        ("a.toml", "[parallelism]\ntensor_parallel_degre = 8\n[foo]\nx=1", ["tensor_parallel_degree", "foo.x"]),
        ("a.toml", "[training]\ndtype = 'bfloat16'", ["dtype"]),
        ("a.toml", "[activation_checkpoint]\nmode = 'memory_budget'", ["memory_budget"]),
        ("a.toml", "[parallelism]\npipeline_parallel_degree=2\npipeline_parallel_schedule='ZBVZeroBubble'", ["ZBV"]),
        ("a.json", "{", ["JSON"]),
        ("a.json", "[]", ["no object"]),
        ("a.json", '{"zero_optimisation": {"stage": 1}}', ["zero_optimization"]),
        ("a.json", '{"zero_optimization": {"stage": 4}}', ["stage 4"]),
        ("a.json", '{"zero_optimization": {"stage": 3, "offload_param": {"device": "cpu"}}}', ["offload_param"]),
        (
            "a.json",
            '{"train_batch_size": 10, "train_micro_batch_size_per_gpu": 3, "gradient_accumulation_steps": 1}',
            ["10"],
        ),
        ("a.yaml", "distributed_type: TPU\n", ["TPU", "FSDP"]),
        ("a.toml", "", ["empty"]),
        ("a.sh", "run.py --tensor-model-parallel-size", ["whole number"]),
        ("a.toml", "[training]\nseq_len = 1\nseq_len = 2", ["TOML"]),
        ("a.toml", "parallelism = 3", ["expected a section"]),
        ("a.toml", "[parallelism]\ntensor_parallel_degree = -8", ["-8", "from 1"]),
        ("a.json", '{"zero_optimization": {"stage": 1, "stage": 2}}', ["`stage` twice"]),
        ("a.json", json.dumps({f"k{n}": n for n in range(9000)}), ["5,000 keys", "k19", "4,980 more"]),
        ("a.yaml", "distributed_type: FSDP\ndistributed_type: DEEPSPEED\n", ["`distributed_type` twice"]),
        ("a.yaml", "distributed_type: FSDP\nfsdp_config: 3\n", ["expected a section"]),
        ("a.yaml", "distributed_type: DEEPSPEED\ndeepspeed_config: {offload_optimizer_device: nvme}", ["nvme"]),
        (
            "a.yaml",
            "distributed_type: MEGATRON_LM\nnum_processes: 8\nmegatron_lm_config: {tp_degree: 3}",
            ["tp_degree 3"],
        ),
        ("a.yaml", "!!python/object/apply:os.system [echo]", ["YAML"]),
        ("a.yaml", "- 1\n", ["no mapping"]),
        ("a.yaml", "a: [", ["YAML"]),
        ("a.yaml", "distributed_type: FSDP\nfsdp_config: {fsdp_reshard: true}\n", ["fsdp_reshard"]),
    ],
)
def test_refused(source: str, text: str, words: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        read(text, source=source)
    screen = refused.value.screen()
    assert all(word in screen for word in words), screen


def test_unknown_keys_may_be_left_out() -> None:
    found = read("--num-layers 2 --foo 3", source="a.sh", ignore_unknown=True)
    assert any("--foo" in remark for remark in found.remarks)


def test_keys_that_matter_and_are_not_read_are_said() -> None:
    found = read("--num-layers 2 --tp-comm-overlap --lr 1e-4", source="a.sh")
    assert any("--tp-comm-overlap" in remark for remark in found.remarks)
    assert not any("--lr" in remark for remark in found.remarks)


def test_defaults_of_torchtitan() -> None:
    found = layout('[parallelism]\ndata_parallel_shard_degree = 8\n[model]\nname="llama3"\nflavor="8B"', "a.toml")
    # torchtitan's own: FSDP over all of them, every second layer recomputed
    assert (found.zero, found.data, found.recompute, found.recompute_layers) == (3, 8, Recompute.FULL, 0.5)


def test_auto_in_a_deepspeed_config_is_not_said() -> None:
    config = {"train_batch_size": "auto", "train_micro_batch_size_per_gpu": "auto", "zero_optimization": {"stage": 2}}
    found = read(json.dumps(config | {"bf16": {"enabled": "auto"}}), source="ds.json")
    assert found.precision is None
    assert "micro_batch" not in found.layout
    assert found.layout["zero"] == 2
    assert found.devices is None


@pytest.mark.parametrize(
    ("tool", "degrees", "word"),
    [
        ("deepspeed", {"pipeline": 4, "virtual": 2, "data": 2}, "interleaved"),
        ("deepspeed", {"tensor": 2, "data": 2}, "sp=off"),
        ("torchtitan", {"data": 8, "zero": 1}, "zero=3"),
        ("accelerate", {"pipeline": 2, "virtual": 2, "zero": 0}, "vpp=1"),
        ("fsdp2", {"data": 8, "zero": 1}, "zero=3"),
        ("nemo", {"data": 8, "recipe_optimizer": "lion"}, "lion"),
        ("megatron", {"data": 8, "recipe_optimizer": "adafactor"}, "adafactor"),
        ("slurm", {"data": 12}, "12 devices"),
    ],
)
def test_what_a_tool_cannot_do_is_one_error(tool: str, degrees: dict[str, object], word: str) -> None:
    with pytest.raises(InputError) as refused:
        write(tool, plan(**degrees))
    assert word in refused.value.screen()


def test_a_change_that_the_hint_offers_is_accepted() -> None:
    with pytest.raises(InputError) as refused:
        write("torchtitan", plan(tensor=2, data=8, zero=1, sequence_parallel=False))
    assert "`zero=3,sp=on` in `--layout`" in refused.value.hint
    assert write("torchtitan", plan(tensor=2, data=8, zero=3, sequence_parallel=True)).text


ODD = st.text(alphabet="-=\"'(){}[]$\\#:;,.| \n\t²0123456789abTP_", max_size=60)
NAMES = st.sampled_from([*known("megatron"), "nnodes", "nproc-per-node"])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    odd=ODD,
    names=st.lists(st.tuples(NAMES, ODD), max_size=6),
    source=st.sampled_from(["a.sh", "a.toml", "a.json", "a.yaml"]),
)
def test_whatever_is_written_there_is_read_or_refused(odd: str, names: list[tuple[str, str]], source: str) -> None:
    text = odd + " ".join(f"--{name} {value}" for name, value in names)
    for tool in (None, "megatron"):
        try:
            import_run(text, source=source, tool=tool).command()
        except InputError as refused:
            assert refused.screen()  # noqa: PT017


DOUBLED = "".join(f"A{n}=$A{n - 1}$A{n - 1}$A{n - 1}$A{n - 1}\n" for n in range(1, 21))
ALIASED = "".join(f"b{n}: &b{n} {{p: *b{n - 1}, q: *b{n - 1}}}\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("a.sh", f"A0=xx\n{DOUBLED}run.py --lr $A20"),
        ("a.yaml", "b0: &b0 {x: 1}\n" + ALIASED),
        ("a.yaml", "distributed_type: &a {b: *a}"),
        ("a.yaml", "&a {b: *a}"),
        ("a.json", "[" * 100_000),
        ("a.json", '{"a":' * 50_000),
        ("a.sh", "run.py --nproc-per-node ² --lr " + "9" * 10_000),
    ],
)
def test_bombs(source: str, text: str) -> None:
    try:
        read(text, source=source)
    except InputError as refused:
        assert refused.hint  # noqa: PT017
