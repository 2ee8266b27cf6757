"""Runs in stages: what they are read from, that they add up, and that a plan of them is the best there is."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlay import catalog
from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.training.cost import cost_training
from outlay.scenarios.training.stages import Stage, after, ask_stages, slug
from outlay.scenarios.training_plan.plan import plan_training
from outlay.statement import Statement, diff, from_json, to_json

ON = {"on": "h100-sxm:8", "price": 2.0, "lost_work": None}
RUN = "stage,tokens,seq,batch\nPre-training,20B,1024,512\nAnnealing,4B,1024,256\nLong context,2B,512,128\n"


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Writes a table of stages and gives its path."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "run.csv") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return write


def figures(statement: Statement) -> dict[str, float]:
    found = {name: figure.value.likely for name, figure in statement.answer.items()}
    assert statement.total.amount is not None
    return {**found, "dollars": statement.total.amount.likely, "most": statement.total.amount.high or 0.0}


def test_one_stage_with_all_tokens_is_the_run_without_stages(file) -> None:
    asked = {"data": "1TB", "people": "10k", "exploration": "20%", "egress": "5GB"}
    whole = cost_training("gpt2", tokens="20B", **ON, **asked)
    one = cost_training("gpt2", stages=file("stage,tokens\nall,20B\n"), **ON, **asked)
    assert figures(one) == pytest.approx(figures(whole), rel=1e-12)
    by_name = {line.name: line.amount for line in whole.walk() if not line.children}
    assert {line.name: line.amount for line in one.walk() if not line.children} == by_name
    assert {entry.name for entry in one.assumed} == {entry.name for entry in whole.assumed}


def test_stages_add_up_to_the_whole_and_are_what_each_costs_alone(file) -> None:
    whole = cost_training("gpt2", stages=file(RUN), **ON, data="1TB")
    alone = [
        cost_training("gpt2", tokens=tokens, sequence_length=length, global_batch=batch, **ON, data="1TB")
        for tokens, length, batch in (("20B", 1024, 512), ("4B", 1024, 256), ("2B", 512, 128))
    ]
    for name in ("seconds", "joules", "kg_co2e"):
        assert whole.answer[name].value.likely == pytest.approx(sum(one.answer[name].value.likely for one in alone))
        assert whole.answer[name].value.high == pytest.approx(sum(one.answer[name].value.high for one in alone))
    top = {line.key: line for line in whole.lines}
    assert [child.name for child in top["accelerators"].children] == ["Pre-training", "Annealing", "Long context"]
    for child, one in zip(top["accelerators"].children, alone, strict=True):
        line = one.find("accelerators")
        assert child.amount.likely == pytest.approx(line.amount.likely)
    transfer = whole.find("network.data-transfer")
    assert transfer.quantity == alone[0].find("network.data-transfer").quantity  # brought in once
    kept = whole.find("storage.data")
    assert kept.quantity.likely == pytest.approx(sum(one.find("storage.data").quantity.likely for one in alone))
    table = next(table for table in whole.sections if table.key == "stages")
    assert table.footer[4] == pytest.approx(whole.answer["seconds"].value.likely)
    assert table.footer[5] == pytest.approx(top["accelerators"].amount.likely)


@settings(max_examples=12, deadline=None)
@given(parts=st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_a_run_cut_into_equal_stages_costs_its_further_starts_more(tmp_path_factory, parts: list[int]) -> None:
    """Whole steps a stage, so that nothing is rounded; what a run loses grows with its length, but for the start."""
    step = 512 * 1024
    path = tmp_path_factory.mktemp("cut") / "run.csv"
    rows = "\n".join(f"part {place},{1000 * step * part}" for place, part in enumerate(parts))
    path.write_text(f"stage,tokens\n{rows}\n", encoding="utf-8")
    asked = {**ON, "global_batch": 512, "framework": "megatron-core"}
    cut = cost_training("gpt2", stages=str(path), **asked)
    whole = cost_training("gpt2", tokens=1000 * step * sum(parts), **asked)
    steps = sum(line.quantity.likely for line in cut.walk() if line.name == "Training steps")
    assert steps == pytest.approx(whole.find("training-steps").quantity.likely)
    more = cut.answer["seconds"].value.likely - whole.answer["seconds"].value.likely
    start = 600.0  # likely seconds of one start are minutes; the shortfall lengthens them
    assert -1e-6 <= more / max(len(parts) - 1, 1e-9) <= 4 * start if len(parts) > 1 else abs(more) < 1e-6


def test_a_staged_statement_is_saved_read_explained_and_subtracted(file) -> None:
    from outlay.statement import explain

    whole = cost_training("gpt2", stages=file(RUN), **ON)
    again = from_json(to_json(whole))
    assert again == whole
    assert "Annealing" in str(explain(whole, "accelerators.annealing.training-steps"))
    assert "Long context" in str(explain(whole, "seconds"))
    less = diff(whole, cost_training("gpt2", stages=file(RUN), **ON, done="21B"))
    assert less.sections


def test_what_stages_differ_in_is_assumed_for_each_and_what_they_share_once(file) -> None:
    whole = cost_training("gpt2", stages=file(RUN), **ON)
    names = [entry.name for entry in whole.assumed]
    assert names.count("optimizer") == 1
    assert "layout, Annealing" in names or names.count("layout") == 1
    assert "lost work, Pre-training" in names


def test_what_is_done_falls_away_from_the_front(file) -> None:
    path = file(RUN)
    rest = cost_training("gpt2", stages=path, done="21B", **ON)
    assert [child.name for child in rest.find("accelerators").children] == ["Annealing", "Long context"]
    table = next(table for table in rest.sections if table.key == "stages")
    assert [row[1] for row in table.rows] == [3_000_000_000, 2_000_000_000]
    plan = plan_training("gpt2", stages=path, done="21B", on="h100-sxm", count=8, price=2.0)
    assert figures(plan) == pytest.approx(figures(rest))
    assert cost_training("gpt2", tokens="26B", done="21B", **ON).total == cost_training("gpt2", tokens="5B", **ON).total


@given(
    tokens=st.lists(st.integers(1, 10**6), min_size=1, max_size=6),
    share=st.floats(0, 1, exclude_max=True),
)
def test_tokens_are_conserved_across_stages(tokens: list[int], share: float) -> None:
    stages = [Stage(name=f"s{place}", tokens=count, asked={}, line=place) for place, count in enumerate(tokens)]
    done = int(share * sum(tokens))
    left = after(stages, done)
    assert sum(stage.tokens for stage in left) == sum(tokens) - done
    assert all(stage.tokens > 0 for stage in left)
    assert [stage.name for stage in left] == [stage.name for stage in stages[len(stages) - len(left) :]]


def test_shares_are_of_the_tokens_and_lose_none(file) -> None:
    stages, whole = ask_stages(file("stage,tokens\na,33.3%\nb,33.3%\nc,33.4%\n"), "1000000007")
    assert sum(stage.tokens for stage in stages) == whole == 1_000_000_007


def test_a_plan_of_stages_is_the_best_of_all_machines(file) -> None:
    path = file(RUN)
    chips, counts = ("h100-sxm-80gb", "a100-sxm-80gb"), (4, 8)
    alone = []
    for chip, count in itertools.product(chips, counts):
        sellers = {
            listing.provider
            for listing in catalog.prices(chip, tier="on-demand")
            if not listing.doubt and listing.devices >= count
        }
        for seller in sellers:
            one = figures(cost_training("gpt2", stages=path, on=f"{chip}:{count}", provider=seller))
            alone.append((one["dollars"], one["seconds"]))
    for goal, key in (("cheapest", 0), ("fastest", 1)):
        plan = figures(plan_training("gpt2", stages=path, on=",".join(chips), count="4,8", goal=goal))
        assert (plan["dollars"], plan["seconds"])[key] <= min(one[key] for one in alone) * (1 + 1e-9)
    one = plan_training("gpt2", stages=file("stage,tokens\nall,20B\n", "one.csv"), on="h100-sxm", count="4..8")
    assert figures(one) == pytest.approx(figures(plan_training("gpt2", tokens="20B", on="h100-sxm", count="4..8")))


def test_a_stage_may_have_its_own_layout_precision_and_machines(file) -> None:
    text = 'stage,tokens,precision,layout,on\npre-training,20B,fp8,"tp=2,zero=1",\npost-training,1B,,,a100-sxm-80gb:8\n'
    whole = cost_training("gpt2", stages=file(text), on="h100-sxm:8")
    rows = {row[0]: row for row in next(table for table in whole.sections if table.key == "how").rows}
    assert rows["pre-training"][2] == "fp8"
    assert "tp=2" in str(rows["pre-training"][3])
    assert "a100-sxm-80gb" in str(rows["post-training"][1])
    prices = {line.unit_price for line in whole.walk() if line.name == "Training steps"}
    assert len(prices) == 2
    plan = plan_training("gpt2", stages="run.csv", on="h100-sxm,h200", count="8")
    assert any(line.key == "accelerators.post-training" for line in plan.walk())


def test_a_stage_that_does_not_fit_is_named(file) -> None:
    with pytest.raises(DoesNotFit, match="stage `long`"):
        cost_training("llama-3-8b", stages=file("stage,tokens,seq\nshort,1B,1024\nlong,1B,10M\n"), on="h100-sxm:8")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", ["no column `stage`", "no column `tokens`"]),
        ("stage\na\n", ["no column `tokens`"]),
        ("stage,tokens,sequence\na,1B,4\n", ["`sequence` is no column"]),
        ("stage,tokens,seq,seq\na,1B,4,4\n", ["`seq` is there twice"]),
        ("stage,tokens\n", ["no stages"]),
        ("stage,tokens\na,many\nb,0\n,1B\n", ["line 2, `tokens`", "line 3, `tokens`", "line 4, `stage`"]),
        ("stage,tokens,seq,batch\na,1B,long,few\n", ["line 2, `seq`", "line 2, `batch`"]),
        ("stage,tokens\na,1B\nA,1B\n", ["line 3, `stage`", "already"]),
        ("stage,tokens\na,1B,7\n", ["line 2", "3 cells for 2 columns"]),
        ("stage,tokens\na,50%\nb,1B\n", ["some are shares"]),
        ("stage,tokens\na,50%\nb,50%\n", ["does not say of what"]),
        ('stage,tokens\n"a,1B\n', ["cannot be read"]),
        ("stage,tokens,precision\na,1B,bf17\n", ["stage `a` (line 2)", "bf17"]),
        ("stage,tokens,layout\na,1B,tp=x\n", ["stage `a` (line 2)", "tp=x"]),
        ("stage,tokens,on\na,1B,h999:8\n", ["stage `a` (line 2)", "h999"]),
        ("stage,tokens,seq\na,1B,100000\n", ["stage `a` (line 2)", "learned positions"]),
    ],
)
def test_a_table_that_cannot_be_used_names_row_and_column(file, text: str, named: list[str]) -> None:
    with pytest.raises(InputError) as refused:
        cost_training("gpt2", stages=file(text), **ON)
    for words in named:
        assert words in refused.value.screen()
    assert refused.value.hint


def test_shares_that_are_not_the_whole_and_sums_that_differ_are_refused(file) -> None:
    with pytest.raises(InputError, match="cannot be used") as refused:
        cost_training("gpt2", tokens="1B", stages=file("stage,tokens\na,50%\nb,40%\n"), **ON)
    assert "90%" in refused.value.screen()
    with pytest.raises(InputError, match="26,000,000,000 tokens"):
        cost_training("gpt2", tokens="1B", stages=file(RUN), **ON)
    with pytest.raises(InputError, match="--done"):
        cost_training("gpt2", stages=file(RUN), done="26B", **ON)
    with pytest.raises(InputError, match="cannot be read"):
        cost_training("gpt2", stages="none.csv", **ON)
    with pytest.raises(InputError, match="--tokens"):
        cost_training("gpt2", **ON)


def test_names_in_any_script_and_of_any_length_are_shown(file) -> None:
    from outlay.render import render

    long = "a stage whose name goes on for much longer than anybody would want to read it"
    whole = cost_training("gpt2", stages=file(f"stage,tokens\n预训练,1B\n{long},1B\n=1+1,1B\n"), **ON)
    assert [child.name for child in whole.find("accelerators").children] == ["预训练", long, "=1+1"]
    assert whole.find("accelerators").children[0].key == "accelerators.line-2"
    assert from_json(to_json(whole)) == whole
    assert "\n=" not in render(whole, "csv")
    assert ",=1+1" not in render(whole, "csv")
    for line in render(whole).splitlines():
        assert sum(2 if ord(char) > 0x2E80 else 1 for char in line) <= 80


def test_names_become_keys() -> None:
    assert slug("Context extension, 128K") == "context-extension-128k"


@pytest.mark.parametrize(
    ("on", "asked"),
    [
        ("rtx-4090:7", {"optimizer": "muon", "global_batch": 512}),  # some of them are idle
        ("h100-sxm:16", {"tier": "spot", "lost_work": "5%"}),
        ("tpu-v5p:8", {"tier": "owned", "grid": "france", "checkpoints": 0}),
        ("v100-sxm-32gb:4", {"precision": "fp16", "recompute": "full", "framework": "torchtitan", "interval": 50}),
    ],
)
def test_one_stage_is_the_run_without_stages_however_it_is_asked(file, on: str, asked: dict[str, object]) -> None:
    whole = cost_training("bert-large", tokens="12.3B", on=on, **asked)
    one = cost_training("bert-large", stages=file("stage,tokens\nall,12.3B\n"), on=on, **asked)
    for name, figure in whole.answer.items():
        ends = ("low", "likely", "high")
        expected = [getattr(figure.value, end) for end in ends]
        assert [getattr(one.answer[name].value, end) for end in ends] == pytest.approx(expected), name
    assert one.total.at_least == whole.total.at_least
    assert one.total.amount.likely == pytest.approx(whole.total.amount.likely)
