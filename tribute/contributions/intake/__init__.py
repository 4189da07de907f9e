"""Files as people submit them: read, checked row by row, and recorded as contributions."""

from tribute.contributions.intake.submissions import CheckedSubmission, Submission
from tribute.contributions.intake.values import read_jsonl

__all__ = [
    "CheckedSubmission",
    "Submission",
    "read_jsonl",
]
