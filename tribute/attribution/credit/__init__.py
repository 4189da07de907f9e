"""Methods that credit rows without retraining: in-run credit and a stand-in."""

from tribute.attribution.credit.probe import Probe
from tribute.attribution.credit.stand_in import path_credits

__all__ = [
    "Probe",
    "path_credits",
]
