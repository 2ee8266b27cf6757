"""Plans for serving: the best of all that were looked at, what adds up, and when the answer is no."""

from __future__ import annotations

import csv
import io
import json
import shlex
from typing import Any

import numpy as np
import pytest

from outlay.cli.main import main
from outlay.errors import DoesNotFit, InputError, UnknownName
from outlay.render import render
from outlay.scenarios.serving.cost import cost_serving
from outlay.scenarios.serving_plan.day import Day, held, read_day, usual_day
from outlay.scenarios.serving_plan.exporting import export_serving_plan
from outlay.scenarios.serving_plan.offered import limits_of
from outlay.scenarios.serving_plan.plan import plan_serving
from outlay.scenarios.serving_plan.search import ServingFound, search_serving
from outlay.scenarios.serving_plan.sections import unbeaten
from outlay.scenarios.serving_plan.words import degrees
from outlay.serving import Load, load_serving, memory, sequence_bytes
from outlay.serving.disaggregated import perform_disaggregated
from outlay.serving.objectives import FULL
from outlay.statement import to_json
from outlay.units import format_quantity

LOAD: dict[str, Any] = {"rate": "5/s", "input": 1024, "output": 256}
WITHIN: dict[str, Any] = {**LOAD, "ttft": "500ms", "tpot": "50ms"}
FEW = "h100-sxm,l40s,rtx-4090"


@pytest.fixture(scope="module")
def found() -> ServingFound:
    return search_serving("llama-3-8b", {**WITHIN, "on": FEW, "count": 32, "quant": "any"})


def test_the_best_is_the_cheapest_within_the_latencies(found: ServingFound) -> None:
    figures, limits = found.offered.figures, limits_of(found.wanted)
    inside = figures["kept"] > 0
    for name in ("ttft", "tpot"):
        inside &= figures[name] <= limits[name]
    assert found.best.dollars == pytest.approx(figures["dollars"][inside].min())
    assert found.best.ttft <= 0.5
    assert found.best.tpot <= 0.05


def test_every_count_adds_up(found: ServingFound) -> None:
    counts = found.counts
    assert counts.looked_at == counts.illegal + counts.too_big + counts.too_slow + counts.kept
    assert min(counts.illegal, counts.too_slow, counts.kept, counts.lacking) > 0
    assert 0 < unbeaten(found).size < found.usable.size <= len(found.offered)


def test_nothing_beats_what_is_on_the_front(found: ServingFound) -> None:
    figures, usable = found.offered.figures, found.usable
    columns = np.stack([figures["dollars"], figures["e2e"], -figures["capacity"]])[:, usable]
    for place in unbeaten(found):
        own = np.array([figures["dollars"][place], figures["e2e"][place], -figures["capacity"][place]])[:, None]
        assert not ((columns <= own).all(axis=0) & (columns < own).any(axis=0)).any()


def test_the_limits_that_bind_are_those_that_do(found: ServingFound) -> None:
    """Giving up a latency never makes the best dearer, and the plan's note says what it saves."""
    for name in ("ttft", "tpot"):
        share = found.offered.figures[f"without_{name}"]
        assert (share[found.offered.figures["kept"] > 0] <= 1.0 + 1e-9).all()
    loose = search_serving("llama-3-70b", {**LOAD, "ttft": "500ms", "on": "l40s,h100-sxm", "count": 64})
    tight = search_serving("llama-3-70b", {**WITHIN, "tpot": "20ms", "on": "l40s,h100-sxm", "count": 64})
    share = tight.offered.figures["without_tpot"]
    without = (tight.offered.figures["dollars"] * share)[np.isfinite(share)].min()
    assert loose.best.dollars == pytest.approx(without)
    assert tight.best.dollars > loose.best.dollars


def test_a_looser_limit_never_costs_more() -> None:
    bills = [
        search_serving(
            "llama-3-70b", {**LOAD, "ttft": "1s", "tpot": tpot, "on": "h100-sxm", "quant": "fp8"}
        ).best.dollars
        for tpot in ("15ms", "25ms", "50ms", "100ms")
    ]
    assert bills == sorted(bills, reverse=True)
    assert bills[0] > bills[-1]


