"""What one training step takes, and what layout to train in: seconds by cause, bytes by part."""

from outlay.training.choose import Chosen, choose_layout
from outlay.training.coefficients import Coefficients, StepCoefficients, load_coefficients
from outlay.training.idle import Working, choose_working
from outlay.training.recipe import OPTIMIZERS, PRECISIONS, Optimizer, Recipe
from outlay.training.software import Software, software_for, usual_framework
from outlay.training.step import CAUSES, Estimate, estimate

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
