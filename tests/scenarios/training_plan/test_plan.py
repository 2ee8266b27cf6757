"""The plan against pricing each way alone; limits, supply, and what cannot be planned."""

import itertools
import math
import re

import pytest

from outlay import catalog
from outlay.errors import DoesNotFit, InputError
from outlay.scenarios.training.cost import cost_training
from outlay.scenarios.training.fitting import fit
from outlay.scenarios.training.question import ask
from outlay.scenarios.training_plan.candidates import WIDER
from outlay.scenarios.training_plan.plan import plan_training
from outlay.scenarios.training_plan.question import read_counts
from outlay.statement import Statement
from outlay.training import load_coefficients
from outlay.training.choose import TIE

CHIPS = ("h100-sxm-80gb", "a100-sxm-80gb", "rtx-4090")
BLANK = (
    *("layout", "sequence_length", "global_batch", "precision", "optimizer", "recompute", "framework"),
    *("gpus_per_node", "interconnect"),
)
SMALL = {"tokens": 20e9, "on": ",".join(CHIPS), "count": "4..16"}


def _dollars(statement: Statement) -> float:
    assert statement.total.amount is not None
    return statement.total.amount.likely


def _seconds(statement: Statement) -> float:
    return statement.answer["seconds"].value.likely


@pytest.fixture(scope="module")
def alone() -> list[tuple[float, float]]:
    """Dollars and seconds of every chip, count and seller of whole nodes, each priced by itself."""
    found = []
    for chip, count in itertools.product(CHIPS, (4, 8, 16)):
        node = catalog.server_for(chip, count).devices
        listings = [
            listing
            for listing in catalog.prices(chip, tier="on-demand")
            if not listing.doubt
            and (count <= node or catalog.unlinked(listing.provider, listing.provider_class) is None)
        ]
        linked = {listing.provider for listing in catalog.prices(chip) if listing.devices >= min(count, node)}
        dated = {listing.provider for listing in listings if len(listing.date) > 4} & linked
        for seller in dated or {listing.provider for listing in listings} & linked:
            one = cost_training("gpt2", tokens=20e9, on=f"{chip}:{count}", provider=seller)
            found.append((_dollars(one), _seconds(one)))
    return found


def test_the_cheapest_and_the_fastest_are_those_of_brute_force(alone: list[tuple[float, float]]) -> None:
    assert _dollars(plan_training("gpt2", **SMALL)) == pytest.approx(min(dollars for dollars, _ in alone))
    assert _seconds(plan_training("gpt2", goal="fastest", **SMALL)) == pytest.approx(min(time for _, time in alone))