def test_more_requests_never_cost_less() -> None:
    bills = [
        search_serving("llama-3-8b", {**WITHIN, "rate": rate, "on": "l40s"}).best.dollars
        for rate in ("1/s", "5/s", "20/s", "100/s")
    ]
    assert bills == sorted(bills)
    assert bills[-1] > 10 * bills[0]


def test_goals() -> None:
    by_goal = {
        goal: search_serving("llama-3-8b", {**WITHIN, "on": FEW, "count": 16, "goal": goal}).best for goal in GOALS
    }
    assert by_goal["cheapest"].dollars <= min(plan.dollars for plan in by_goal.values())
    assert by_goal["greenest"].kg_co2e <= min(plan.kg_co2e for plan in by_goal.values())
    assert by_goal["fastest"].e2e <= 1.03 * min(plan.e2e for plan in by_goal.values())
    assert by_goal["fastest"].dollars > by_goal["cheapest"].dollars


GOALS = ("cheapest", "fastest", "greenest")


def test_the_statement_is_the_plan(found: ServingFound) -> None:
    statement = plan_serving("llama-3-8b", **WITHIN, on=FEW, count=32, quant="any", every=True)
    assert statement.total.amount is not None
    assert statement.total.amount.likely == pytest.approx(found.best.dollars)
    assert not statement.total.at_least
    table = next(section for section in statement.sections if section.key == "all")
    assert len(table.rows) == found.usable.size
    assert any(note.startswith("Looked at") for note in statement.notes)
    assert all(len(row) == len(table.columns) for row in table.rows)
    document = json.loads(to_json(statement))
    assert {"joules", "kg_co2e", "ttft", "tpot", "e2e", "requests_per_second"} <= document["answer"].keys()
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert float(rows[0]["Month ($)"]) == pytest.approx(found.best.dollars)
    assert all(float(row["First (s)"]) <= 0.5 and float(row["Each (s)"]) <= 0.05 for row in rows)
    assert render(statement, "html")
    assert render(statement, "md")


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        ("llama-3-8b", {**WITHIN, "on": "l40s", "engine": "sglang", "mode": "aggregated"}),
        ("llama-3-8b", {**WITHIN, "on": "l40s", "mode": "disaggregated"}),
        ("llama-3-8b", {"users": 10_000, "on": "l4", "mode": "aggregated"}),
        ("deepseek-v3", {"rate": "20/s", "on": "h200"}),  # steps of other sizes, data-parallel attention
    ],
)
def test_the_plan_alone_fares_as_outlay_cost_serving_says(model: str, asked: dict[str, Any]) -> None:
    statement = plan_serving(model, **asked)
    hint = next(hint for hint in statement.hints if "cost serving" in hint)
    assert hint.endswith("line by line")
    words = hint.split("`")[1].split()
    typed = {words[i].lstrip("-").replace("-", "_"): words[i + 1] for i in range(4, len(words), 2)}
    limits = {name: value for name, value in asked.items() if name in ("ttft", "tpot")}
    alone = cost_serving(model, **typed, **limits)
    for name in ("ttft", "tpot", "e2e"):
        assert alone.answer[name].value.likely == pytest.approx(
            statement.answer[name].value.likely, rel=1e-3
        )  # a solver stops where it is close
    assert alone.total.amount is not None
    assert statement.total.amount is not None
    assert alone.total.amount.likely == pytest.approx(statement.total.amount.likely)
    assert alone.answer["joules"].value.likely == pytest.approx(statement.answer["joules"].value.likely, rel=0.02)


def test_what_one_command_cannot_say_of_a_plan_is_said() -> None:
    statement = plan_serving("llama-3-8b", users=10_000, on="l4", mode="disaggregated")
    hint = next(hint for hint in statement.hints if "cost serving" in hint)
    words, said = hint.split("`")[1].split(), hint.rpartition(": ")[2]
    typed = {words[i].lstrip("-").replace("-", "_"): words[i + 1] for i in range(4, len(words), 2)}
    alone = cost_serving("llama-3-8b", **typed).answer
    first, whole = (format_quantity(alone[name].value.likely, "s") for name in ("ttft", "e2e"))
    assert "one limit of a step for prompts and answers" in hint
    assert said == f"a first token after {first}, an answer after {whole}"


