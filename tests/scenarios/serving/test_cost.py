"""What serving costs: sums that hold, orders that hold, words that are true."""

from __future__ import annotations

import itertools
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from outlay.errors import DoesNotFit, InputError
from outlay.layout import Layout
from outlay.scenarios.buying.compare import compare
from outlay.scenarios.named import read_model
from outlay.scenarios.serving.apart import carried, try_both
from outlay.scenarios.serving.cost import cost_serving
from outlay.scenarios.serving.extras import layers_of
from outlay.scenarios.serving.question import ask_serving
from outlay.scenarios.serving.rates import rate_words, read_rate
from outlay.scenarios.serving_plan.plan import plan_serving
from outlay.serving import Requests, engine_for, load_serving, poisson, simulate, simulate_disaggregated
from outlay.serving.adapters import adapter_bytes
from outlay.statement import from_json, to_json
from outlay.units import format_quantity, parse
from outlay.workload import parameters

USUAL = {"on": "h100-sxm:8", "quant": "fp8", "input": 1024, "output": 256, "rate": 5, "price": 2}
EVERYTHING = [
    USUAL,
    {**USUAL, "rate": "0.01/s"},
    {**USUAL, "rate": None, "concurrency": 3},
    {**USUAL, "people": "9k", "egress": "2TB"},
    {**USUAL, "people": "40h/month:$90"},
    {**USUAL, "rate": None, "users": 50_000, "turns": 5, "input": 200},
    {**USUAL, "draft": "llama-3-8b", "acceptance": "70%"},
    {**USUAL, "price": None, "tier": "owned", "hardware": "30k"},
    {**USUAL, "on": None, "prefill_on": "h100-sxm:4", "decode_on": "h100-sxm:4"},
    {**USUAL, "on": None, "prefill_on": "h100-sxm:4", "decode_on": "h200:4", "price": None},
    {**USUAL, "on": None, "prefill_on": "h100-sxm:4", "decode_on": "h100-sxm:4", "rate": None, "concurrency": 50},
]


def ask(model="llama-3-70b", **changed):
    return cost_serving(model, **{**USUAL, **changed})


def figure(statement, name):
    return statement.answer[name].value.likely


def cells(statement, key):
    table = next(table for table in statement.sections if table.key == key)
    return {row[0]: row[1:] for row in table.rows}


@pytest.mark.parametrize("asked", EVERYTHING)
def test_prompts_and_answers_make_the_whole(asked):
    found = cost_serving("llama-3-70b", **asked)
    total = found.total.amount.likely
    assert math.isclose(sum(line.amount.likely for line in found.lines), total)
    rows = cells(found, "costs")
    month, hour = (rows[name][0].value.likely for name in ("a month", "an hour"))
    assert math.isclose(month, total)
    assert math.isclose(hour * 730, total)
    whole = rows["a million tokens, both"][0].value.likely
    inward, outward = (rows[f"a million {name} tokens"][0].value.likely for name in ("input", "output"))
    requests = month / rows["1,000 requests"][0].value.likely * 1e3
    output_tokens = figure(found, "output_tokens_per_second") * 730 * 3600
    both = total / whole * 1e6
    input_tokens = both - output_tokens
    assert math.isclose((inward * input_tokens + outward * output_tokens) / 1e6, total, rel_tol=1e-9)
    assert math.isclose(output_tokens / requests, asked["output"], rel_tol=1e-9)


@pytest.mark.parametrize("asked", EVERYTHING)
def test_all_hours_are_paid(asked):
    found = cost_serving("llama-3-70b", **asked)
    hours = sum(line.quantity.likely for line in found.find("accelerators").children)
    assert math.isclose(hours, 8 * 730)


@pytest.mark.parametrize("asked", EVERYTHING)
def test_it_survives_being_saved(asked):
    found = cost_serving("llama-3-70b", **asked)
    assert from_json(to_json(found)) == found


def test_a_cheaper_hour_is_never_dearer():
    totals = [ask(price=price).total.amount.likely for price in (0, 0.5, 1, 2, 4)]
    assert totals == sorted(totals)


def test_more_requests_wait_longer_and_cost_less_each():
    found = [ask(rate=rate, layout="tp=8") for rate in (0.5, 2, 8, 12)]
    for name in ("ttft", "tpot", "e2e"):
        seconds = [figure(statement, name) for statement in found]
        assert seconds == sorted(seconds), name
    prices = [figure(statement, "dollars_per_million_output") for statement in found]
    assert prices == sorted(prices, reverse=True)
    joules = [figure(entry, "joules") / figure(entry, "output_tokens_per_second") for entry in found]
    assert joules == sorted(joules, reverse=True)


def test_more_replicas_are_never_slower():
    found = [ask(on=f"h100-sxm:{2 * count}", layout="tp=2", replicas=count, rate=4) for count in (1, 2, 4, 8)]
    for name in ("ttft", "tpot", "e2e"):
        seconds = [figure(statement, name) for statement in found]
        assert all(later <= sooner * 1.001 for sooner, later in itertools.pairwise(seconds)), name


def test_narrower_weights_and_caches_leave_more_room():
    rooms = [
        cells(ask(quant=quant, layout="tp=8"), "memory")["room for caches"][0] for quant in ("bf16", "fp8", "w4a16")
    ]
    assert rooms == sorted(rooms)
    half, whole = (
        next(t for t in ask(kv=kv, layout="tp=8").sections if t.key == "memory").notes[0] for kv in ("fp8", "bf16")
    )
    assert int(half.split()[2].replace(",", "")) > 1.9 * int(whole.split()[2].replace(",", ""))


def test_the_memory_account_fills_the_device():
    rows = cells(ask(), "memory")
    capacity = 81_559 * 2**20 * 0.9
    assert math.isclose(sum(row[0] for row in rows.values()), capacity, rel_tol=1e-6)


def test_where_the_time_goes_adds_up():
    table = next(table for table in ask().sections if table.key == "step")
    assert math.isclose(table.footer[2], 1.0)
    assert math.isclose(table.footer[4], 1.0)


def test_a_day_of_people():
    found = ask(rate=None, users=86_400, requests_per_user=10, peak=2)
    load = cells(found, "load")
    assert load["requests"][0].startswith("10 requests/s")
    assert load["busiest hour"][0].startswith("20 requests/s")


def test_a_conversation_grows_and_is_remembered():
    plain = ask(input=100, output=200, rate=1)
    talked = ask(input=100, output=200, rate=1, turns=7)
    assert talked.title.endswith("1,000 tokens in, 200 out")
    assert figure(talked, "ttft") < 2 * figure(plain, "ttft")
    assert figure(ask(input=100, output=200, rate=1, turns=7, prefix_hit="0%"), "ttft") > figure(talked, "ttft")


