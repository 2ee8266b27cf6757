"""What a deep-learning model costs: predicted line by line, every figure with its source.

The public names are loaded when they are first used, so that the command line starts fast.

>>> import outlay
>>> outlay.__version__
'0.1.0.dev0'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from outlay.catalog import accelerator as accelerator
    from outlay.catalog import accelerators as accelerators
    from outlay.catalog import models as models
    from outlay.errors import DoesNotFit as DoesNotFit
    from outlay.errors import InputError as InputError
    from outlay.layout import Layout as Layout
    from outlay.machine import Cluster as Cluster
    from outlay.scenarios.buying.compare import compare as compare
    from outlay.scenarios.serving.cost import cost_serving as cost_serving
    from outlay.scenarios.serving_plan.plan import plan_serving as plan_serving
    from outlay.scenarios.sizing.best import best_size as best_size
    from outlay.scenarios.training.cost import cost_training as cost_training
    from outlay.scenarios.training.estimate import estimate_training as estimate_training
    from outlay.scenarios.training_plan.plan import plan_training as plan_training
    from outlay.scenarios.tuning.cost import cost_finetune as cost_finetune
    from outlay.statement import Interval as Interval
    from outlay.statement import Line as Line
    from outlay.statement import Receipt as Receipt
    from outlay.statement import Statement as Statement
    from outlay.statement import Table as Table
    from outlay.statement import diff as diff
    from outlay.training import Estimate as Estimate
    from outlay.training import Recipe as Recipe

_HOMES = {
    "accelerator": "outlay.catalog",
    "accelerators": "outlay.catalog",
    "models": "outlay.catalog",
    "DoesNotFit": "outlay.errors",
    "InputError": "outlay.errors",
    "Layout": "outlay.layout",
    "Cluster": "outlay.machine",
    "compare": "outlay.scenarios.buying.compare",
    "cost_serving": "outlay.scenarios.serving.cost",
    "cost_finetune": "outlay.scenarios.tuning.cost",
    "cost_training": "outlay.scenarios.training.cost",
    "Interval": "outlay.statement",
    "Line": "outlay.statement",
    "Receipt": "outlay.statement",
    "Statement": "outlay.statement",
    "Table": "outlay.statement",
    "diff": "outlay.statement",
    "Estimate": "outlay.training",
    "Recipe": "outlay.training",
    "estimate_training": "outlay.scenarios.training.estimate",
    "plan_training": "outlay.scenarios.training_plan.plan",
    "plan_serving": "outlay.scenarios.serving_plan.plan",
    "best_size": "outlay.scenarios.sizing.best",
}

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    """The public `name`, imported from its home on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
