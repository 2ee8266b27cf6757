"""What the tools that a plan is exported to can run: the search keeps to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outlay.errors import InputError
from outlay.layout import Layout
from outlay.machine import Cluster
from outlay.scenarios.training.question import Question
from outlay.training import Recipe
from outlay.training.launch import Plan, able, write


@dataclass(frozen=True, slots=True)
class Able:
    """Tools, each of which has to be able to run a layout."""

    tools: tuple[str, ...]

    def __call__(self, layouts: Layout, recipe: Recipe, cluster: Cluster) -> NDArray[np.bool_]:
        """Which of an array of layouts all tools can run."""
        kept = np.ones(np.shape(layouts.data), dtype=bool)
        for tool in self.tools:
            kept &= able(tool, Plan(recipe=recipe, layout=layouts, cluster=cluster, steps=1))
        return kept

    def refusal(self, question: Question, layout: Layout) -> InputError:
        """Why the tools cannot run a layout that is legal; what they run is no error."""
        for tool in self.tools:
            try:
                write(tool, plan_of(question, layout))
            except InputError as error:
                return error
        return InputError(
            f"no layout can be run by {' and '.join(self.tools)} together", hint="leave one of the tools out"
        )


def plan_of(question: Question, layout: Layout) -> Plan:
    """A training as it is to be started."""
    steps = max(-(-question.tokens // int(question.recipe.tokens)), 1)
    return Plan(recipe=question.recipe, layout=layout, cluster=question.cluster, steps=steps)