def test_what_is_asked_for_is_not_assumed():
    said = ask(engine="vllm", kv="fp8", layout="tp=8", grid="fr", pue=1.2)
    names = {entry.name for entry in said.assumed}
    assert not names & {"engine", "cache", "layout", "weights", "grid", "PUE", "price", "request"}
    assert {"engine", "cache", "layout", "grid", "PUE"} <= {entry.name for entry in ask().assumed}


def test_a_format_that_the_chip_lacks_is_refused_and_what_is_offered_is_widened():
    asked = {"on": "a100-sxm-80gb", "input": 512, "output": 128, "rate": 1}
    with pytest.raises(InputError, match="does not multiply in fp8") as refused:
        cost_serving("llama-3-8b", quant="fp8", **asked)
    assert "`--quant w8a16`" in refused.value.hint
    assert cost_serving("llama-3-8b", quant="w8a16", **asked).answer
    with pytest.raises(InputError, match="does not multiply in nvfp4"):
        cost_serving("llama-3-8b", quant="nvfp4", **{**asked, "on": "l4"})


def test_published_weights_are_widened_where_the_chip_lacks_their_format():
    found = cost_serving("deepseek-v3", on="a100-sxm-80gb:16", input=512, output=128, rate="1/min", price=1)
    said = next(entry for entry in found.assumed if entry.name == "arithmetic")
    assert "widened" in said.value


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"on": "tpu-v5e:4", "quant": "q4_k_m"}, "which does not run on tpu-v5e"),
        ({"on": "inferentia2", "quant": "q4_k_m"}, "which does not run on inferentia2"),
        ({"on": "gaudi2", "quant": "q4_k_m"}, "which does not run on gaudi2"),
        ({"on": "m3-max", "quant": "fp8"}, "is no format of llamacpp"),
        ({"on": "m3-max", "quant": "nvfp4"}, "is no format of llamacpp"),
        ({"on": "m3-max", "quant": "w4a16"}, "is no format of llamacpp"),
        ({"on": "vcu128"}, "no engine that outlay knows runs on vcu128"),
        ({"on": "cerebras-wse-3"}, "no engine that outlay knows runs on cerebras-wse-3"),
        ({"on": "hailo-8", "quant": "int8"}, "no engine that outlay knows runs on hailo-8"),
        ({"on": "coral-edge-tpu", "quant": "int8"}, "no engine that outlay knows runs on coral-edge-tpu"),
        ({"on": "rx-580", "engine": "vllm"}, "has left the generation gcn4 behind"),
        ({"on": "h100-sxm", "kv": "int8"}, "is no cache of vllm"),
        ({"on": "h100-sxm", "kv": "fp4"}, "is no cache of vllm"),
        ({"on": "h100-sxm", "kv": "fp32"}, "is no cache of vllm"),
        ({"prefill_on": "h100-sxm", "decode_on": "h100-sxm", "engine": "llamacpp"}, "does not send caches"),
        ({"prefill_on": "h100-sxm", "decode_on": "m3-max"}, "does not send caches"),
        ({"prefill_on": "rx-580", "decode_on": "h100-sxm"}, "vllm does not run on rx-580"),
    ],
)
def test_what_does_not_go_together_is_refused(changed, words):
    with pytest.raises(InputError) as refused:
        cost_serving("llama-3-8b", **{"input": 512, "output": 128, "concurrency": 1, **changed})
    assert words in str(refused.value)
    assert refused.value.hint


@pytest.mark.parametrize(
    ("chip", "engine"), [("rx-580", "llamacpp"), ("mi25-16gb", "llamacpp"), ("sn40l", "sambaflow"), ("mi300x", "vllm")]
)
def test_the_usual_engine_is_one_that_runs_there(chip, engine):
    found = cost_serving("llama-3.2-1b", on=chip, input=128, output=16, concurrency=1)
    assert next(entry.value for entry in found.assumed if entry.name == "engine") == engine


def test_llama_cpp_keeps_published_eight_bits_as_its_own():
    with pytest.raises(DoesNotFit, match="in q8_0"):
        cost_serving("deepseek-v3", on="m3-ultra", input=128, output=16, concurrency=1)


def test_published_eight_bit_weights_are_the_default():
    found = cost_serving("deepseek-v3", on="h200-sxm:8", input=512, output=128, rate=1)
    said = next(entry for entry in found.assumed if entry.name == "weights")
    assert said.value == "fp8-block"


def test_drafting_is_quicker_the_more_is_accepted():
    seconds = [
        figure(ask(rate=0.5, layout="tp=8", draft="llama-3-8b", acceptance=share), "tpot") for share in (0, 0.5, 0.9)
    ]
    assert seconds == sorted(seconds, reverse=True)
    assert figure(ask(rate=0.5, layout="tp=8"), "tpot") > seconds[-1]


@pytest.mark.parametrize("draft", ["llama-3-8b", "lookup"])
def test_drafts_that_are_never_right_are_no_quicker_than_none(draft):
    for count in (1, 32):
        asked = {"rate": None, "concurrency": count, "layout": "tp=8"}
        assert figure(ask(**asked, draft=draft, acceptance=0), "tpot") >= figure(ask(**asked), "tpot")


def test_the_statement_says_how_tokens_are_drafted():
    words = cells(ask(draft="llama-3-8b", acceptance="70%", draft_tokens=4), "load")["drafting"][0]
    assert words == "4 tokens a step by llama-3-8b, 70 % of them accepted one after another: 2.77 tokens a step"
    assert "drafting" not in cells(ask(), "load")


def test_layers_that_predict_further_tokens_take_memory():
    asked = {
        "on": "h200:8",
        "quant": "fp8",
        "input": 1024,
        "output": 256,
        "concurrency": 8,
        "layout": "tp=8",
        "price": 2,
    }
    plain, drafting = (cells(cost_serving("deepseek-v3", **asked, **more), "memory") for more in ({}, {"draft": "mtp"}))
    beside = drafting["beside the model"][0]
    # A layer of 256 experts of 3 · 7,168 · 2,048 numbers, and what else it holds, over eight devices.
    assert 256 * 3 * 7168 * 2048 / 8 < beside < 1.1 * 256 * 3 * 7168 * 2048 / 8
    assert math.isclose(plain["room for caches"][0] - drafting["room for caches"][0], beside, rel_tol=0.01)


