"""Ranges of a training: from the step through time, energy, carbon and money."""

from __future__ import annotations

import pytest

from outlay import cost_training, estimate_training
from outlay.errors import InputError
from outlay.layout import Layout
from outlay.statement import Interval, Statement
from outlay.training import load_coefficients

ASKED = {"tokens": "1T", "on": "h100-sxm:64", "price": 2, "pue": 1, "lost_work": "10%"}


def answered(**more: object) -> Statement:
    return cost_training("llama-3-8b", **(ASKED | more))  # type: ignore[arg-type]


def relative(value: Interval) -> tuple[float, float]:
    assert value.low is not None and value.high is not None
    return value.low / value.likely, value.high / value.likely


def test_every_figure_is_as_sure_as_the_step_or_the_run_that_it_counts() -> None:
    answer = answered()
    low, high = relative(answer.answer["seconds"].value)
    assert low < 1 < high
    for key in ("joules", "kg_co2e"):
        assert relative(answer.answer[key].value) == pytest.approx((low, high))
    lines = {line.key: line for line in answer.walk()}
    steps = lines["accelerators.training-steps"].quantity
    assert steps is not None
    least, most = relative(steps)
    assert least < 1 < most
    for key in ("tokens_per_second_per_device", "model_flop_utilisation"):
        assert relative(answer.answer[key].value) == pytest.approx((1 / most, 1 / least))
    lost = lines["accelerators.lost-work"].quantity
    assert lost is not None and relative(lost) == pytest.approx((least, most))
    amount = answer.total.amount
    assert amount is not None and relative(amount) == pytest.approx((low, high))
    assert answer.coverage == 0.8


def test_losses_and_overheads_only_widen() -> None:
    open_ended = answered(lost_work=None, pue=None)
    lines = {line.key: line.quantity for line in open_ended.walk() if line.quantity is not None}
    assert relative(lines["accelerators.restarts"])[1] > relative(lines["accelerators.training-steps"])[1]
    assert relative(open_ended.answer["joules"].value)[1] > relative(open_ended.answer["seconds"].value)[1]


def test_wider_for_a_higher_level() -> None:
    ranges = [relative(answered(interval=level).answer["seconds"].value) for level in (50, "80", "95%")]
    assert ranges[0][0] >= ranges[1][0] >= ranges[2][0] and ranges[0][1] <= ranges[1][1] <= ranges[2][1]
    assert ranges[0] != ranges[2]
    assert answered(interval=95).coverage == 0.95


def test_a_chip_without_kernels_and_software_without_a_name_are_less_sure() -> None:
    def width(on: str, framework: str | None) -> float:
        found = estimate_training("gpt2", on=on, framework=framework)
        assert found.relative is not None
        return found.relative[1] / found.relative[0]

    assert width("h100-sxm:8", "megatron-core") < width("v100-sxm-32gb:8", "megatron-core")
    assert width("h100-sxm:8", "megatron-core") < width("h100-sxm:8", "pytorch")


def test_coefficients_of_one_s_own_have_no_range() -> None:
    own = load_coefficients()
    assert estimate_training("gpt2", on="rtx-4090", coefficients=own).step_seconds_range is None
    changed = type(own)(machine=own.machine, step=own.step.replace(straggler=0.5))
    answer = answered(coefficients=changed)
    assert answer.answer["seconds"].value.low is None and answer.coverage is None


def test_an_estimate_of_many_layouts_has_a_range_for_each() -> None:
    import numpy as np

    layout = Layout(tensor=np.array([1, 2]), data=np.array([8, 4]))
    found = estimate_training("gpt2", on="a100-sxm-80gb:8", layout=layout, global_batch=64)
    assert found.step_seconds_range is not None
    low, high = found.step_seconds_range
    assert np.shape(low) == np.shape(high) == (2,)


def test_memory_is_said_with_its_likelihood() -> None:
    (memory,) = [table for table in answered().sections if table.key == "memory"]
    assert "fits" in memory.notes[1] and "% of measured peaks" in memory.notes[1]


@pytest.mark.parametrize("level", ["0", "100", "often", "nan"])
def test_levels_that_are_none_are_refused(level: str) -> None:
    with pytest.raises(InputError) as refused:
        answered(interval=level)
    assert refused.value.exit_code == 2 and refused.value.hint
