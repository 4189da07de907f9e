"""Which retrainings to make, on which rows, and when to stop."""

from tribute.attribution.retraining.jobs import SEEDS, Job, TrainedRows

__all__ = [
    "SEEDS",
    "Job",
    "TrainedRows",
]