def test_pools_follow_the_day_by_themselves() -> None:
    asked = {**WITHIN, "rate": "40/s", "on": "l40s", "mode": "disaggregated", "day": "diurnal"}
    statement = plan_serving("llama-3-8b", **asked)
    table = next(section for section in statement.sections if section.key == "day")
    assert len(table.columns) == 6
    amounts = [line.amount.likely for line in statement.lines[0].children if line.amount is not None]
    assert len(amounts) == 2
    assert statement.total.amount is not None
    assert sum(amounts) == pytest.approx(statement.total.amount.likely)
    assert statement.total.amount.likely == pytest.approx(search_serving("llama-3-8b", asked).best.dollars)


def test_prompts_computed_apart() -> None:
    best = search_serving("llama-3-70b", {**WITHIN, "on": "h100-sxm", "mode": "disaggregated", "quant": "fp8"}).best
    assert best.prefill is not None
    whole = best.prefill_replicas * int(best.prefill.devices) + best.replicas * int(best.decode.devices)
    assert best.devices == whole
    assert best.ttft <= 0.5
    assert best.tpot <= 0.05
    theirs = perform_disaggregated(
        best.prefill,
        best.decode,
        Load(input=1024, output=256, rate=5.0),
        load_serving(),
        prefill_instances=best.prefill_replicas,
        decode_instances=best.replicas,
    )
    assert (best.ttft, best.tpot) == pytest.approx((float(theirs.ttft), float(theirs.tpot)))
    statement = plan_serving("llama-3-70b", **WITHIN, on="h100-sxm", mode="disaggregated", quant="fp8")
    assert [line.key for line in statement.lines[0].children] == ["accelerators.prefill", "accelerators.decode"]
    assert statement.total.amount is not None
    assert statement.total.amount.likely == pytest.approx(best.dollars)


def test_machines_that_are_had() -> None:
    best = search_serving("llama-3-8b", {**WITHIN, "have": "l40s:4,rtx-4090:2"}).best
    assert (best.chip, best.devices) in {("l40s-48gb", n) for n in range(1, 5)} | {("rtx-4090", n) for n in (1, 2)}
    assert best.offer.owned
    statement = plan_serving("llama-3-8b", **WITHIN, have="l40s:4")
    assert statement.total.at_least
    bought = plan_serving("llama-3-8b", **WITHIN, have="l40s:4", hardware="8000")
    assert not bought.total.at_least


def test_what_cannot_be_had_is_replaced() -> None:
    statement = plan_serving("llama-3-8b", **WITHIN, on="any", without="rtx-3090,rtx-a5000", count=8)
    chip = next(iter(statement.title.split(" × ")[1].split()))
    assert chip not in ("rtx-3090", "rtx-a5000")


# The slowest requests


def test_99_of_100_take_no_less() -> None:
    asked = {**WITHIN, "rate": "20/s", "on": "l40s,h100-sxm", "ttft": "250ms", "tpot": "40ms"}
    mean = search_serving("llama-3-8b", asked).best
    tail = search_serving("llama-3-8b", {**asked, "p99": True}).best
    assert mean.tails is None
    assert tail.tails is not None
    assert tail.tails[0] <= 0.25
    assert tail.tails[1] <= 0.04
    assert tail.tails[0] > tail.ttft
    assert tail.dollars >= mean.dollars
    statement = plan_serving("llama-3-8b", **asked, p99=True)
    plan = next(section for section in statement.sections if section.key == "plan")
    assert any("99 of 100" in str(row[1]) for row in plan.rows)


def test_no_for_99_of_100() -> None:
    with pytest.raises(DoesNotFit, match="99 of 100") as error:
        plan_serving("llama-3-8b", rate="20/s", input=1024, output=256, on="l40s", count=4, ttft="120ms", p99=True)
    assert "nearest" in error.value.message
    with pytest.raises(InputError, match="--p99"):
        plan_serving("llama-3-8b", **LOAD, p99=True)


# A day


