"""Methods that credit rows without retraining: in-run credit and a stand-in; and a stand-in's credit on answers."""

from tribute.attribution.credit.answer_credit import AnswerCredits, answer_credit_job
from tribute.attribution.credit.harm import Harm, find_harm, measure_harm, unpaid_rows
from tribute.attribution.credit.probe import Probe
from tribute.attribution.credit.stand_in import path_credits
from tribute.attribution.credit.stand_in_artifact import check_clusters

__all__ = [
    "AnswerCredits",
    "Harm",
    "Probe",
    "answer_credit_job",
    "check_clusters",
    "find_harm",
    "measure_harm",
    "path_credits",
    "unpaid_rows",
]