def test_limits_are_kept_and_the_front_is_that_of_brute_force(alone: list[tuple[float, float]]) -> None:
    within = sorted(time for _, time in alone)[len(alone) // 3]
    plan = plan_training("gpt2", within=within, **SMALL)
    inside = [pair for pair in alone if pair[1] <= within]
    assert _dollars(plan) == pytest.approx(min(inside)[0])
    unbeaten = [one for one in inside if not any(a <= one[0] and b <= one[1] and (a, b) != one for a, b in inside)]
    front = next(table for table in plan.sections if table.key == "front")
    assert [row[3] for row in front.rows] == pytest.approx([dollars for dollars, _ in sorted(set(unbeaten))])


def test_every_plan_is_listed_and_the_counts_add_up(alone: list[tuple[float, float]]) -> None:
    plan = plan_training("gpt2", every=True, **SMALL)
    listed = next(table for table in plan.sections if table.key == "all")
    assert len(listed.rows) == len(alone)
    said = next(note for note in plan.notes if note.startswith("Looked at"))
    looked, illegal, big, slower, fastest, offers, kept, beaten = _numbers(said)
    assert looked == illegal + big + slower + fastest
    assert offers == kept + beaten == len(alone)
    assert kept == len(next(table for table in plan.sections if table.key == "front").rows)


def test_counts_add_up_with_limits_and_stages(tmp_path) -> None:
    file = tmp_path / "run.csv"
    file.write_text("stage,tokens,seq\na,15B,1024\nb,5B,512\n")
    asked = {"stages": str(file), "on": SMALL["on"], "count": SMALL["count"]}
    cheapest, fastest = plan_training("gpt2", **asked), plan_training("gpt2", goal="fastest", **asked)
    plan = plan_training("gpt2", within=(_seconds(cheapest) + _seconds(fastest)) / 2, **asked)
    said = next(note for note in plan.notes if note.startswith("Looked at"))
    looked, illegal, big, slower, fastest, offers, kept, beaten, over = _numbers(said)
    assert looked == illegal + big + slower + fastest
    assert offers == kept + beaten + over
    assert over > 0


def _numbers(text: str) -> list[int]:
    counts = re.match(r"Looked at .*? beaten [0-9,]*[0-9](, beyond a limit [0-9,]*[0-9])?[.]", text)
    assert counts is not None
    return [int(number.replace(",", "")) for number in re.findall("[0-9]+(?:,[0-9]{3})*", counts[0])]


@pytest.mark.parametrize(
    ("model", "on"),
    [
        ("llama-3-8b", "rtx-4090:8"),
        ("llama-3-70b", "l40s:512"),
        ("llama-3-70b", "h100-sxm:2048"),
        ("llama-3-8b", "v100-sxm-16gb:256"),
        ("mixtral-8x7b", "h100-sxm:128"),
    ],
)
def test_what_the_first_look_leaves_out_brings_less_than_is_allowed_for(model: str, on: str) -> None:
    coefficients = load_coefficients()
    question = ask(model, tokens="1T", on=on, **dict.fromkeys(BLANK))
    narrow, wide = (fit(question, coefficients, wide=wide).chosen for wide in (False, True))
    gain = float(narrow.estimate.step_seconds) / float(wide.estimate.step_seconds)
    assert wide.legal > narrow.legal
    assert 1 / TIE <= gain <= WIDER


def test_no_seller_of_single_machines_sells_two() -> None:
    plan = plan_training("gpt2", tokens=20e9, on="h100-sxm", count="8..64", every=True)
    listed = next(table for table in plan.sections if table.key == "all")
    assert any("vast-ai" in str(row[1]) and str(row[0]).startswith("8\N{NO-BREAK SPACE}") for row in listed.rows)
    assert not any(
        "vast-ai" in str(row[1]) and not str(row[0]).startswith("8\N{NO-BREAK SPACE}") for row in listed.rows
    )


def test_what_binds_is_said_and_true() -> None:
    free = plan_training("gpt2", **SMALL)
    plan = plan_training("gpt2", within=0.9 * _seconds(free), **SMALL)
    note = next(note for note in plan.notes if note.startswith("What binds is `--within"))
    assert _dollars(free) < _dollars(plan)
    assert "costs" in note
    assert "less and takes" in note


@pytest.mark.parametrize(
    "limits", [{"under": 0.5}, {"within": "1min"}, {"carbon": "1g"}, {"under": 5, "within": "30min"}]
)
def test_an_impossible_goal_is_refused_and_its_hint_is_true(limits: dict[str, str | float]) -> None:
    with pytest.raises(DoesNotFit, match="no plan trains") as refused:
        plan_training("gpt2", **limits, **SMALL)
    relief = dict(re.findall(r"--(under|within|carbon) ([^\s`]+)", refused.value.hint))
    assert relief
    assert plan_training("gpt2", **{**limits, **relief}, **SMALL).lines


def test_an_inventory_is_owned_and_never_exceeded() -> None:
    plan = plan_training("gpt2", tokens="10B", have="h100-sxm:6,a100-sxm-80gb:8", goal="fastest", every=True)
    rows = next(table for table in plan.sections if table.key == "all").rows
    assert {str(row[0]).replace("\N{NO-BREAK SPACE}", " ") for row in rows} == {
        f"{count} × {chip}"
        for chip, counts in {CHIPS[0]: (1, 2, 4, 6), CHIPS[1]: (1, 2, 4, 8)}.items()
        for count in counts
    }
    assert {row[1] for row in rows} == {"owned"}
    assert any(line.key == "power" for line in plan.lines)


def test_owned_machines_beside_rented_ones_are_those_that_are_had() -> None:
    with pytest.raises(InputError, match="nobody said which machines are owned"):
        plan_training("gpt2", tokens="10B", tier="owned,spot")
    both = plan_training("gpt2", tokens="10B", have="rtx-4090:1", tier="owned,on-demand", every=True)
    rows = next(table for table in both.sections if table.key == "all").rows
    assert any(row[1] == "owned" for row in rows)
    assert any("on-demand" in str(row[1]) for row in rows)


def test_without_takes_the_next_best() -> None:
    best = plan_training("gpt2", **SMALL)
    chip = next(name for name in CHIPS if name in best.title)
    other = plan_training("gpt2", tokens=20e9, count="4..16", without=chip, within="30d")
    assert chip not in other.title
    assert _dollars(plan_training("gpt2", tokens=20e9, on=",".join(CHIPS), count="4..16")) == _dollars(best)


def test_what_is_done_is_not_paid_for_again() -> None:
    whole = plan_training("gpt2", **SMALL)
    rest = plan_training("gpt2", done="15B", **SMALL)
    same = plan_training("gpt2", **{**SMALL, "tokens": 5e9})
    assert _dollars(rest) == pytest.approx(_dollars(same))
    assert _dollars(rest) < _dollars(whole)


def test_greenest_emits_least() -> None:
    plans = {goal: plan_training("gpt2", goal=goal, **SMALL) for goal in ("greenest", "cheapest", "fastest")}
    carbon = {goal: plan.answer["kg_co2e"].value.likely for goal, plan in plans.items()}
    assert carbon["greenest"] == min(carbon.values())


def test_a_model_that_fits_nowhere_names_the_nearest() -> None:
    with pytest.raises(DoesNotFit, match="nearest: 2 × rtx-4090"):
        plan_training("llama-3-70b", tokens="1B", on="rtx-4090", count="1..2")


def test_what_stays_free_and_what_does_not_fit_is_said() -> None:
    plan = plan_training("llama-3-8b", tokens="1B", have="h100-sxm:8,rtx-4090:2,l40s:4", count="1..8")
    note = next(note for note in plan.notes if "one kind of accelerator" in note)
    chip = plan.title.partition("× ")[2].split()[0]
    assert {"h100-sxm-80gb", "rtx-4090", "l40s-48gb"} - {chip} == set(re.findall(r"× (\S+)", note))
    tight = plan_training("llama-3-70b", tokens="1B", on="h100-sxm", count="1..8")
    said = next(note for note in tight.notes if note.startswith("Looked at"))
    assert re.search(r"nearest to it, [0-9]+ × h100-sxm-80gb needs? [0-9.]+ times the memory", said)


def test_counts_are_doublings_with_the_last() -> None:
    assert read_counts("3..20") == (3, 6, 12, 20)
    assert read_counts(64) == (64,)
    assert all(math.log2(count).is_integer() for count in read_counts("1..1024"))


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"goal": "cheap"}, "goal"),
        ({"under": "-1"}, "--under"),
        ({"within": "soon"}, "--within"),
        ({"carbon": "lots"}, "--carbon"),
        ({"count": "8..4"}, "--count"),
        ({"count": "0"}, "--count"),
        ({"count": "1..1e9"}, "--count"),
        ({"count": "8,,9"}, "--count"),
        ({"on": "h100-sxm:8"}, "--count 8"),
        ({"on": "h100-sxn"}, "h100-sxn"),
        ({"have": "h100-sxm"}, "--have"),
        ({"have": "h100-sxm:0"}, "--have"),
        ({"have": "h999:8"}, "h999"),
        ({"have": "h100-sxm:8,h100-sxm-80gb:8"}, "twice"),
        ({"have": "h100-sxm:8", "on": "a100-sxm-80gb"}, "--have"),
        ({"have": "h100-sxm:8", "count": "16"}, "fewer"),
        ({"have": "h100-sxm:8", "provider": "aws"}, "--provider"),
        ({"on": "h100-sxm", "without": "h100-sxm"}, "--without"),
        ({"without": "h999"}, "h999"),
        ({"tier": "free"}, "tier"),
        ({"provider": "nobody-at-all"}, "nobody-at-all"),
        ({"done": "10B"}, "--done"),
        ({"done": "1e"}, "--done"),
        ({"price": 2.0}, "--price"),
    ],
)
def test_bad_input_is_named_and_hinted(asked: dict[str, str | float], named: str) -> None:
    with pytest.raises(InputError) as refused:
        plan_training("gpt2", tokens="10B", **asked)
    assert named in refused.value.screen()
    assert refused.value.hint
