"""Files that tools start from: what training and serving share in writing them. Knows neither."""

from outlay.launch.refusals import Refusals
from outlay.launch.written import Written

__all__ = ["Refusals", "Written"]
