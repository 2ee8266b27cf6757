"""From a question to the files that start what answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from outlay.layout import Layout
from outlay.scenarios.fitting import fit
from outlay.scenarios.question import Question, ask
from outlay.training import Coefficients, load_coefficients
from outlay.training.launch import Plan, Written, write
from outlay.workload import Architecture

_ASKED = (
    *("layout", "sequence_length", "global_batch", "precision", "optimizer", "recompute", "framework"),
    *("gpus_per_node", "interconnect"),
)


def export_training(
    model: str | Mapping[str, object] | Architecture,
    tools: tuple[str, ...],
    *,
    tokens: str | float,
    on: str,
    coefficients: Coefficients | None = None,
    **asked: Any,
) -> tuple[Written, ...]:
    """The files with which `tools` start a training: the layout that was asked for, or the fastest that fits.

    The other parameters are those of :func:`~outlay.scenarios.training_run.cost_training`; prices are of no account.

    >>> files = export_training("llama-3-8b", ("megatron",), tokens="1T", on="h100-sxm:64", layout="tp=2,zero=1")
    >>> "--tensor-model-parallel-size 2" in files[0].text
    True

    :raises InputError: for what cannot be read, and for a layout that a tool cannot run.
    :raises DoesNotFit: if no layout fits in memory.
    """
    question = ask(model, tokens=tokens, on=on, **{name: asked.get(name) for name in _ASKED})
    chosen = fit(question, coefficients or load_coefficients()).chosen
    return _written(question, chosen.layout, tools)


def export_plan(
    model: str | Mapping[str, object] | Architecture,
    tools: tuple[str, ...],
    *,
    progress: Callable[[int, int], None] | None = None,
    **asked: Any,
) -> tuple[Written, ...]:
    """The files with which `tools` start the best plan.

    The parameters are those of :func:`~outlay.scenarios.planning.plan_training`.

    >>> files = export_plan("gpt2", ("megatron",), tokens="10B", on="h100-sxm", count="8", framework="megatron-core")
    >>> "--nproc-per-node 8" in files[0].text
    True

    :raises InputError: for what cannot be read, and for a best plan that a tool cannot run.
    :raises DoesNotFit: if no plan is within the limits.
    """
    from outlay.scenarios.plan_search import search_plan

    run = search_plan(model, asked, progress=progress).best.run
    return _written(run.question, run.fitted.chosen.layout, tools)


def _written(question: Question, layout: Layout, tools: tuple[str, ...]) -> tuple[Written, ...]:
    steps = max(-(-question.tokens // int(question.recipe.tokens)), 1)
    plan = Plan(recipe=question.recipe, layout=layout, cluster=question.cluster, steps=steps)
    return tuple(write(tool, plan) for tool in dict.fromkeys(tools))
