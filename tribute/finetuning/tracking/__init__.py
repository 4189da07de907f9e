"""MLflow, met nowhere else: the run and its trainings live, adapters as models that MLflow loads, and the champion."""

from tribute.finetuning.tracking.expiry import delete_runs, unused_runs
from tribute.finetuning.tracking.live import LiveRun
from tribute.finetuning.tracking.registration import Registered
from tribute.finetuning.tracking.subject import Subject
from tribute.finetuning.tracking.tracker import Tracker
from tribute.finetuning.tracking.trials import Trial, log_choice, log_trial

__all__ = [
    "LiveRun",
    "Registered",
    "Subject",
    "Tracker",
    "Trial",
    "delete_runs",
    "log_choice",
    "log_trial",
    "unused_runs",
]