def test_a_day_is_followed() -> None:
    asked = {**WITHIN, "rate": "40/s", "on": "l40s", "mode": "aggregated"}
    fixed = search_serving("llama-3-8b", {**asked, "peak": 2.4}).best
    day = search_serving("llama-3-8b", {**asked, "day": "diurnal"}).best
    assert day.devices == fixed.devices
    assert 0.4 < day.day < 0.7
    assert day.dollars == pytest.approx(day.day * fixed.dollars)
    statement = plan_serving("llama-3-8b", **asked, day="diurnal", start_up="10min")
    table = next(section for section in statement.sections if section.key == "day")
    assert len(table.rows) == 24
    needed = [row[2] for row in table.rows]
    assert max(needed) == day.replicas  # type: ignore[type-var]
    assert all(row[3] >= row[2] for row in table.rows)  # type: ignore[operator]
    assert statement.total.amount is not None
    assert statement.total.amount.likely > day.dollars  # it is asked for earlier


def test_each_hour_keeps_the_latencies() -> None:
    from outlay.scenarios.serving_plan.block import replicas_by_part
    from outlay.scenarios.serving_plan.search import latencies

    found = search_serving(
        "llama-3-8b", {**WITHIN, "rate": "40/s", "on": "l40s", "mode": "aggregated", "day": "diurnal"}
    )
    best, day = found.best, found.wanted.day
    assert day is not None
    pool = best.block.decode
    rates = found.wanted.rate * np.asarray(day.share) / day.peak
    counts = replicas_by_part(pool.at(np.array([best.place])), rates)[0]
    for rate, count in zip(rates, counts, strict=True):
        ttft, tpot = latencies(best, found.wanted, load_serving(), max(rate, 1e-6) * best.replicas / count)
        assert ttft <= 0.5 * 1.02
        assert tpot <= 0.05 * 1.02


@pytest.mark.parametrize(
    ("needed", "hours", "paid"),
    [
        ([1, 1, 3, 1], 0.0, [1, 1, 3, 1]),
        ([1, 1, 3, 1], 6.0, [1, 3, 3, 1]),
        ([1, 1, 3, 1], 9.0, [2, 3, 3, 1]),
        ([5, 1, 1, 1], 1.5, [5, 1, 1, 2]),  # the day repeats itself
        ([1, 4, 2, 1], 24.0, [4, 4, 4, 4]),
    ],
)
def test_what_is_paid_is_there_in_time(needed: list[int], hours: float, paid: list[float]) -> None:
    day = Day(share=(1.0,) * 4, start_up=hours * 3600.0)
    assert held(needed, day).tolist() == pytest.approx(paid)


def test_the_usual_day() -> None:
    for peak in (1.0, 1.5, 2.4, 6.0):
        day = usual_day(peak)
        assert max(day) == pytest.approx(peak, rel=1e-3)
        assert sum(day) == pytest.approx(24.0)
        assert min(day) >= 0


def test_a_day_from_a_file(tmp_path: Any) -> None:
    path = tmp_path / "day.csv"
    path.write_text("hour,requests\n0,10\n1,30\n2,20\n", "utf-8")
    assert read_day(str(path), 0.0, None).share == (0.5, 1.5, 1.0)
    for text, word in (
        ("requests\n1\nx\n", "row 3"),
        ("count\n1\n2\n", "no column"),
        ("requests\n0\n0\n", "no requests"),
        ("requests\n5\n", "1 rows"),
    ):
        path.write_text(text, "utf-8")
        with pytest.raises(InputError) as error:
            read_day(str(path), 0.0, None)
        assert word in error.value.screen()


