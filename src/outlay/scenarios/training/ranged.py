"""How sure the seconds of a step are, for a question that was asked rather than measured."""

from __future__ import annotations

from outlay.scenarios.training.question import Question
from outlay.training.ranges import Ranges, doubts, load_ranges, load_tuning_ranges


def relative_range(question: Question, level: float) -> tuple[float, float]:
    """Low and high seconds of a step over those predicted. The layout is asked for or chosen, so it is no doubt."""
    return ranges_of(question).time.factors(doubts(question.recipe, question.cluster), level)


def ranges_of(question: Question) -> Ranges:
    """The ranges of tuning, where a trained model is tuned; else those of training."""
    return load_ranges() if question.trained is None else load_tuning_ranges()
