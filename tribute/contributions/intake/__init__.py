"""Contributed files: read, checked row by row, and made ready to be recorded."""

from tribute.contributions.intake.commitments import Opening, make_opening, write_opening
from tribute.contributions.intake.file_signatures import known_kind
from tribute.contributions.intake.ingest import Fault, grouped
from tribute.contributions.intake.row_checks import check_values, read_jsonl
from tribute.contributions.intake.submissions import CheckedSubmission, Submission, check_id
from tribute.contributions.intake.texts import RowError

__all__ = [
    "CheckedSubmission",
    "Fault",
    "Opening",
    "RowError",
    "Submission",
    "check_id",
    "check_values",
    "grouped",
    "known_kind",
    "make_opening",
    "read_jsonl",
    "write_opening",
]
