"""How sure the seconds of a step are, for a question that was asked rather than measured."""

from __future__ import annotations

from outlay.scenarios.question import Question
from outlay.training.ranges import doubts, load_ranges


def relative_range(question: Question, level: float) -> tuple[float, float]:
    """Low and high seconds of a step over those predicted. The layout is asked for or chosen, so it is no doubt."""
    return load_ranges().time.factors(doubts(question.recipe, question.cluster), level)