def test_adapters_take_room():
    asked = [ask(adapters=count, layout="tp=8") for count in (0, 10, 100)]
    rooms = [cells(one, "memory")["room for caches"][0] for one in asked]
    assert rooms == sorted(rooms, reverse=True)
    assert math.isclose(rooms[0] - rooms[1], 10 * adapter_bytes(read_model("llama-3-70b")[0], 16) / 8)


def test_adapters_take_time():
    tokens = [cells(ask(adapters=count, layout="tp=8"), "load")["each further token"][0] for count in (0, 10, 100)]
    assert tokens == sorted(tokens)
    assert tokens[0] < tokens[1]


def test_layers_on_the_processor_are_those_that_do_not_fit():
    asked = {"on": "rtx-4090", "quant": "q4_k_m", "input": 512, "output": 128, "concurrency": 1}
    with pytest.raises(DoesNotFit):
        cost_serving("llama-3-70b", **asked)
    split = cost_serving("llama-3-70b", **asked, offload_to="ryzen-9-7950x")
    whole = cost_serving("llama-3-8b", **asked)
    beside = cost_serving("llama-3-8b", **asked, offload_to="ryzen-9-7950x")
    assert figure(split, "tpot") > 5 * figure(whole, "tpot")
    assert figure(beside, "tpot") == figure(whole, "tpot")
    said = next(entry for entry in split.assumed if entry.name == "layers")
    assert "of 80 on the accelerator" in said.value


def test_prompts_fetch_the_processors_layers():
    asked = {"on": "rtx-4090", "quant": "q4_k_m", "output": 128, "concurrency": 1, "offload_to": "ryzen-9-7950x"}
    one, other = (figure(cost_serving("llama-3-70b", input=tokens, **asked), "ttft") for tokens in (512, 1024))
    # Some 20 GB of weights come over 32 GB/s of link, once for every 512 tokens.
    assert 20 / 32 < one < 8
    assert other / one == pytest.approx(2, rel=0.15)


def test_split_layers_make_the_model():
    model = read_model("deepseek-v3")[0]
    for near in (0, 2, 3, 30, 61):
        parts = (layers_of(model, near), layers_of(model, model.depth - near, last=True))
        assert sum(part.depth for part in parts) == 61
        assert sum(block.count for part in parts for block in part.blocks if block.layer == model.blocks[0].layer) == 3
    assert parameters(layers_of(model, 61)).total == parameters(model).total


def test_an_owned_machine_has_no_price_and_says_what_would_give_one():
    found = cost_serving(
        "llama-3-8b", on="m3-max", quant="q4_k_m", input=512, output=256, concurrency=1, battery="100Wh"
    )
    assert found.total.at_least
    assert "--hardware" in found.hints[-1]
    watts = figure(found, "joules") / (730 * 3600)
    assert math.isclose(figure(found, "battery"), 360_000 / watts)
    bought = cost_serving(
        "llama-3-8b", on="m3-max", quant="q4_k_m", input=512, output=256, concurrency=1, tier="owned", hardware=4000
    )
    assert not bought.total.at_least


def test_bursts_make_clients_wait_and_even_requests_do_not():
    asked = {"on": "l4", "input": 512, "output": 128, "price": 1}
    waits = [cost_serving("llama-3-8b", rate=1, burstiness=shape, **asked) for shape in (0.1, 1, 10)]
    firsts = [figure(found, "ttft") for found in waits]
    assert firsts[0] > 2 * firsts[1]
    assert firsts[2] < 1.1 * firsts[1]
    assert figure(waits[1], "ttft") == figure(cost_serving("llama-3-8b", rate=1, **asked), "ttft")
    for wrong in (
        {"concurrency": 3, "burstiness": 0.5},
        {"rate": 1, "burstiness": "often"},
        {"rate": 1, "burstiness": 0},
    ):
        with pytest.raises(InputError, match="burstiness"):
            cost_serving("llama-3-8b", **asked, **wrong)


