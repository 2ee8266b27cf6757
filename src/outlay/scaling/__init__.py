"""Scaling laws: loss from size and data, and the best size for a budget; with serving, with repeated data, with experts.

It knows FLOP and no money: a price of serving is a ratio that is handed in.
"""

from outlay.scaling.allocation import Allocation
from outlay.scaling.best import Best, at, best, cheapest, tokens_for
from outlay.scaling.curve import Curve
from outlay.scaling.experts import Granular, Routed, Sparse
from outlay.scaling.fit import Fit, exponent, fit
from outlay.scaling.laws import Law, law, laws, panel, repeated
from outlay.scaling.losses import Losses, read_losses
from outlay.scaling.parametric import Parametric
from outlay.scaling.repeats import Repeated, worth

__all__ = [
    "Allocation",
    "Best",
    "Curve",
    "Fit",
    "Granular",
    "Law",
    "Losses",
    "Parametric",
    "Repeated",
    "Routed",
    "Sparse",
    "at",
    "best",
    "cheapest",
    "exponent",
    "fit",
    "law",
    "laws",
    "panel",
    "read_losses",
    "repeated",
    "tokens_for",
    "worth",
]
