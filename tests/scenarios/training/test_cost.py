"""The statement of a training: parts make wholes, everything said is used, and more of anything costs what it should."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outlay import DoesNotFit, InputError, Statement, cost_training
from outlay.statement import Interval, Line, explain, from_json, to_json

DAY = datetime.date(2026, 12, 1)


def ask(model: object = "llama-3-8b", *, tokens: object = 1e12, on: str = "h100-sxm:64", **more: object) -> Statement:
    return cost_training(model, tokens=tokens, on=on, today=DAY, **more)  # type: ignore[arg-type]


def line(statement: Statement, key: str) -> Line:
    found = statement.find(key)
    assert isinstance(found, Line)
    return found


def likely(value: Interval | None) -> float:
    assert value is not None
    return value.likely


def seconds(statement: Statement) -> float:
    return statement.answer["seconds"].value.likely


def dollars(statement: Statement) -> float:
    return likely(statement.total.amount)


questions = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["gpt2", "llama-3-8b", "mixtral-8x7b", "bert-large"]),
        "on": st.sampled_from(["h100-sxm:64", "a100-sxm-80gb:128", "tpu-v5p:64", "mi300x:64", "b200-sxm:24"]),
        "tokens": st.integers(10**6, 10**13),
        "price": st.sampled_from([0, 0.5, 2.0]),
        "discount": st.sampled_from([None, 0.0, 0.3, 1.0]),
        "data": st.sampled_from([None, 0, 4e12]),
        "lost_work": st.sampled_from([None, 0.0, 0.5]),
        "tier": st.sampled_from([None, "owned"]),
    }
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(questions)
def test_parts_make_wholes(question):
    statement = ask(**question)
    for entry in statement.walk():
        if entry.children and entry.amount is not None:
            parts = [child.amount.likely for child in entry.children if child.amount is not None]
            assert math.isclose(entry.amount.likely, math.fsum(parts), rel_tol=1e-12, abs_tol=1e-12)
        elif entry.amount is not None:
            assert math.isclose(entry.amount.likely, likely(entry.quantity) * likely(entry.unit_price), rel_tol=1e-12)
    step, memory, _ = statement.sections
    assert step.footer is not None
    assert memory.footer is not None
    assert math.isclose(float(step.footer[2]), 1.0, rel_tol=1e-9)
    assert float(memory.footer[2]) <= 1.0
    assert math.isclose(
        sum(likely(entry.quantity) for entry in line(statement, "accelerators").children) * 3600,
        seconds(statement) * int(question["on"].partition(":")[2]),
        rel_tol=1e-9,
    )
    again = from_json(to_json(statement))
    assert again == statement
    assert statement.total.at_least == (question["data"] is None and question["tier"] != "owned")


def test_every_line_and_figure_is_explained_down_to_a_source():
    statement = ask()

    def sources(tree) -> int:
        return ("(quoted)" in tree.text or "(assumed)" in tree.text or "(measured)" in tree.text) + sum(
            map(sources, tree.children)
        )

    for entry in statement.walk():
        if entry.priced:
            assert sources(explain(statement, entry.key)), entry.key
    for name in ("seconds", "joules", "kg_co2e", "model_flop_utilisation"):
        assert sources(explain(statement, name)), name


def names_below(tree) -> set[str]:
    """The assumptions that an explanation ends in."""
    own = {tree.text.removeprefix("assumed ").partition(" = ")[0]} if tree.text.startswith("assumed ") else set()
    return own.union(*map(names_below, tree.children))


STEP = {"cluster", "sequence length", "batch", "framework", "precision", "optimizer", "layout"}


@pytest.mark.parametrize(
    ("key", "there", "not_there"),
    [
        ("accelerators.training-steps", STEP | {"price"}, {"grid", "PUE", "checkpoints"}),
        ("accelerators.lost-work", STEP | {"price", "lost work", "slower than benchmarks"}, {"grid", "PUE"}),
        ("storage.checkpoints", {"checkpoints", "storage", "optimizer", "precision", "lost work"}, {"grid", "price"}),
        ("network.data-transfer", {"network"}, STEP),
        ("seconds", STEP | {"lost work", "slower than benchmarks"}, {"price", "grid"}),
        ("joules", STEP | {"lost work", "PUE"}, {"price", "grid"}),
        ("kg_co2e", STEP | {"lost work", "PUE", "grid"}, {"price", "carbon of making"}),
        ("tokens_per_second_per_device", STEP, {"lost work", "price"}),
        ("model_flop_utilisation", STEP, {"lost work", "price"}),
        ("step", STEP, {"lost work", "price"}),
        ("memory", STEP, {"lost work", "price"}),
        ("carbon", STEP | {"lost work", "PUE", "grid", "carbon of making"}, {"price"}),
    ],
)
def test_a_line_is_explained_by_what_it_stands_on(key, there, not_there):
    names = names_below(explain(ask(data="4TB"), key))
    assert there <= names
    assert not names & not_there


@pytest.mark.parametrize(
    "question",
    [
        {},
        {"data": "4TB"},
        {"tier": "owned"},
        {"model": "mixtral-8x7b"},
        {"model": "gpt2", "on": "m3-max"},
        {"tokens": 1e6},
        {"price": 2, "grid": "usa", "pue": 1.2, "checkpoints": 5, "lost_work": 0.05},
    ],
    ids=str,
)
def test_no_assumption_is_an_orphan(question):
    statement = ask(**question)
    used = statement.stands_on(*statement.lines, *statement.answer.values(), *statement.sections)
    assert set(used) == {entry.name for entry in statement.assumed}


def test_what_a_config_leaves_out_is_explained_with_the_step():
    config = {
        "model_type": "llama", "hidden_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 16, "vocab_size": 32000,
    }  # fmt: skip
    statement = ask(config, on="h100-sxm:8")
    left_out = set(names_below(explain(statement, "step"))) - STEP
    assert left_out
    assert left_out <= names_below(explain(statement, "accelerators.training-steps"))


def test_tables_lead_to_the_sources_of_what_they_show():
    statement = ask()

    def words(tree) -> str:
        return "\n".join([tree.text, *map(words, tree.children)])

    step, carbon = words(explain(statement, "step")), words(explain(statement, "carbon"))
    assert "989.4 TFLOP/s: " in step
    assert "3.35 TB/s: " in step
    assert "(fitted)" in step
    made = carbon.partition("Making the devices")[2].splitlines()
    assert made[1].startswith("307.1 kg: http")
    rate = words(explain(statement, "tokens_per_second_per_device"))
    assert "Tokens a step: 4.19 M tokens" in rate
    assert "989.4 TFLOP/s: " in rate


def test_the_rate_is_what_its_parts_make():
    batch, step, devices = (part.value.likely for part in ask().answer["tokens_per_second_per_device"].parts)
    assert ask().answer["tokens_per_second_per_device"].value.likely == pytest.approx(batch / step / devices)


def test_a_batch_larger_than_the_tokens_is_said():
    statement = ask(tokens=10**6, global_batch=512, sequence_length=8192)
    said = next(entry for entry in statement.assumed if entry.name == "steps")
    assert said.value == "one whole step of 4.19 M tokens, 4.19 M tokens in all"
    assert said.why == "1 M tokens were asked for; a batch is larger than that"
    for key in ("training-steps", "seconds", "carbon"):
        assert "steps" in names_below(explain(statement, key))
    two = ask(tokens=6 * 10**6, global_batch=512, sequence_length=8192)
    assert "2 whole steps" in next(entry.value for entry in two.assumed if entry.name == "steps")
    full = ask(tokens=2 * 512 * 8192, global_batch=512, sequence_length=8192)
    assert not any(entry.name == "steps" for entry in (*full.assumed, *ask().assumed))


def test_a_hint_compares_no_costs_while_the_accelerators_have_no_price():
    unpriced = " ".join(ask("gpt2", on="h100-sxm:8", tier="owned").hints)
    assert "take" in unpriced
    assert "cost" not in unpriced
    assert "$" not in unpriced.replace("dollars", "")
    assert "cost" in " ".join(ask("gpt2", on="h100-sxm:8", tier="owned", price=1).hints)


def test_twice_the_tokens_take_twice_as_long():
    assert math.isclose(seconds(ask(tokens=2e12)) / seconds(ask(tokens=1e12)), 2, rel_tol=1e-4)


def test_a_part_of_a_step_is_a_step():
    assert line(ask(tokens=1), "training-steps").parts[1].value.likely == 1


def test_prices():
    listed, own = ask(), ask(price=1.0)
    hours = likely(line(own, "training-steps").quantity)
    assert likely(line(own, "training-steps").amount) == hours
    assert line(own, "training-steps").basis == "yours"
    assert line(listed, "training-steps").basis == "quoted"
    assert math.isclose(dollars(ask(price=2.0, discount="25%", checkpoints=0)), dollars(ask(price=1.5, checkpoints=0)))
    assert dollars(ask(price=0, checkpoints=0)) == 0
    assert any("runpod" in note or "Prices:" in note for note in listed.notes)
    assert not any("Prices:" in note for note in own.notes)


def test_an_owner_pays_for_power_and_a_tenant_does_not():
    owner, tenant = ask(tier="owned", price=1.0, grid="france", electricity=0.10), ask(price=1.0)
    power = line(owner, "power.electricity")
    assert likely(power.quantity) * 3.6e6 == pytest.approx(owner.answer["joules"].value.likely)
    assert likely(power.unit_price) == 0.10
    assert not any(entry.key.startswith("power") for entry in tenant.walk())
    assert not any(entry.key.startswith("network") for entry in owner.walk())


def test_electricity_without_a_line_is_refused():
    with pytest.raises(InputError, match="--electricity"):
        ask(electricity=0.10)


def test_energy_and_carbon():
    one, building = ask(pue=1.0), ask(pue=1.5)
    assert building.answer["joules"].value.likely == pytest.approx(1.5 * one.answer["joules"].value.likely)
    watts = one.answer["joules"].value.likely / seconds(one) / 64
    assert 300 < watts < 1275  # a DGX H100 is rated 10.2 kW
    clean, dirty = ask(grid="france"), ask(grid="poland")
    assert clean.answer["kg_co2e"].value.likely < dirty.answer["kg_co2e"].value.likely / 5
    electricity, making = clean.sections[2].rows
    assert electricity[1].value.likely == clean.answer["kg_co2e"].value.likely
    assert making[1].value.low < making[1].value.likely < making[1].value.high


def test_lost_work():
    none, half = ask(lost_work=0), ask(lost_work="50%")
    steps = likely(line(none, "training-steps").quantity)
    assert likely(line(none, "accelerators.lost-work").quantity) == 0
    assert likely(line(half, "accelerators.lost-work").quantity) == pytest.approx(steps)
    for key in ("training-steps", "accelerators.checkpoints", "evaluation", "warm-up"):
        assert likely(line(none, key).quantity) == likely(line(half, key).quantity) > 0


def test_more_lost_work_costs_more_and_drops_no_other_line():
    default = ask()
    costs = [dollars(ask(lost_work=share)) for share in ("1%", "5%", "20%")]
    assert dollars(default) < costs[1] < costs[2] and costs[0] < costs[1]
    kept = {entry.key for entry in line(ask(lost_work="5%"), "accelerators").children}
    assert kept == {entry.key for entry in line(default, "accelerators").children} - {"accelerators.restarts"}


LOST = ("restarts", "lost-work", "checkpoints", "evaluation", "warm-up", "shortfall")


def test_what_a_run_loses_is_said_by_cause():
    statement = ask()
    lines = [line(statement, f"accelerators.{key}") for key in LOST]
    assert [entry.key for entry in line(statement, "accelerators").children[1:]] == [entry.key for entry in lines]
    for entry in lines:
        assert 0 <= entry.quantity.low <= entry.quantity.likely <= entry.quantity.high
        assert entry.receipts
    steps = likely(line(statement, "training-steps").quantity)
    assert 1 < seconds(statement) * 64 / 3600 / steps < 2
    stated = ask(lost_work="5%")
    assert len(line(stated, "accelerators").children) == len(LOST)
    assert "lost work" not in {entry.name for entry in stated.assumed}


def test_larger_jobs_lose_a_larger_share_to_failures():
    shares = []
    for count in (64, 512, 2048):
        statement = ask(on=f"h100-sxm:{count}", global_batch=4096)
        lost = sum(likely(line(statement, f"accelerators.{key}").quantity) for key in ("restarts", "lost-work"))
        shares.append(lost / likely(line(statement, "training-steps").quantity))
    assert shares == sorted(shares)


def test_data_fills_the_missing_line():
    assert ask().total.at_least
    full = ask(data="15TB")
    assert not full.total.at_least
    assert likely(line(full, "data-transfer").quantity) == 15
    assert not any("--data" in hint for hint in full.hints)


def test_what_is_said_is_not_assumed():
    names = {entry.name for entry in ask().assumed}
    said = ask(
        sequence_length=4096,
        global_batch=512,
        precision="bf16",
        optimizer="adamw",
        framework="megatron-core",
        grid="usa",
        pue=1.2,
        checkpoints=5,
        lost_work=0.05,
        price=2,
        layout="tp=2,pp=1,dp=32,cp=1,vpp=1,mbs=1,zero=1,ep=1,sp=on,recompute=none",
    )
    assert {
        "sequence length",
        "batch",
        "precision",
        "optimizer",
        "framework",
        "grid",
        "PUE",
        "checkpoints",
        "layout",
    } <= names
    kept = {"cluster", "storage", "carbon of making", "rope_theta", "slower than benchmarks"}
    assert not names & {entry.name for entry in said.assumed} - kept
    assert any("as asked" in note for note in said.notes)


def test_batches():
    assert "512 sequences" in next(entry.value for entry in ask().assumed if entry.name == "batch")
    tokens = ask(global_batch="4M tokens", sequence_length=4096)
    sequences = ask("gpt2", global_batch=977, on="h100-sxm:1")
    assert "960 sequences" in next(entry.value for entry in tokens.assumed if entry.name == "batch")
    assert not any(entry.name == "batch" for entry in sequences.assumed)


def test_it_does_not_fit_and_says_what_helps():
    with pytest.raises(DoesNotFit, match="needs") as caught:
        ask("llama-3.1-405b", on="h100-sxm:8")
    assert "--on h100-sxm:" in caught.value.hint
    advised = caught.value.hint.rpartition("--on ")[2].partition("`")[0]
    assert ask("llama-3.1-405b", on=advised).total.amount is not None


def test_the_optimizer_leaves_the_device_only_where_it_must():
    notes = " ".join(ask("mixtral-8x7b", on="h100-sxm:8", sequence_length=4096).notes)
    assert "on the host" in notes
    assert "on the host" not in " ".join(ask().notes)


def test_old_prices_say_so():
    old, young = ask(), cost_training("llama-3-8b", tokens=1e12, on="h100-sxm:64", today=datetime.date(2026, 5, 25))
    assert any("days old" in note for note in old.notes)
    assert not any("days old" in note for note in young.notes)


def test_a_layout_that_breaks_a_rule_is_refused_with_the_rule():
    with pytest.raises(InputError, match="cannot be trained") as caught:
        ask(layout="tp=3")
    assert any("tp" in rule for rule in caught.value.details)


def test_models_come_from_anywhere(tmp_path):
    config = {
        "model_type": "llama", "hidden_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 16, "vocab_size": 32000,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    file, mapping = ask(str(tmp_path / "config.json"), on="h100-sxm:8"), ask(config, on="h100-sxm:8")
    assert seconds(file) == seconds(mapping)
    from outlay.scenarios.named import read_model

    assert seconds(ask(read_model(config)[0], on="h100-sxm:8")) == seconds(file)
    assert file.assumed
    assert file.inputs["model"].endswith("config.json")


def test_results_are_frozen_and_show_themselves():
    statement = ask()
    with pytest.raises(dataclasses.FrozenInstanceError):
        statement.title = "other"  # type: ignore[misc]
    html = statement._repr_html_()
    assert html is not None
    assert "Training steps" in html


@pytest.mark.parametrize(
    "on", ["h100-sxm:1", "h100-sxm:7", "h100-sxm:96", "h100-sxm:100", "h100-sxm:1000", "h100-sxm:6000"]
)
def test_odd_counts_are_answered(on):
    assert dollars(ask("gpt2", on=on)) > 0


def test_more_devices_are_never_slower_in_the_hint():
    few, many = ask("gpt2", on="h100-sxm:8"), ask("gpt2", on="h100-sxm:16")
    assert seconds(many) < seconds(few)


@pytest.mark.parametrize("model", ["llama-3-8b", "mixtral-8x7b"])
def test_larger_nodes_are_never_slower(model: str) -> None:
    seconds = [
        likely(ask(model, gpus_per_node=size).answer["seconds"].value) for size in (1, 2, 4, 8, 16, 64, 100, 10**6)
    ]
    for smaller, larger in itertools.pairwise(seconds):
        assert larger <= 1.01 * smaller


@pytest.mark.parametrize(("size", "said"), [(7, "do not fill"), (100, "no 100 to fill"), (16, "whichever is faster")])
def test_an_unusual_node_is_remarked_on(size: int, said: str) -> None:
    assert any(said in f"{entry.value} {entry.why}" for entry in ask(gpus_per_node=size).assumed)


@pytest.mark.parametrize("layout", ["pp=16,vpp=2,dp=4,mbs=1", "tp=8,pp=8", "tp=2,pp=8,dp=4"])
def test_a_slower_network_is_slower(layout: str) -> None:
    seconds = [
        likely(ask(layout=layout, interconnect=f"{rate} Gbit/s per device").answer["seconds"].value)
        for rate in (400, 100, 10, 0.1)
    ]
    assert seconds == sorted(seconds)
    assert seconds[-1] > 2 * seconds[0]


def test_devices_that_divide_badly_are_idle_and_paid_for() -> None:
    sixteen, seventeen = (ask(on=f"h100-sxm:{count}", global_batch=512, price=2.0) for count in (16, 17))
    assert seconds(seventeen) == pytest.approx(seconds(sixteen))
    assert any(entry.name == "idle devices" and entry.value.startswith("1 of 17") for entry in seventeen.assumed)
    hours = [likely(line(statement, "accelerators.training-steps").quantity) for statement in (sixteen, seventeen)]
    assert hours[1] == pytest.approx(hours[0] * 17 / 16)
    energy = [statement.answer["joules"].value.likely for statement in (sixteen, seventeen)]
    assert energy[0] < energy[1] < energy[0] * 17 / 16


@pytest.mark.parametrize("model", ["llama-3-8b", "gpt2"])
def test_more_devices_never_take_longer(model: str) -> None:
    times = [seconds(ask(model, on=f"h100-sxm:{count}")) for count in (1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 23, 24, 32, 64)]
    for fewer, more in itertools.pairwise(times):
        assert more <= 1.02 * fewer