def test_a_burst_above_what_is_sustained_is_played():
    count, size = 200, np.full(200, 512)
    burst = Requests(np.arange(count) * 0.02, size, size // 4)
    found = cost_serving("llama-3-8b", on="l4", trace=burst, price=1)
    assert figure(found, "utilisation") == 1.0
    assert "too much: 50 requests/s come, " in found.title
    rows = dict(found.find("load").rows)
    assert rows["requests asked"].startswith("50 requests/s; ") and "requests" not in rows
    answered = float(rows["requests answered"].split()[0])
    assert answered * 512 == pytest.approx(float(rows["input tokens"].split()[0].replace(",", "")), rel=0.01)
    assert "accelerators.idle" not in {line.key for line in found.walk()}
    assert 10 < figure(found, "ttft") < 90
    most = 2 * count * 128 / 60
    assert 0 < figure(found, "output_tokens_per_second") < most
    assert any("faster than they are answered" in note for note in found.notes)
    slow = cost_serving("llama-3-8b", on="l4", trace=Requests(np.arange(count) * 2.0, size, size // 4), price=1)
    assert not any("faster than they are answered" in note for note in slow.notes)
    assert "too much" not in slow.title and "requests" in dict(slow.find("load").rows)


SMALL = {"quant": "q4_k_m", "input": 512, "output": 128}


def test_a_phone_that_waits_draws_what_it_draws_at_rest():
    waits = cost_serving("llama-3.2-1b", on="a17-pro", rate="1/day", **SMALL)
    watts = figure(waits, "joules") / (730 * 3600)
    assert 0.05 <= watts < 0.06
    assert math.isclose(figure(waits, "battery"), 12.7 * 3600 / watts)
    assert "iphone-15-pro" in next(entry.value for entry in waits.assumed if entry.name == "machine")
    works = cost_serving("llama-3.2-1b", on="a17-pro", concurrency=1, **SMALL)
    assert 3600 < figure(works, "battery") < 8 * 3600
    assert "a token of an answer" in cells(works, "load")["energy at work"][0]
    assert "the whole machine" in cells(works, "load")["power"][0]
    assert "at the building's meter" in cells(ask(), "load")["power"][0]


def test_a_phone_s_gpu_reads_prompts_as_that_of_a_like_mac():
    phone, mac = (cost_serving("llama-3.2-1b", on=chip, concurrency=1, **SMALL) for chip in ("a17-pro", "m1-7c"))
    assert figure(phone, "ttft") < 1.5 * figure(mac, "ttft")


@pytest.mark.parametrize(
    ("chip", "low", "high"),
    [
        ("intel-n150", 20, 30),
        ("core-i7-12700h", 30, 80),
        ("m1-pro", 25, 50),
        ("m1-pro-cpu", 25, 50),
        ("gb10-spark-128gb", 100, 240),
        ("core-i9-13900k", 150, 350),
        ("raspberry-pi-5", 8, 15),
        ("m3-ultra", 200, 280),
    ],
)
def test_machines_at_home_draw_what_such_machines_draw(chip, low, high):
    found = cost_serving("llama-3.2-1b", on=chip, concurrency=1, engine="llamacpp", **SMALL)
    assert low < figure(found, "joules") / (730 * 3600) < high
    assert next(entry.value for entry in found.assumed if entry.name == "PUE") == "1"


def test_no_says_how_many_would_do_and_they_do():
    with pytest.raises(DoesNotFit) as refused:
        ask(on="h100-sxm:2", rate=40)
    count = int(refused.value.hint.rpartition(":")[2].rstrip("`"))
    assert count > 2
    assert ask(on=f"h100-sxm:{count}", rate=40).answer


def test_no_says_which_objective_would_hold_and_it_does():
    with pytest.raises(DoesNotFit) as refused:
        ask(tpot="2ms")
    offered = refused.value.hint.rpartition("--tpot ")[2].rstrip("`")
    assert ask(tpot=offered).answer


def test_a_model_that_does_not_fit_is_told_what_would():
    with pytest.raises(DoesNotFit) as refused:
        ask(on="h100-sxm:1", quant="bf16", rate=1)
    assert refused.value.need > 1
    quant = refused.value.hint.partition("--quant ")[2].partition("`")[0]
    assert ask(on="h100-sxm:1", quant=quant, rate=1).answer
    on = refused.value.hint.partition("--on ")[2].partition("`")[0]
    assert ask(on=on, quant="bf16", rate=1).answer


def test_the_best_layout_keeps_the_objectives():
    found = ask(tpot="40ms", ttft="1s")
    assert figure(found, "tpot") <= 0.04
    assert figure(found, "ttft") <= 1


def test_inputs_are_those_that_were_asked():
    inputs = json.loads(to_json(ask()))["inputs"]
    assert inputs["rate"] == 5
    assert inputs["quant"] == "fp8"
    assert "concurrency" not in inputs


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("5/s", 5),
        ("300/min", 5),
        ("18k/h", 5),
        ("1M/day", 1e6 / 86_400),
        ("5 requests per second", 5),
        ("0.5 req/s", 0.5),
    ],
)
def test_rates(text, rate):
    assert math.isclose(read_rate(text), rate)


@pytest.mark.parametrize("text", ["", "5", "5/fortnight", "/s", "-5/s", "0/s", "nan/s", "1e99/s", "5//s", "five/s"])
def test_rates_that_are_none(text):
    with pytest.raises(InputError):
        read_rate(text)


def azure(tmp_path, rows=400, seconds=100.0):
    """A trace in Azure's form, made up."""
    lines = ["TIMESTAMP,ContextTokens,GeneratedTokens"]
    lines += [
        f"2023-11-16 18:{int(at // 60):02d}:{at % 60:010.7f},{300 + 7 * (row % 100)},{50 + row % 80}"
        for row, at in ((row, row * seconds / rows) for row in range(rows))
    ]
    path = tmp_path / "day.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_trace_is_played_request_by_request(tmp_path):
    found = ask("llama-3-8b", on="h100-sxm:2", input=None, output=None, rate=None, trace=azure(tmp_path), ttft="200ms")
    assert "400 requests of day.csv" in found.title
    rows = cells(found, "latency")
    for name, label in (("ttft", "first token"), ("tpot", "each further token"), ("e2e", "whole answer")):
        assert list(rows[label]) == sorted(rows[label])
        assert rows[label][0] <= figure(found, name) * 1.5
    note = next(table for table in found.sections if table.key == "latency").notes[0]
    assert "of requests keep what is allowed" in note
    tokens = sum(50 + row % 80 for row in range(400))
    month = figure(found, "output_tokens_per_second") * 730 * 3600
    assert math.isclose(
        month * figure(found, "dollars_per_million_output") / 1e6 / found.total.amount.likely, 1, abs_tol=0.5
    )
    assert math.isclose(figure(found, "output_tokens_per_second"), tokens / 100, rel_tol=0.01)


def latencies(statement):
    return cells(statement, "latency")


@pytest.mark.parametrize("apart", [False, True])
def test_a_rate_says_what_single_requests_wait(apart):
    machines = {"on": None, "prefill_on": "h100-sxm:4", "decode_on": "h100-sxm:4"} if apart else {}
    found = ask(**machines)
    for name, label in (("ttft", "first token"), ("tpot", "each further token"), ("e2e", "whole answer")):
        half, most, longest = latencies(found)[label]
        assert half <= most <= longest
        assert math.isclose(half, figure(found, name), rel_tol=0.2), label  # the closed form's mean


def test_single_requests_wait_longer_the_fuller_the_machines_are():
    calm, full = ask(rate=1), ask(rate=15)
    for label, (*_, longest) in latencies(calm).items():
        assert longest < latencies(full)[label][-1], label


def test_the_share_that_keeps_an_objective_grows_with_it():
    def kept(limit):
        found = ask(rate=12, ttft=limit)
        note = next(table for table in found.sections if table.key == "latency").notes[0]
        return float(note.split()[0])

    assert kept("150ms") <= kept("300ms") <= kept("3s") == 100


def test_a_number_of_clients_has_no_requests_at_random():
    assert "latency" not in {table.key for table in ask(rate=None, concurrency=8).sections}


def test_prompts_apart_are_priced_by_their_own_devices():
    found = ask(on=None, prefill_on="l40s:8", decode_on="h200:4", rate=2, price=None)
    first, last = found.find("accelerators").children
    assert first.quantity.likely == 8 * 730
    assert last.quantity.likely == 4 * 730
    assert first.unit_price.likely < last.unit_price.likely
    names = [entry.name for entry in found.assumed]
    assert "price of prompts" in names
    assert "transfer" in names
    load = cells(found, "load")
    assert "l40s" in load["for prompts"][0]
    assert "h200" in load["for answers"][0]


def test_answers_are_not_held_up_by_prompts_that_are_computed_elsewhere():
    together = ask(on="h100-sxm:8", layout="tp=4", rate=4, input=3000)
    apart = ask(on=None, prefill_on="h100-sxm:4", decode_on="h100-sxm:4", layout="tp=4", rate=4, input=3000)
    assert figure(apart, "tpot") < figure(together, "tpot")


def test_too_much_for_both_is_told_how_many_of_each(tmp_path):
    with pytest.raises(DoesNotFit) as refused:
        ask(on=None, prefill_on="h100-sxm:2", decode_on="h100-sxm:2", rate=60)
    words = refused.value.hint.rpartition("write `")[2].rstrip("`").split()
    asked = dict(zip(words[::2], words[1::2], strict=True))
    assert ask(on=None, prefill_on=asked["--prefill-on"], decode_on=asked["--decode-on"], rate=60).answer


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"rate": 20}, True),
        ({"rate": 60}, False),
        ({"rate": 20, "ttft": "1s", "tpot": "30ms"}, True),
        ({"rate": 20, "ttft": "1s", "tpot": "15ms"}, False),
        ({"rate": 20, "ttft": "20ms"}, False),
        ({"rate": None, "concurrency": 50}, True),
        ({"rate": None, "concurrency": 50, "tpot": "1ms"}, False),
        ({"rate": None, "concurrency": 50, "prefill_on": "l4:2"}, False),
        ({"rate": None, "concurrency": 50, "decode_on": "l4:2"}, False),
    ],
)
def test_whether_two_pools_carry_a_load_is_what_the_pairs_say(asked, expected):
    coefficients = load_serving()
    pools = {"prefill_on": "h100-sxm:4", "decode_on": "h100-sxm:4"}
    words = {**USUAL, "on": None, **pools, **asked}
    question = ask_serving("llama-3-70b", **{name: word for name, word in words.items() if name != "price"})
    assert question.prefill is not None
    assert carried(question, question.prefill, coefficients) is expected
    assert bool(try_both(question, question.prefill, coefficients).carries.any()) is expected