# No, and what cannot be read


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"tpot": "1ms"}, "a token"),
        ({"rate": "5000/s", "count": 8}, "no count up to 8 carries the load"),
        ({"under": "10"}, "--under"),
        ({"on": "rtx-3060", "count": 1, "quant": "bf16"}, "fits on none"),
        ({"on": "m3-max", "tier": "spot"}, "nobody offers m3-max as spot"),
        (
            {"engine": "llamacpp", "mode": "disaggregated", "on": "h100-sxm"},
            "llamacpp computes prompts where it decodes",
        ),
        ({"mode": "disaggregated", "count": 1}, "two accelerators"),
        ({"ttft": "1ns"}, "times `--ttft 1ns`"),
    ],
)
def test_no_is_an_answer_with_the_nearest(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(DoesNotFit) as error:
        plan_serving("llama-3-8b", **{**WITHIN, "on": "l40s,h100-sxm", **asked})
    assert says in error.value.message
    assert error.value.hint


def test_the_limits_in_the_hint_are_enough() -> None:
    asked = {**WITHIN, "on": "l40s", "tpot": "8ms", "under": "2000"}
    for _ in range(3):
        try:
            plan_serving("llama-3-8b", **asked)
            return
        except DoesNotFit as error:
            words = error.hint.split("`")[1].split()
            asked |= {words[i].lstrip("-"): words[i + 1] for i in range(0, len(words), 2)}
    pytest.fail("the hint leads nowhere")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"ttft": "500"}, "--ttft"),
        ({"tpot": "-1ms"}, "--tpot"),
        ({"quant": "fp7"}, "fp7"),
        ({"engine": "vlm"}, "vlm"),
        ({"mode": "both"}, "both"),
        ({"goal": "best"}, "best"),
        ({"kv": "fp3"}, "fp3"),
        ({"start_up": "5min"}, "--day"),
        ({"day": "nowhere.csv"}, "nowhere.csv"),
        ({"day": "diurnal", "start_up": "3d"}, "--start-up"),
        ({"on": "v100-sxm-32gb", "quant": "fp8"}, "runs fp8"),
        ({"price": 2, "provider": "aws"}, "two prices"),
        ({"hardware": "30k", "on": "h100-sxm"}, "your own"),
        ({"electricity": 0.1}, "rented"),
        ({"output": 300_000}, "more than"),
        ({"count": "0"}, "--count"),
    ],
)
def test_bad_input_is_said_in_one_way(asked: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError) as error:
        plan_serving("llama-3-8b", **{**WITHIN, **asked})
    assert says in error.value.screen()
    assert error.value.hint


def test_machines_that_nobody_rents_out_are_ones_own() -> None:
    found = plan_serving("llama-3-8b", **{**LOAD, "rate": "1/min"}, on="m3-max")
    assert any(entry.name == "tier" and entry.value == "owned" for entry in found.assumed)
    assert found.total.at_least
    assert any("Dollars are those of electricity" in note for note in found.notes)
    beside = plan_serving("llama-3-8b", **LOAD, on="m3-max,l40s", count=8)
    assert "l40s" in beside.title
    assert any("Nobody offers m3-max as on-demand" in note for note in beside.notes)


def test_owned_machines_of_no_price_are_never_the_cheapest_of_rented_ones() -> None:
    asked = {**LOAD, "on": "l4,l40s", "count": 8, "tier": "owned,reserved,on-demand"}
    found = plan_serving("llama-3-8b", **asked)
    rented = plan_serving("llama-3-8b", **{**asked, "tier": "on-demand"})
    assert (found.title, found.total) == (rented.title, rented.total)
    notes = " ".join(found.notes)
    assert "What is owned has no dollars" in notes and "What is reserved has no dollars" in notes
    bought = plan_serving("llama-3-8b", **LOAD, on="l40s", count=8, tier="owned", hardware="9k")
    assert not any("no dollars" in note or "Dollars are" in note for note in bought.notes)


def test_of_what_costs_nothing_the_fewest_are_taken() -> None:
    found = search_serving("llama-3-8b", {**LOAD, "on": "l40s", "count": 32, "price": 0})
    assert found.best.dollars == 0
    assert found.best.devices == found.offered.figures["devices"][found.usable].min()


def test_slices_of_tpus_are_linked_though_they_are_listed_by_the_chip() -> None:
    found = search_serving("llama-3-8b", {**LOAD, "rate": "1/s", "on": "tpu-v5e", "count": 8})
    assert found.best.offer.provider == "gcp" and found.best.block.largest[found.best.place] > 1
    assert not any("--export vllm" in hint for hint in plan_serving("llama-3-8b", **LOAD, on="tpu-v5e", count=8).hints)


def test_pools_are_shown_with_their_layouts() -> None:
    found = plan_serving("llama-3-8b", **LOAD, on="h100-sxm", count=8, mode="disaggregated")
    cells = [str(row[1]) for row in found.find("front").rows]
    assert cells and all(cell.count("=") >= 2 and cell.count("×") == 2 for cell in cells)


