"""Dataset versions: releasing, reviewing, comparing, and building their tables."""

from tribute.contributions.releases.dataset import build_dataset, find_dataset
from tribute.contributions.releases.diff import Difference, diff
from tribute.contributions.releases.eligibility import check_trainable
from tribute.contributions.releases.harm import dataset_without_harm, harm_findings
from tribute.contributions.releases.release import check_release, release_version, screen_dataset
from tribute.contributions.releases.review import (
    VERDICTS,
    Decided,
    RowVerdict,
    Selection,
    Verdict,
    decide,
    decide_all,
    expand,
    review,
    without_effect,
)
from tribute.contributions.releases.token_copies import dataset_for_base
from tribute.contributions.releases.token_keys import named_ids
from tribute.contributions.releases.tokenizer import TOKENIZER_FILE, Tokenizer, read_tokenizer, untruncated
from tribute.contributions.releases.whereabouts import contributor_view, row_view

__all__ = [
    "TOKENIZER_FILE",
    "VERDICTS",
    "Decided",
    "Difference",
    "RowVerdict",
    "Selection",
    "Tokenizer",
    "Verdict",
    "build_dataset",
    "check_release",
    "check_trainable",
    "contributor_view",
    "dataset_for_base",
    "dataset_without_harm",
    "decide",
    "decide_all",
    "diff",
    "expand",
    "find_dataset",
    "harm_findings",
    "named_ids",
    "read_tokenizer",
    "release_version",
    "review",
    "row_view",
    "screen_dataset",
    "untruncated",
    "without_effect",
]