def test_a_trace_is_played_on_both(tmp_path):
    asked = {"input": None, "output": None, "rate": None, "trace": azure(tmp_path)}
    found = cost_serving("llama-3-8b", prefill_on="h100-sxm:1", decode_on="h100-sxm:1", price=2, **asked)
    half, _, most = cells(found, "latency")["first token"]
    assert half < figure(found, "ttft") * 1.5 < most * 3
    assert math.isclose(found.total.amount.likely, 2 * 730 * 2)


def test_ranges_hold_the_likely_figure_and_widen_with_the_level():
    narrow, wide = ask(interval=50), ask(interval=90)
    assert (narrow.coverage, wide.coverage) == (0.5, 0.9)
    for name in ("ttft", "tpot", "e2e", "joules", "kg_co2e"):
        inner, outer = narrow.answer[name].value, wide.answer[name].value
        assert outer.low <= inner.low <= inner.likely <= inner.high <= outer.high, name
    assert not ask().total.amount.has_range
    clients = ask(rate=None, concurrency=8)
    assert clients.answer["dollars_per_million_output"].value.has_range
    assert clients.answer["output_tokens_per_second"].value.has_range
    assert not ask().answer["output_tokens_per_second"].value.has_range


def test_coefficients_of_ones_own_have_no_range():
    own = load_serving()
    own = replace(own, step=own.step.replace(framework_bytes=own.step.framework_bytes))
    slower = {family: 50 * seconds for family, seconds in own.step.step_fixed.items()}  # longer than the device's
    slow = replace(own, step=own.step.replace(step_fixed=slower))
    found = ask(coefficients=slow)
    assert found.coverage is None
    assert not found.answer["tpot"].value.has_range
    assert figure(found, "tpot") > figure(ask(), "tpot")


def test_the_fewest_that_carry_a_load_are_named():
    """Of 3 devices a server has 3 places, and a usual one more: 4 are tried before 6."""
    with pytest.raises(DoesNotFit) as refused:
        cost_serving("llama-3-8b", on="l4:3", rate=4)
    assert "4 carry it" in refused.value.hint
    assert cost_serving("llama-3-8b", on="l4:4", rate=4).answer


@pytest.mark.parametrize("pools", [{"on": "h100-sxm:4"}, {"prefill_on": "h100-sxm:2", "decode_on": "l40s:2"}])
def test_fewer_devices_save_and_answer_as_their_hint_says(pools):
    flags = {"--on": "on", "--prefill-on": "prefill_on", "--decode-on": "decode_on"}
    asked = {"model": "llama-3-8b", "rate": 2}
    all_of_them = cost_serving(**asked, **pools)
    hint = all_of_them.hints[0]
    words = hint.partition("(`")[2].rstrip("`)").split()
    found = cost_serving(**asked, **{flags[flag]: value for flag, value in zip(words[::2], words[1::2], strict=True)})
    saved = all_of_them.total.amount.likely - found.total.amount.likely
    assert f"${saved:,.0f} less" in hint
    assert format_quantity(figure(found, "e2e"), "s") in hint
    count = sum(int(word.partition(":")[2]) for word in words[1::2])
    assert hint.startswith(
        "1 accelerator carries the load too: it costs" if count == 1 else f"{count} accelerators carry"
    )


@pytest.mark.parametrize("rate", [0.9, 0.98, 1.02])
@pytest.mark.parametrize(
    ("model", "on", "layout"), [("llama-3-8b", "l4", None), ("deepseek-v3", "h200:8", "dp=8,ep=8")]
)
def test_no_rate_beyond_the_highest_that_is_named_is_answered(model, on, layout, rate):
    sizes = {"on": on, "layout": layout, "input": 4000, "output": 1000}
    highest = cost_serving(model, **sizes, rate=0.05)
    most = 0.05 / figure(highest, "utilisation")
    if rate > 1:
        with pytest.raises(DoesNotFit) as refused:
            cost_serving(model, **sizes, rate=rate * most)
        assert f"{rate_words(most, beside=rate * most)} at most" in str(refused.value)
    else:
        assert figure(cost_serving(model, **sizes, rate=rate * most), "utilisation") == pytest.approx(rate, rel=1e-3)


def test_power_and_energy_are_the_same():
    found = ask()
    words = cells(found, "load")["power"][0]
    servers, meter = (parse(part, "W", name="power", example="1kW") for part in re.findall(r"[\d.,]+ k?W", words))
    hour = cells(found, "costs")["an hour"][1].value.likely
    assert hour / 3600.0 == pytest.approx(meter, rel=1e-2)
    pue = next(part for part in found.answer["joules"].parts if part.label == "PUE").value.likely
    assert meter / servers == pytest.approx(pue, rel=1e-2)
    alone = ask("llama-3-8b", on="m3-max", quant="q4_k_m", rate=None, concurrency=1, pue=1)
    assert "meter" not in cells(alone, "load")["power"][0]


