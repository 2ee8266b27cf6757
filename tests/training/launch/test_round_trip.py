"""What is written and read again is the same plan, for every legal layout that the tool takes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from tests.training.launch.plans import plans

from outlay.errors import InputError
from outlay.layout import Layout, describe
from outlay.training.launch import READERS, Plan, read, write


@pytest.mark.parametrize("tool", READERS)
def test_a_layout_survives(tool: str) -> None:
    seen = 0

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(plan=plans())
    def survives(plan: Plan) -> None:
        nonlocal seen
        try:
            written = write(tool, plan)
        except InputError:
            return
        seen += 1
        found = read(written.text, source=written.name)
        assert found.tool == tool
        assert found.devices == plan.devices
        degrees = dict(found.layout)
        if tool == "accelerate":  # the micro-batch is the script's
            assert "micro_batch" not in degrees
            degrees["micro_batch"] = plan.layout.micro_batch
        assert describe(Layout(**degrees)) == describe(plan.layout)
        assert found.precision == "bf16"
        if tool in ("megatron", "torchtitan"):
            assert (found.sequence_length, found.steps) == (8192, 1000)
        if tool != "accelerate":
            assert found.global_batch == 512

    survives()
    assert seen >= 8, f"{tool} accepted {seen} layouts only"
