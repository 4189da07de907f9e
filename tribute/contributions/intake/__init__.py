"""Contributed files: read, checked row by row, and made ready to be recorded."""

from tribute.contributions.intake.ingest import Fault, grouped
from tribute.contributions.intake.submissions import CheckedSubmission, Submission
from tribute.contributions.intake.values import read_jsonl

__all__ = [
    "CheckedSubmission",
    "Fault",
    "Submission",
    "grouped",
    "read_jsonl",
]
