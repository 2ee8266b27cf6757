"""From a question to the files that start what answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from outlay.errors import DoesNotFit, InputError
from outlay.layout import Layout, describe
from outlay.scenarios.training.able import Able, plan_of
from outlay.scenarios.training.fitting import fit
from outlay.scenarios.training.question import Question, ask
from outlay.scenarios.training.stages import ask_stages
from outlay.scenarios.training_plan.candidates import Candidate
from outlay.training import Coefficients, load_coefficients
from outlay.training.launch import Written, write
from outlay.units import format_money, format_quantity
from outlay.workload import Architecture

_ASKED = (
    *("layout", "sequence_length", "global_batch", "precision", "optimizer", "recompute", "framework"),
    *("gpus_per_node", "interconnect"),
)
SAME = 0.005
"""Changes of time or money below this share are said to be none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """Launch files, and what it costs to keep to what their tools can run."""

    files: tuple[Written, ...]
    notes: tuple[str, ...]


def export_training(
    model: str | Mapping[str, object] | Architecture,
    tools: tuple[str, ...],
    *,
    tokens: str | float | None = None,
    on: str,
    coefficients: Coefficients | None = None,
    **asked: Any,
) -> Exported:
    """The files with which `tools` start a training: the layout that was asked for, or the fastest that fits and they can run.

    The other parameters are those of :func:`~outlay.scenarios.training.cost.cost_training`; prices are of no account.

    >>> found = export_training("llama-3-8b", ("megatron",), tokens="1T", on="h100-sxm:64", layout="tp=2,zero=1")
    >>> "--tensor-model-parallel-size 2" in found.files[0].text
    True

    :raises InputError: for what cannot be read, and for a layout that a tool cannot run.
    :raises DoesNotFit: if no layout fits in memory.
    """
    _one_run(asked)
    coefficients = coefficients or load_coefficients()
    _, left = ask_stages(None, tokens, asked.get("done"))
    question = ask(model, tokens=left, on=on, **{name: asked.get(name) for name in _ASKED})
    free = fit(question, coefficients)
    kept = _within(question, coefficients, Able(tools))
    notes = []
    before, after = (float(each.chosen.estimate.step_seconds) for each in (free, kept))
    if kept.chosen.layout != free.chosen.layout:
        notes.append(
            f"the fastest layout, {describe(free.chosen.layout)}, is not one that {' and '.join(tools)} can run: a step "
            f"of this one takes {_more(before, after)}"
        )
    return Exported(
        files=_written(kept.question, kept.chosen.layout, tools), notes=(*notes, *_counted_in(question, tools))
    )


def _within(question: Question, coefficients: Coefficients, able: Able) -> Any:
    """The fastest layout that tools can run; where the machines are too small for those, that is what is said."""
    try:
        return fit(question, coefficients, able=able)
    except DoesNotFit as error:
        raise DoesNotFit(
            f"of the layouts that {' and '.join(able.tools)} can run, none fits: {error.message}",
            hint=f"{error.hint}; or export to another tool",
            need=error.need,
        ) from None


def export_plan(
    model: str | Mapping[str, object] | Architecture,
    tools: tuple[str, ...],
    *,
    progress: Callable[[int, int], None] | None = None,
    **asked: Any,
) -> Exported:
    """The files with which `tools` start the best plan of those that they can run.

    The parameters are those of :func:`~outlay.scenarios.training_plan.plan.plan_training`.

    >>> found = export_plan("gpt2", ("megatron",), tokens="10B", on="h100-sxm", count="8", framework="megatron-core")
    >>> "--nproc-per-node 8" in found.files[0].text
    True

    :raises InputError: for what cannot be read, and where a tool can run none of it.
    :raises DoesNotFit: if no plan is within the limits.
    """
    from outlay.scenarios.training_plan.search import search_plan
    from outlay.scenarios.training_plan.sections import against, machines, seller

    _one_run(asked)
    try:
        kept = search_plan(model, asked, able=Able(tools), progress=progress).best
    except DoesNotFit as error:
        raise DoesNotFit(
            f"of what {' and '.join(tools)} can run: {error.message}", hint=error.hint, need=error.need
        ) from None
    free = search_plan(model, asked).best
    run, notes = kept.run, []
    if (free.place, free.run.fitted.chosen.layout) != (kept.place, run.fitted.chosen.layout):
        notes.append(
            f"the best plan, {machines(free)} ({seller(free)}) in {describe(free.run.fitted.chosen.layout)}, is not one that "
            f"{' and '.join(tools)} can run: this one {_costs(kept, free) or against(kept, free)}"
        )
    notes.append(
        f"this is {machines(kept)} ({seller(kept)}): {format_quantity(kept.seconds, 's', digits=3)}"
        + (f", {format_money(kept.dollars)}" if kept.dollars < float("inf") else "")
    )
    return Exported(
        files=_written(run.question, run.fitted.chosen.layout, tools),
        notes=(*notes, *_counted_in(run.question, tools)),
    )


def _costs(kept: Candidate, free: Candidate) -> str:
    """Empty where there is a difference worth saying."""
    alike = abs(kept.seconds - free.seconds) < SAME * free.seconds and (
        kept.dollars == free.dollars or abs(kept.dollars - free.dollars) < SAME * free.dollars
    )
    return "costs and takes as much" if alike else ""


def _one_run(asked: Mapping[str, Any]) -> None:
    if asked.get("stages") is not None:
        raise InputError(
            "`--export` writes what starts one stage, and `--stages` has several",
            expected="one of them",
            hint="export each stage by itself: `--tokens`, `--seq`, `--batch` and `--layout` of its row",
        )


def _more(before: float, after: float) -> str:
    share = after / before - 1.0
    if abs(share) < SAME:
        return "as long"
    return f"{format_quantity(abs(share), '%', digits=2)} {'longer' if share > 0 else 'less'}"


_FRAMEWORKS = {"torchtitan": "torchtitan", "megatron": "megatron", "deepspeed": "deepspeed", "nemo": "nemo"}
"""Tool → how names of its framework begin."""


def _counted_in(question: Question, tools: tuple[str, ...]) -> list[str]:
    """In which framework the time was counted, where that is not the tool."""
    name = question.recipe.software.name
    return [
        f"times were counted in {name}; `--framework {_FRAMEWORKS[tool]}` counts them in {tool}"
        for tool in dict.fromkeys(tools)
        if tool in _FRAMEWORKS and not question.named and not _same(name, tool)
    ]


def _same(framework: str, tool: str) -> bool:
    """NeMo and Megatron-LM both run Megatron-Core."""
    return framework.startswith(_FRAMEWORKS[tool]) or (tool == "nemo" and framework.startswith("megatron"))


def _written(question: Question, layout: Layout, tools: tuple[str, ...]) -> tuple[Written, ...]:
    return tuple(write(tool, plan_of(question, layout)) for tool in dict.fromkeys(tools))
