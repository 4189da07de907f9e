"""Contributed files: read, checked row by row, and made ready to be recorded."""

from tribute.contributions.intake.ingest import Fault, grouped
from tribute.contributions.intake.row_checks import read_jsonl
from tribute.contributions.intake.submissions import CheckedSubmission, Submission

__all__ = [
    "CheckedSubmission",
    "Fault",
    "Submission",
    "grouped",
    "read_jsonl",
]
