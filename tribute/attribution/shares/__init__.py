"""From measurements to credits, standard errors, intervals and shares."""

from tribute.attribution.shares.measurements import Measurements

__all__ = [
    "Measurements",
]
