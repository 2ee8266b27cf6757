"""What one training step takes, and what layout to train in: seconds by cause, bytes by part.

What times steps and chooses layouts loads on use, so that an answer about serving, whose ranges are told here, starts without it.
"""

from typing import TYPE_CHECKING

from outlay.on_use import on_use
from outlay.training.coefficients import Coefficients, StepCoefficients, load_coefficients
from outlay.training.software import Software, software_for, usual_framework

if TYPE_CHECKING:
    from outlay.training.choose import Chosen as Chosen
    from outlay.training.choose import choose_layout as choose_layout
    from outlay.training.idle import Working as Working
    from outlay.training.idle import choose_working as choose_working
    from outlay.training.recipe import OPTIMIZERS as OPTIMIZERS
    from outlay.training.recipe import PRECISIONS as PRECISIONS
    from outlay.training.recipe import Optimizer as Optimizer
    from outlay.training.recipe import Recipe as Recipe
    from outlay.training.step import CAUSES as CAUSES
    from outlay.training.step import Estimate as Estimate
    from outlay.training.step import estimate as estimate

__all__ = [
    "CAUSES",
    "OPTIMIZERS",
    "PRECISIONS",
    "Chosen",
    "Coefficients",
    "Estimate",
    "Optimizer",
    "Recipe",
    "Software",
    "StepCoefficients",
    "Working",
    "choose_layout",
    "choose_working",
    "estimate",
    "load_coefficients",
    "software_for",
    "usual_framework",
]

__getattr__ = on_use(
    __name__,
    {
        "choose": ("Chosen", "choose_layout"),
        "idle": ("Working", "choose_working"),
        "recipe": ("OPTIMIZERS", "PRECISIONS", "Optimizer", "Recipe"),
        "step": ("CAUSES", "Estimate", "estimate"),
    },
)
