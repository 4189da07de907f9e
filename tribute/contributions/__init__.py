"""The first column: who handed in what, in which order, and which version of a dataset it became."""

from tribute.contributions.fetch import fetch
from tribute.contributions.learning import refuse_learning
from tribute.contributions.materialise import find_materialised, materialise, read_description, read_rows
from tribute.contributions.policy import ScreeningPolicy
from tribute.contributions.receipts import write_receipts
from tribute.contributions.registry import Registry
from tribute.contributions.rows import Row, content_sha256, normalise, read_jsonl, text_sha256
from tribute.contributions.schema import DatasetSchema, load_schema
from tribute.contributions.snapshot import Contribution, Snapshot
from tribute.contributions.sources import write
from tribute.contributions.submissions import Checked, Submission
from tribute.contributions.terms import Terms, load_terms
from tribute.contributions.verification import Verification
from tribute.contributions.versions import Version, split_tag

__all__ = [
    "Checked",
    "Contribution",
    "DatasetSchema",
    "Registry",
    "Row",
    "ScreeningPolicy",
    "Snapshot",
    "Submission",
    "Terms",
    "Verification",
    "Version",
    "content_sha256",
    "fetch",
    "find_materialised",
    "load_schema",
    "load_terms",
    "materialise",
    "normalise",
    "read_description",
    "read_jsonl",
    "read_rows",
    "refuse_learning",
    "split_tag",
    "text_sha256",
    "write",
    "write_receipts",
]