def test_a_missing_load_is_hinted_at_with_flags_that_there_are() -> None:
    with pytest.raises(InputError) as error:
        plan_serving("llama-3-8b")
    assert "--rate" in error.value.hint and "--users" in error.value.hint
    assert not {"--concurrency", "--trace"} & set(error.value.hint.replace("`", " ").split())


def test_people_are_hours_of_a_month_or_dollars() -> None:
    asked = {**LOAD, "on": "l40s", "count": 8}
    dollars, hours = (plan_serving("llama-3-8b", people=said, **asked) for said in ("3.6k", "40h/month:$90"))
    assert dollars.total.amount is not None and hours.total.amount is not None
    assert hours.total.amount.likely == pytest.approx(dollars.total.amount.likely)
    line = hours.find("beside.people")
    assert (line.quantity.likely, line.unit, line.unit_price.likely) == (40, "h", 90)


def test_a_model_that_does_not_answer_token_by_token() -> None:
    with pytest.raises(InputError, match="token by token"):
        plan_serving("bert-large", **WITHIN)


# Files


def test_exports_are_of_the_engine_that_they_start() -> None:
    for tool in ("vllm", "sglang", "trtllm", "k8s", "dynamo"):
        found = export_serving_plan("llama-3-8b", (tool,), **WITHIN, on="h100-sxm")
        assert len(found.files) == 1
        assert "Meta-Llama-3-8B" in found.files[0].text
    both = export_serving_plan("llama-3-8b", ("sglang", "k8s"), **WITHIN, on="h100-sxm")
    assert "sglang.launch_server" in both.files[1].text
    with pytest.raises(InputError, match="two engines"):
        export_serving_plan("llama-3-8b", ("vllm", "sglang"), **WITHIN, on="h100-sxm")
    with pytest.raises(InputError, match="plans with another"):
        export_serving_plan("llama-3-8b", ("vllm",), **WITHIN, on="h100-sxm", engine="sglang")


def test_unknown_names_offer_the_nearest() -> None:
    with pytest.raises(UnknownName, match="h100-smx"):
        plan_serving("llama-3-8b", **WITHIN, on="h100-smx")


def shares_kept(**limits: str) -> list[int]:
    table = plan_serving("llama-3-8b", **{**LOAD, "on": "h100-sxm", **limits}).sections[0]
    said = {row[0]: str(row[1]) for row in table.rows}
    words = [said[name] for name in ("first token", "each further token")]
    return [int(word.split(": ")[1].split(" of 100")[0]) for word in words if "such deployments" in word]


def test_a_plan_says_how_often_its_limits_are_kept() -> None:
    tight, loose = shares_kept(ttft="100ms", tpot="11ms"), shares_kept(ttft="5s", tpot="1s")
    assert all(0 < few < many <= 99 for few, many in zip(tight, loose, strict=True))
    assert len(tight) == len(loose) == 2
    assert shares_kept() == []


def test_ranges_of_a_plan_are_those_of_its_deployment() -> None:
    plan = plan_serving("llama-3-8b", **{**WITHIN, "on": "h100-sxm", "interval": "90%"})
    narrow = plan_serving("llama-3-8b", **{**WITHIN, "on": "h100-sxm", "interval": "50%"})
    assert (plan.coverage, narrow.coverage) == (0.9, 0.5)
    for name in ("ttft", "tpot", "e2e", "joules", "kg_co2e"):
        wide, inner = plan.answer[name].value, narrow.answer[name].value
        assert wide.low <= inner.low <= inner.likely <= inner.high <= wide.high, name  # type: ignore[operator]
    alone = cost_serving("llama-3-8b", on="h100-sxm:1", rate="5/s", input=1024, output=256, interval="90%")
    first = alone.answer["ttft"].value
    assert plan.answer["ttft"].value.high / plan.answer["ttft"].value.likely == pytest.approx(first.high / first.likely)  # type: ignore[operator]