def test_a_token_that_takes_longer_than_a_step_is_explained():
    loaded, idle = ask(rate=8), ask(rate=0.01)
    note = f"it takes {format_quantity(figure(loaded, 'tpot'), 's')}: some steps between compute prompts"
    tables = [next(table for table in found.sections if table.key == "step") for found in (loaded, idle)]
    assert [note in " ".join(table.notes) for table in tables] == [True, False]


def test_a_request_that_nobody_gave_fits_the_model():
    found = cost_serving("gpt2-124m", on="raspberry-pi-4", concurrency=1)
    request = next(entry for entry in found.assumed if entry.name == "request")
    inward, outward = (int(word) for word in re.findall(r"\d+", request.value.replace(",", "")))
    assert inward + outward == 1024
    assert "gpt2-124m reads" in request.why
    with pytest.raises(InputError, match="`--input 1155`"):
        cost_serving("gpt2-124m", on="raspberry-pi-4", concurrency=1, input=1155, output=211)


def test_an_objective_that_is_kept_is_offered_as_it_was():
    with pytest.raises(DoesNotFit) as refused:
        cost_serving("llama-3-8b", on="l4", rate=0.2, ttft="1s", tpot="30ms")
    assert "--ttft 1s --tpot" in refused.value.hint
    offered = refused.value.hint.rpartition("--tpot ")[2].rstrip("`")
    assert cost_serving("llama-3-8b", on="l4", rate=0.2, ttft="1s", tpot=offered).answer


@pytest.mark.parametrize(("flag", "value"), [("kv", "foo"), ("layout", "foo"), ("layout", "foo=2")])
def test_what_is_offered_for_an_unknown_word_is_of_serving(flag, value):
    with pytest.raises(InputError) as refused:
        ask(**{flag: value})
    said = " ".join((str(refused.value), *refused.value.details, refused.value.hint))
    assert not any(word in said for word in ("vpp", "mbs", "zero", "write `fp32`"))
    assert "--kv fp8" in said if flag == "kv" else "etp=" in said and "dp=8,ep=8" in said


@pytest.mark.parametrize(
    ("model", "on", "form"),
    [("gpt-oss-20b", "rtx-4090", "mxfp4"), ("minimax-m2", "h200:4", "fp8-block"), ("llama-3-8b", "l4", "bf16")],
)
def test_weights_are_those_of_the_checkpoint_for_cost_plan_and_compare_alike(model, on, form):
    name, _, count = on.partition(":")
    cost = cost_serving(model, on=on, rate=0.1)
    assert next(entry.value for entry in cost.assumed if entry.name == "weights") == form
    planned = plan_serving(model, on=name, count=count or "1", rate=0.1)
    assert next(entry.value for entry in planned.assumed if entry.name == "weights") == form
    beside_an_api = compare(model, on=on, rate=0.1, api="mine=0.10/0.40")
    assert next(entry.value for entry in beside_an_api.assumed if entry.name == "weights") == form


@pytest.mark.parametrize("pools", [{"on": "h100-sxm:4"}, {"prefill_on": "h100-sxm:2", "decode_on": "h100-sxm:2"}])
def test_no_layout_that_is_as_quick_in_all_is_sooner_with_its_first_token(pools):
    asked = {"model": "llama-3-8b", "rate": 5, **pools}
    chosen = cost_serving(**asked)
    assert "to 2 %" in next(entry.why for entry in chosen.assumed if entry.name == "layout")
    for layout in ("tp=1,pp=1", "tp=2,pp=1", "tp=1,pp=2"):
        other = cost_serving(**asked, layout=layout)
        assert figure(chosen, "e2e") <= figure(other, "e2e") * 1.02
        assert figure(chosen, "ttft") <= figure(other, "ttft") * 1.02 or figure(chosen, "e2e") * 1.02 < figure(
            other, "e2e"
        )


@pytest.mark.parametrize(
    ("model", "on", "layout", "instances"),
    [
        ("llama-3-8b", "l4:2", "tp=1", "2 of 1 × l4-24gb, tp=1"),
        ("llama-3-8b", "l4:2", "pp=2", "1 of 2 × l4-24gb, pp=2"),
        ("deepseek-v3", "h200:16", "dp=8,ep=8", "2 of 8 × h200-sxm-141gb, ep=8,dp=8"),
    ],
)
def test_degrees_that_a_layout_does_not_name_are_one(model, on, layout, instances):
    found = cost_serving(model, on=on, layout=layout, input=4000, output=1000, rate="3/min")
    assert cells(found, "load")["instances"][0] == instances


def test_a_prompt_of_several_steps_takes_longer():
    large, small = (ask(input=4096, step_tokens=tokens) for tokens in (8192, 512))
    assert figure(small, "ttft") > figure(large, "ttft")
    with pytest.raises(InputError, match="--step-tokens"):
        ask(step_tokens=3)


def test_one_is_spoken_of_as_one():
    idle = cost_serving("llama-3-8b", on="l4:5", layout="tp=4", rate=0.1)
    assert any("1 of 5 accelerators belongs to no instance; it is paid for" in note for note in idle.notes)
    alone = cost_serving("llama-3-8b", on="l4:2", layout="tp=1", concurrency=1)
    assert any(note.startswith("1 instance gets no request") for note in alone.notes)
    with pytest.raises(InputError, match="on 1 accelerator:"):
        cost_serving("llama-3-8b", on="l4:1", replicas=2, rate=0.1)
    chip = next(entry for entry in cost_serving("llama-3-8b", on="l4:1", rate=0.1).assumed if "limits" in entry.name)
    assert "on an l4-24gb" in chip.why


def test_where_mean_and_single_requests_part_it_is_said():
    said = "waits grow for hours"
    calm = cost_serving("llama-3-8b", on="l4:4", rate=2)
    assert not any(said in note for note in calm.notes)
    most = float(str(dict(calm.find("load").rows)["requests"]).split(";")[1].split()[0])
    layout = next(entry.value for entry in calm.assumed if entry.name == "layout").partition(" × ")
    for share, full in ((0.93, False), (0.96, True), (0.995, True)):
        near = cost_serving("llama-3-8b", on="l4:4", rate=share * most, layout=layout[2], replicas=layout[0])
        mean, (half, _, last) = figure(near, "ttft"), cells(near, "latency")["first token"]
        assert any(said in note and "Do not plan so" in note for note in near.notes) == full
        assert any("load without end" in note for note in near.notes) == (not 0.5 * half <= mean < last)


def test_a_draft_is_smaller_than_what_it_drafts_for():
    with pytest.raises(InputError, match="no smaller"):
        ask("llama-3-8b", draft="llama-3-70b", acceptance="70%")


