"""Which retrainings to make, on which rows, and when to stop."""

from tribute.attribution.retraining.jobs import Job, TrainedRows
from tribute.attribution.retraining.retraining_artifact import RETRAINING, in_full

__all__ = [
    "RETRAINING",
    "Job",
    "TrainedRows",
    "in_full",
]