def test_what_may_be_worse_bounds_the_formats() -> None:
    def cheapest(**more: str) -> float:
        return plan_serving("llama-3-70b", **{**WITHIN, "on": "h100-sxm,l40s", **more}).total.amount.likely

    published, strict, loose, any_at_all = cheapest(), cheapest(worse="0%"), cheapest(worse="1%"), cheapest(quant="any")
    assert strict == published  # nothing but the checkpoint is published to lose nothing
    assert any_at_all <= loose < strict
    with pytest.raises(InputError, match="leaves out every format") as refused:
        cheapest(quant="w4a16", worse="0.1%")
    assert "w4a16: scores" in refused.value.details[0]
    for wrong in ("150%", "-1%", "a lot"):
        with pytest.raises(InputError, match="--worse"):
            cheapest(worse=wrong)


def test_chips_on_which_a_format_s_engine_does_not_run_are_left_out():
    asked = {"rate": "1/s", "input": 512, "output": 128}
    found = plan_serving("llama-3-8b", on="tpu-v5e,l4", quant="q4_k_m", **asked)
    assert "l4" in str(found.title) or found.answer
    with pytest.raises(InputError, match="which does not run on tpu-v5e"):
        plan_serving("llama-3-8b", on="tpu-v5e", quant="q4_k_m", **asked)


def test_a_cache_that_no_engine_has_is_refused():
    with pytest.raises(InputError, match="`--kv int8` is no cache of vllm"):
        plan_serving("llama-3-8b", on="l4", kv="int8", rate="1/s", input=512, output=128)


def test_a_seller_that_links_no_machines_is_said() -> None:
    def notes(provider: str) -> str:
        return " ".join(plan_serving("llama-3-8b", **{**LOAD, "on": "l4", "provider": provider}).notes)

    assert "vast-ai lists one l4-24gb in one machine at most" in notes("vast-ai")
    assert "in one machine at most" not in notes("aws")


def test_a_plan_keeps_to_the_most_that_run_together() -> None:
    """It takes more machines, they answer sooner, and the launch file says so."""
    wanted: dict[str, Any] = {**LOAD, "on": "l40s", "quant": "fp8"}
    free, told = plan_serving("llama-3-8b", **wanted), plan_serving("llama-3-8b", **wanted, max_num_seqs=4)
    few, many = (search_serving("llama-3-8b", {**wanted, "max_num_seqs": most}).best for most in (4, None))
    assert few.devices > many.devices
    assert few.tpot < many.tpot
    rows = [{row[0]: row[1] for row in found.sections[0].rows}["running together"] for found in (free, told)]
    assert rows[1] == "4 at most in an instance" != rows[0]
    for tool, words in (
        ("vllm", "--max-num-seqs 4 "),
        ("sglang", "--max-running-requests 4 "),
        ("trtllm", "--max_batch_size 4 "),
    ):
        files = export_serving_plan("llama-3-8b", (tool,), **wanted, max_num_seqs=4).files
        assert words in files[0].text
    gguf = {**wanted, "quant": "q8_0", "engine": "llamacpp", "on": "rtx-4090", "rate": "0.3/s"}
    assert "--parallel 2 " in export_serving_plan("llama-3-8b", ("llamacpp",), **gguf, max_num_seqs=2).files[0].text
    assert any("--max-num-seqs 4" in hint for hint in told.hints)


def test_what_a_plan_carries_is_what_its_machines_carry_alone() -> None:
    """Within the latencies, and however long requests wait: that is what the cost of the same machines says."""
    wanted: dict[str, Any] = {**LOAD, "on": "l40s", "ttft": "1s", "mode": "aggregated"}
    found = search_serving("llama-3-8b", wanted)
    plan = plan_serving("llama-3-8b", **wanted)
    said = {row[0]: row[1] for row in plan.sections[0].rows}["carries"]
    within, most = (float(part.split()[0]) for part in str(said).split("; "))
    assert float(LOAD["rate"].removesuffix("/s")) <= within < most
    best = found.best
    alone = cost_serving(
        "llama-3-8b",
        on=f"l40s:{best.devices}",
        replicas=best.replicas,
        layout=degrees(best.decode.layout),
        step_tokens=int(best.decode.engine.chunk_tokens),
        **LOAD,
    )
    row = {row[0]: row[1] for row in next(table for table in alone.sections if table.key == "load").rows}["requests"]
    assert f"; {most:g} requests/s at most in this layout" in str(row)