def test_fewer_that_run_together_wait_and_are_answered_sooner():
    load = {"rate": None, "concurrency": 32, "on": "h100-sxm:8", "layout": "tp=8"}
    few, many = (ask(**load, max_num_seqs=most) for most in (4, 64))
    assert cells(few, "load")["decoding together"][0].startswith("4 ")
    assert figure(few, "tpot") < figure(many, "tpot")
    assert figure(few, "ttft") > 5 * figure(many, "ttft")
    # Eight data-parallel devices have the limit each.
    wide = {**load, "on": "h200:8", "layout": "dp=8,ep=8", "concurrency": 64}
    found = cost_serving("deepseek-v3", **{**USUAL, **wide, "quant": None, "max_num_seqs": 2})
    assert cells(found, "load")["decoding together"][0].startswith("16 ")


def test_what_is_told_is_not_assumed():
    """vLLM sets both limits of a step by the memory of a device: of one that is told the other is still assumed."""
    limits = {
        name: [
            entry.value
            for entry in ask("llama-3-8b", on="l4:8", rate=1, **told).assumed
            if entry.name == "limits of a step"
        ]
        for name, told in (
            ("none", {}),
            ("most", {"max_num_seqs": 8}),
            ("chunk", {"step_tokens": 512}),
            ("both", {"max_num_seqs": 8, "step_tokens": 512}),
        )
    }
    assert limits == {
        "none": ["2,048 tokens a step, 256 requests together"],
        "most": ["2,048 tokens a step"],
        "chunk": ["256 requests together"],
        "both": [],
    }


@pytest.mark.parametrize("most", [0, -3, "many", 10**8])
def test_a_limit_that_is_none_is_refused(most):
    for asking in (ask, lambda **more: plan_serving("llama-3-8b", rate="5/s", on="l40s", **more)):
        with pytest.raises(InputError, match="--max-num-seqs"):
            asking(max_num_seqs=most)


def test_simulated_requests_keep_to_the_limit():
    """One at a time, as a queue has it: the wait of the requests that are played is that of the closed form."""
    found = ask(on="h100-sxm:8", layout="tp=8", max_num_seqs=1, rate="0.2/s")
    assert cells(found, "load")["decoding together"][0].startswith("1 ")
    half, most = (cells(found, "latency")["first token"][place] for place in (0, 2))
    assert most > 3 * half


@pytest.mark.parametrize("prompt", [100, 700, 1155, 3000, 20_000])
@pytest.mark.parametrize(
    ("model", "on", "more"),
    [
        ("llama-3.1-8b", "raspberry-pi-5", {"quant": "q4_k_m"}),
        ("llama-3.1-8b", "m3-max", {"quant": "q4_k_m"}),
        ("llama-3.1-8b", "ryzen-9-7950x", {"quant": "q8_0"}),
        ("llama-3.1-8b", "l4:1", {"quant": "fp8"}),
        ("llama-3.1-8b", "h100-sxm:1", {"engine": "sglang"}),
        ("llama-3.1-8b", "h100-sxm:2", {"engine": "trtllm", "step_tokens": 512}),
        ("mixtral-8x7b", "h100-sxm:2", {}),
    ],
)
def test_the_first_token_of_one_client_is_one_prompt(model, on, more, prompt):
    """A prompt that fills several steps is computed in several, in the table of a step too."""
    found = cost_serving(model, on=on, **more, input=prompt, output=64, concurrency=1)
    table = next(table for table in found.sections if table.key == "step")
    alone = sum(row[3] or 0.0 for row in table.rows)
    engine = engine_for(more.get("engine", "llamacpp" if "q" in more.get("quant", "") else "vllm"))
    assert figure(found, "ttft") == pytest.approx(alone + load_serving().step.front_of(engine, prompt), rel=0.01)


@pytest.mark.parametrize(
    ("model", "on", "layout"),
    [
        (
            "deepseek-v3",
            {"on": "h200:8", "layout": "dp=8,ep=8", "input": 4000, "output": 1000},
            Layout(data=8, expert=8, sequence_parallel=False),
        ),
        (
            "llama-3-70b",
            {"on": "h100-sxm:8", "quant": "fp8", "layout": "tp=8", "input": 1000, "output": 250, "engine": "sglang"},
            Layout(tensor=8, sequence_parallel=False),
        ),
    ],
)
def test_clients_whose_answers_differ_fare_as_the_simulator_has_it(model: str, on: dict[str, object], layout: Layout):
    """Answers of equal length would keep clients in step, and prompts waiting for each other; those of people do not."""
    found = cost_serving(model, **on, concurrency=64)
    one = ask_serving(model, **on, concurrency=64).deployment(layout)
    lengths = poisson(1.0, 1500, input=on["input"], output=on["output"], variation=0.3, seed=4)
    played = simulate(one, lengths, load_serving(), concurrency=64)
    middle = slice(400, 1100)
    assert figure(found, "tpot") == pytest.approx(float(played.tpot[middle].mean()), rel=0.05)
    assert figure(found, "ttft") == pytest.approx(float(played.ttft[middle].mean()), rel=0.15)


def test_at_most_is_of_this_layout():
    said = cells(ask(), "load")["requests"][0]
    assert said.endswith(" at most in this layout")
    assert cells(ask(ttft="1s"), "load")["requests"][0] == f"{said}, however long they wait"


@pytest.mark.parametrize(
    ("on", "battery", "parts"),
    [
        ("m3-max", "99.6Wh", {"Power at rest", "Power at work", "Share of the time at work"}),
        ("m3-max", None, {"Power at rest", "Power at work", "Share of the time at work"}),
        ("l4:1", "10kWh", {"Power of a device", "Its share of the server"}),
    ],
)
def test_a_battery_is_explained_down_to_what_draws(on, battery, parts):
    found = cost_serving("llama-3-8b", on=on, input=512, output=256, concurrency=1, battery=battery).answer["battery"]
    holds, power = found.parts
    assert holds.value.likely / power.value.likely == pytest.approx(found.value.likely)
    assert {part.label for part in power.parts} == parts
    assert (holds.basis == "yours") == (battery is not None)
    assert bool(holds.receipts) == (battery is None)
    assert "PUE" not in found.assumed


