"""Requests that are played are those of a machine that is as full as it stays."""

from __future__ import annotations

import re

import numpy as np
import pytest

from outlay.catalog import accelerator
from outlay.errors import DoesNotFit
from outlay.machine import cluster_for
from outlay.scenarios.serving import playing
from outlay.scenarios.serving.cost import cost_serving
from outlay.scenarios.serving.demand import Demand
from outlay.scenarios.serving.playing import Fleet, begun, play_at_random
from outlay.scenarios.serving_plan.plan import plan_serving
from outlay.serving import Deployment, load_serving, perform
from outlay.serving.synthetic import poisson
from outlay.workload import transformer

LLAMA = transformer(layers=32, hidden=4096, heads=32, kv_heads=8, vocab=128256, gated=True, ffn_hidden=14336)


def _rows(answer: object, key: str) -> dict[str, tuple[float, ...]]:
    (table,) = (table for table in answer.sections if table.key == key)  # type: ignore[attr-defined]
    return {row[0]: row[1:] for row in table.rows}


def test_who_is_inside_has_another_part_done_each() -> None:
    coming = poisson(1.0, 50, input=100, output=1000)
    found = begun(coming, 200)
    assert len(found) == 250 and (found.input + found.output == 1100).all()
    left = found.output[:200]
    assert left.min() >= 1 and left.max() <= 1000 and abs(left.mean() - 500) < 3 and len(np.unique(left)) == 200
    assert (found.cached[:200] == found.input[:200] - 1).all()


@pytest.mark.parametrize("output", [50, 4000])
def test_long_answers_are_played_at_the_pace_at_which_they_stay(output: int) -> None:
    """An answer of 4,000 tokens takes far longer than 3,000 requests take to come: whoever comes last is not alone."""
    one = Deployment(architecture=LLAMA, cluster=cluster_for(accelerator("h100-sxm"), 1))
    coefficients = load_serving()
    rate = 0.6 * 5_000 / output
    demand = Demand(
        input=200, output=output, rate=rate, concurrency=None, words="", peak=1.0, cached=0.0, longest=200 + output
    )
    mean = perform(one, demand.load(1), coefficients)
    found = play_at_random(
        Fleet(decode=one, replicas=1), demand, coefficients, rate=rate, seconds=float(np.asarray(mean.e2e))
    )
    assert found.lasting and len(found) == playing.PLAYED
    seconds = found.replay.tpot[found.counted]
    assert np.median(seconds[-500:]) == pytest.approx(np.median(seconds[:500]), rel=0.1)
    assert found.mean("tpot") == pytest.approx(float(np.asarray(mean.tpot)), rel=0.05)


def test_slow_requests_are_no_quicker_than_the_mean() -> None:
    """Before, of instances that were filling up: 74 ms where the mean has 104 ms."""
    answer = cost_serving("llama-3-8b", on="h100-sxm:20", input=2000, output=4000, rate=21.2, price=2)  # 97.8 % full
    slow = {name: row[-1] for name, row in _rows(answer, "latency").items()}
    for name, label in (("ttft", "first token"), ("tpot", "each further token"), ("e2e", "whole answer")):
        assert slow[label] >= answer.answer[name].value.likely
    assert any("Do not plan so" in note for note in answer.notes)


def test_what_cannot_be_played_to_its_pace_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playing, "MOST_INSIDE", 5)
    answer = cost_serving("llama-3-8b", on="h100-sxm:1", input=500, output=500, rate=5, price=2)
    assert any(note.startswith("More requests are inside") for note in answer.notes)
    slow = _rows(answer, "latency")["each further token"][-1]
    assert slow >= answer.answer["tpot"].value.likely


def test_a_limit_for_99_of_100_is_never_cheaper_than_for_the_mean() -> None:
    asked = {"on": "h100-sxm", "input": 1000, "output": 4000, "rate": "100/s", "tpot": "20ms"}
    mean, tail = plan_serving("llama-3-8b", **asked), plan_serving("llama-3-8b", p99=True, **asked)
    assert tail.total is not None and mean.total is not None
    assert tail.total.amount.likely >= mean.total.amount.likely * (1 - 1e-9)


@pytest.mark.parametrize("count", [2, 400])
@pytest.mark.parametrize("name", ["ttft", "tpot"])
def test_what_is_allowed_is_held_against_the_trace_as_it_was_played(count: int, name: str) -> None:
    """In closed form two requests wait longer than they do: what the screen said was refused, with a hint at more."""
    trace = poisson(2.0, count, input=380, output=90, variation=0.7)
    said = cost_serving("llama-3-8b", on="l4:1", trace=trace, price=1).answer[name].value.likely
    near = cost_serving("llama-3-8b", on="l4:1", trace=trace, price=1, **{name: said * 1.003})
    assert near.answer[name].value.likely <= said * 1.003
    with pytest.raises(DoesNotFit) as refused:
        cost_serving("llama-3-8b", on="l4:1", trace=trace, price=1, **{name: said * 0.99})
    offered = re.findall(rf"--{name} ([\d.]+m?s)", refused.value.hint)[-1]
    assert cost_serving("llama-3-8b", on="l4:1", trace=trace, price=1, **{name: offered})
