"""From measurements to credits, standard errors, intervals and shares."""

from tribute.attribution.shares.evidence import Measurements

__all__ = [
    "Measurements",
]
