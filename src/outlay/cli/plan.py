"""`outlay plan`: the best way to do something within a goal and a purse."""

from __future__ import annotations

from outlay.cli.lazy import LazyGroup

command = LazyGroup(
    "plan",
    verbs={
        "training": ("outlay.cli.plan_training:command", "The best way to train a model within limits."),
        "serving": ("outlay.cli.plan_serving:command", "The best way to serve a model to a load within latencies."),
    },
    help="What is the best way, on machines that can be had?",
)
