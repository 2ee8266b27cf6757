"""`outlay cost`: statements of what something will cost."""

from __future__ import annotations

from outlay.cli.lazy import LazyGroup

command = LazyGroup(
    "cost",
    verbs={
        "training": ("outlay.cli.cost_training:command", "Train a model from scratch on a number of tokens."),
        "serving": ("outlay.cli.cost_serving:command", "Serve a model to a load, month by month."),
        "finetune": ("outlay.cli.cost_finetune:command", "Tune a trained model, in full or with adapters."),
    },
    help="What will it cost? A statement, line by line.",
)
