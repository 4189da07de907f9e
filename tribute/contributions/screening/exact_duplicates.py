"""Rows that repeat an earlier row: its content in the normal form, what the model reads of it, or its text alone.

Flags of regions differ in nothing but tag characters, which the normal form drops: such rows wait for a person.
"""

from collections.abc import Iterator, Sequence

import regex

from tribute.contributions.normal_form import normalise
from tribute.contributions.rows import ContributedRow, repeated
from tribute.contributions.screening.findings import Check, Finding, Reason, Screening, TokenKeys
from tribute.contributions.screening.near_duplicates import NEAR_DUPLICATE

DUPLICATE = Reason("duplicate", "exclude", "repeats a row that was recorded earlier", final=True)
CONFLICTING_LABEL = Reason(
    "conflicting_label",
    "hold",
    "has the text of an earlier row but another label",
    "A reviewer decides which label is right.",
)
TAGS = regex.compile("[\U000e0020-\U000e007f]+")


def duplicates(rows: Sequence[ContributedRow]) -> Iterator[Finding]:
    """Rows whose text and target, in the normal form, an earlier row has, in the same contribution or another."""
    for row, canonical in repeated(rows):
        if canonical.row.text and TAGS.findall(row.row.text) != TAGS.findall(canonical.row.text):
            yield Finding(row, NEAR_DUPLICATE, canonical, 1.0, 1.0, "content_sha256", "differs in emoji tags alone")
        else:
            yield Finding(row, DUPLICATE, canonical, 1.0, 1.0, "content_sha256")


def same_tokens(rows: Sequence[ContributedRow], token_keys: TokenKeys) -> Iterator[Finding]:
    """Rows of which the model reads exactly what it reads of an earlier row with the same target."""
    first: dict[tuple[bytes, str], ContributedRow] = {}
    for row, key in zip(rows, token_keys(rows), strict=True):
        if key is None:
            continue
        canonical = first.setdefault((key, normalise(row.row.target)), row)
        if canonical is not row and canonical.content_sha256 != row.content_sha256:
            evidence = "the base model reads the same tokens"
            yield Finding(row, DUPLICATE, canonical, 1.0, 1.0, "token_ids", evidence)


def conflicting_labels(rows: Sequence[ContributedRow]) -> Iterator[Finding]:
    """Rows whose text, in the normal form, an earlier row has under another label; the earlier row stays."""
    first: dict[str, ContributedRow] = {}
    for row in rows:
        canonical = first.setdefault(row.text_sha256, row)
        if canonical.content_sha256 != row.content_sha256:
            yield Finding(row, CONFLICTING_LABEL, canonical, 1.0, 1.0, "text_sha256")


def _find_duplicates(screening: Screening) -> list[Finding]:
    keys = screening.token_keys
    return [*duplicates(screening.rows), *(same_tokens(screening.rows, keys) if keys else ())]


def _find_conflicts(screening: Screening) -> list[Finding]:
    # A prompt may well have several good responses; a text has one label.
    return list(conflicting_labels(screening.rows)) if screening.is_labelled else []


DUPLICATE_CHECK = Check(DUPLICATE, "hashes", _find_duplicates)
CONFLICT_CHECK = Check(CONFLICTING_LABEL, "hashes", _find_conflicts)
