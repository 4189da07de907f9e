"""Methods that credit rows without retraining: in-run credit and a stand-in; and a stand-in's credit on answers."""

from tribute.attribution.credit.answer_credit import AnswerCredits, answer_credit_job
from tribute.attribution.credit.probe import Probe
from tribute.attribution.credit.stand_in import path_credits
from tribute.attribution.credit.stand_in_artifact import check_clusters

__all__ = [
    "AnswerCredits",
    "Probe",
    "answer_credit_job",
    "check_clusters",
    "path_credits",
]