def test_clients_of_pools_come_one_by_one_too():
    on = {"prefill_on": "h100-sxm:1", "decode_on": "h100-sxm:2", "layout": "tp=1", "input": 1000, "output": 500}
    found = cost_serving("llama-3-8b", **on, concurrency=32)
    question = ask_serving("llama-3-8b", on=None, **on, concurrency=32)
    assert question.prefill is not None
    one = Layout(sequence_parallel=False)
    played = simulate_disaggregated(
        question.prefill.deployment(one),
        question.deployment(one),
        poisson(1.0, 2000, input=1000, output=500, variation=0.3, seed=4),
        load_serving(),
        decode_instances=2,
        concurrency=32,
    )
    middle = slice(600, 1500)
    assert figure(found, "ttft") == pytest.approx(float(played.ttft[middle].mean()), rel=0.1)
    assert figure(found, "tpot") == pytest.approx(float(played.tpot[middle].mean()), rel=0.05)


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("llama-3-8b", {"on": "h100-sxm:1", "rate": 12}),
        ("llama-3.1-70b", {"on": "h100-sxm:8", "rate": 5, "layout": "tp=4,pp=2"}),
        ("llama-3-8b", {"on": "rtx-4090", "quant": "q4_k_m", "concurrency": 1}),
        ("llama-3.1-70b", {"on": "h100-sxm:4", "rate": 2, "draft": "llama-3.2-1b", "acceptance": "70%"}),
        ("llama-3-70b", {"prefill_on": "h100-sxm:8", "decode_on": "h100-sxm:8", "rate": 2}),
    ],
)
def test_what_a_token_takes_is_the_sum_of_its_parts(model, asked):
    answer = cost_serving(model, input=1024, output=256, price=2, **asked)
    (step,) = (table for table in answer.sections if table.key == "step")
    whole = sum(row[1] or 0.0 for row in step.rows)
    for name in ("ttft", "tpot"):
        figure = answer.answer[name]
        parts = {part.label: part.value.likely for part in figure.parts if part.unit == "s"}
        assert sum(parts.values()) == pytest.approx(figure.value.likely, rel=1e-6)
    others = [seconds for label, seconds in parts.items() if "compute prompts" in label]
    if "draft" not in asked:  # of drafts a step yields several tokens
        own = figure.value.likely - sum(others)
        assert own == pytest.approx(whole, rel=0.02)
        assert bool(others) == (asked.get("rate") is not None and "on" in asked)


def test_machines_whose_caches_run_out_are_not_planned():
    asked = {"on": "a10g-24gb:8", "input": 128, "output": 4000}
    full, easy = (" ".join(cost_serving("llama-3-70b", rate=rate, **asked).notes) for rate in ("0.0957/s", "0.03/s"))
    assert "Played, the load is too much" in full and "`--max-num-seqs`" in full
    assert "Played, the load is too much" not in easy


def test_an_answer_of_one_token_has_no_further_ones():
    shown = ["load", "latency"]
    one = cost_serving("llama-3-8b", on="l4", rate="1/s", input=500, output=1)
    two = cost_serving("llama-3-8b", on="l4", rate="1/s", input=500, output=2)
    for found, times in ((one, 0), (two, 1)):
        for table in (part for part in found.sections if part.key in shown):
            assert [row[0] for row in table.rows].count("each further token") == times


@pytest.mark.parametrize(("prompts", "answers", "whose"), [(4, 8, "prompts"), (8, 4, "answers")])
def test_where_split_machines_are_too_small_those_are_named(prompts, answers, whose):
    """Of DeepSeek-V3 four H200s hold no instance: 157 GiB of weights a device, where eight have 78."""
    with pytest.raises(DoesNotFit) as refused:
        cost_serving("deepseek-v3", prefill_on=f"h200:{prompts}", decode_on=f"h200:{answers}", rate=1)
    assert f"the fullest device for {whose} needs 159 GiB" in str(refused.value)


def test_more_instances_than_clients_are_no_error() -> None:
    """One client of four instances that answer has one of them."""
    asked = {"prefill_on": "h100-sxm:8", "decode_on": "h100-sxm:8", "input": 1024, "output": 64, "price": 2}
    one, two = (cost_serving("llama-3-8b", layout="tp=2", concurrency=clients, **asked) for clients in (1, 8))
    assert 0.8 < one.answer["tpot"].value.likely / two.answer["tpot"].value.likely <= 1.0


@pytest.mark.parametrize("length", [512, 1024])
def test_an_idle_server_computes_a_prompt_as_if_it_were_alone(length: int) -> None:
    """Where a prompt just fills a batch, a trace of another request does not begin a second one."""
    asked = {"on": "rtx-4090", "quant": "q4_k_m", "input": length, "output": 64, "price": 0.3}
    rate = cost_serving("llama-3-8b", rate="10/h", **asked).answer["ttft"].value.likely
    alone = cost_serving("llama-3-8b", concurrency=1, **asked).answer["ttft"].value.likely
    assert rate == pytest.approx(alone, rel=0.02)


def test_a_limit_of_the_question_that_binds_is_named_before_more_machines():
    asked = {"on": "l4", "rate": "0.6/s", "price": 1}
    with pytest.raises(DoesNotFit) as refused:
        cost_serving("llama-3-8b", **asked, max_num_seqs=4)
    assert refused.value.hint.startswith("leave `--max-num-seqs` out: 256 together, as vllm has it, carry it; or ")
    assert cost_serving("llama-3-8b", **asked)
    with pytest.raises(DoesNotFit) as refused:
        cost_serving("llama-3-8b", **asked | {"rate": "20/s"}, max_num_seqs=4)
    assert "--max-num-seqs" not in refused.value.hint


def test_prompts_have_a_layout_of_their_own():
    asked = {"prefill_on": "h100-sxm:4", "decode_on": "h100-sxm:4", "rate": "1/s", "price": 1, "layout": "tp=4"}
    alike, other = (
        cost_serving("llama-3-70b", **asked, prefill_layout=layout).answer["ttft"].value.likely
        for layout in ("tp=4", "tp=2")
    )
    assert alike == cost_serving("llama-3-70b", **asked).answer["ttft"].value.likely != other
    for layout, hint in (("tp=8", "--prefill-on h100-sxm:8"), ("tp=3", "`--prefill-layout auto`")):
        with pytest.raises(InputError) as refused:
            cost_serving("llama-3-70b", **asked, prefill_layout=layout)
        assert hint in refused.value.hint
    with pytest.raises(DoesNotFit, match="for prompts needs") as refused:
        cost_serving("llama-3-70b", **asked, prefill_layout="tp=1")
    assert "`--layout auto --prefill-layout auto`" in refused.value.hint
    with pytest.raises(InputError, match="compute prompts alone"):
        cost_serving("llama-3-70b", on="h100-sxm:4", rate="1/s", prefill_layout="tp=4")
