"""From measurements to credits, standard errors, intervals and shares."""

from tribute.attribution.shares.measured import Measurements

__all__ = [
    "Measurements",
]