@pytest.mark.parametrize(
    "asked",
    [
        {"on": "rtx-4090", "quant": "q8_0", "rate": "0.5/s"},
        {"on": "m3-max", "quant": "q4_k_m", "rate": "2/min"},
        {"on": "rtx-4090", "quant": "q8_0", "rate": "2/s", "max_num_seqs": 4},
    ],
)
def test_slots_of_llama_cpp_have_room_for_longer_requests(asked: dict[str, Any]) -> None:
    """It takes the room of all its slots when it starts: that is in memory, and each holds more than the load's mean."""
    wanted = {**LOAD, **asked, "engine": "llamacpp"}
    best = search_serving("llama-3.1-8b", wanted).best
    text = export_serving_plan("llama-3.1-8b", ("llamacpp",), **wanted).files[0].text
    count, room = (int(text.partition(f"{flag} ")[2].split()[0]) for flag in ("--parallel", "--ctx-size"))
    each = room // count
    assert each >= 2 * 1280
    free = float(memory(best.decode, load_serving()).cache)
    assert count * float(sequence_bytes(best.decode, each)) <= free
    assert f"each of {count:,} slots takes requests of up to {each:,} tokens" in text
    # Those that are inside at the load have a slot each.
    assert count >= min(asked.get("max_num_seqs", count), float(best.e2e) * 0.03)


@pytest.mark.parametrize(
    ("model", "on", "load"),
    [
        ("mistral-7b", "v100-sxm-32gb", {"rate": "10/s", "input": 2000, "output": 64}),
        ("llama-3.2-1b", "rtx-4090", {"rate": "400/s", "input": 2000, "output": 256}),
        ("nemotron-nano-9b-v2", "rtx-3090", {"rate": "260/s", "input": 128, "output": 16}),
    ],
)
def test_a_plan_without_limits_still_has_an_end_to_its_waits(model: str, on: str, load: dict[str, object]) -> None:
    found = plan_serving(model, on=on, **load)
    assert all(np.isfinite(found.answer[name].value.likely) for name in ("ttft", "tpot", "e2e"))


@pytest.mark.parametrize(("rate", "limits"), [(3_000.0, {}), (999.0, {"ttft": "200ms", "tpot": "30ms"})])
def test_a_plan_carries_its_load(rate: float, limits: dict[str, str]) -> None:
    """Rounding of the search: 603 accelerators carried 99,990 of 100,000 requests a second."""
    found = search_serving("llama-3-8b", {"rate": rate, "input": 10, "output": 10, **limits})
    figures = found.offered.figures
    assert (figures["capacity"][figures["kept"] > 0] >= rate).all()
    assert found.best.capacity >= rate


@pytest.mark.parametrize(
    "asked",
    [
        {"users": 10_000},
        {"rate": "1/s"},
        {"rate": "20/s", "input": 512, "output": 256, "on": "l4"},
        {"rate": "100/s", "input": 1000, "output": 4000},
        {"rate": "100/s", "input": 1000, "output": 4000, "on": "h100-sxm", "mode": "disaggregated", "tpot": "50ms"},
        {"rate": "30/s", "ttft": "60s"},
    ],
)
def test_no_plan_is_as_full_as_nobody_should_plan(asked: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """One L4 at 99 % was the cheapest for 10,000 users, and its own hint said: do not plan so."""
    found = search_serving("llama-3-8b", asked)
    figures = found.offered.figures
    blocks = found.offered.blocks
    for place in found.usable[:50]:
        block = blocks[int(found.offered.block[place])]
        assert found.wanted.rate <= FULL * block.sustained[int(found.offered.place[place])] * (1 + 1e-9)
    assert (figures["kept"] > 0).any()
    hint = next(hint for hint in plan_serving("llama-3-8b", **asked).hints if "outlay cost serving" in hint)
    assert main(shlex.split(hint.split("`")[1])[1:]) == 0
    assert "Do not plan so" not in " ".join(capsys.readouterr().out.split())


def test_a_plan_whose_caches_run_out_is_not_sold_in_silence() -> None:
    asked = {"on": "a10g-24gb", "input": 128, "output": 4000}
    full, easy = (" ".join(plan_serving("llama-3-70b", rate=rate, **asked).notes) for rate in ("0.0957/s", "0.02/s"))
    assert "Played, the load is too much" in full
    assert "Played, the load is too much" not in easy
