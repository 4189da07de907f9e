"""The rows that wait for a person as one page: both rows side by side, and a button that downloads the decisions.

The page holds contributed texts and needs no server: it is a file for a steward, not for contributors.
"""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from tribute.contributions.normal_form import IGNORABLE
from tribute.contributions.rows import ContributedRow
from tribute.contributions.screening import FOLLOWS, Finding
from tribute.html import template

WORDS = re.compile(r"\s+|[^\s]+")
Segments = list[tuple[str, bool]]
"""Parts of a text in order; True marks what the other text does not have."""


def review_page(dataset: str, findings: Sequence[Finding]) -> str:
    """The page of what waits in a dataset, one entry per row, in the order of `findings`."""
    by_row: dict[str, list[Finding]] = {}
    for finding in findings:
        by_row.setdefault(finding.row.row_id, []).append(finding)
    entries = [_entry(group) for group in by_row.values()]
    choices = {
        name: sorted({value for entry in entries for value in entry["filters"][name]})
        for name in ("reason", "contributor", "label")
    }
    return template("tribute.contributions.cards", "review.html").render(
        dataset=dataset, entries=entries, choices=choices
    )


def differing(text: str, other: str) -> Segments:
    """The words of `text`, marked where `other` has none such in its place; invisible characters are spelled out."""
    words, others = (WORDS.findall(_spelled(value)) for value in (text, other))
    matcher = SequenceMatcher(None, words, others, autojunk=False)
    return [
        ("".join(words[start:end]), kind != "equal") for kind, start, end, _, _ in matcher.get_opcodes() if end > start
    ]


def _entry(findings: Sequence[Finding]) -> dict[str, Any]:
    row = findings[0].row
    canonical = next((finding.canonical for finding in findings if finding.canonical is not None), None)
    return {
        "row": _side(row, canonical),
        "canonical": _side(canonical, row) if canonical else None,
        "reasons": [
            {
                "words": f"This row {finding.cause.words}.",
                "follows": FOLLOWS[finding.action],
                "evidence": finding.evidence,
                "similarity": f"{finding.similarity:.2f}" if finding.canonical else "",
            }
            for finding in findings
        ],
        "filters": {
            "reason": [finding.reason for finding in findings],
            "contributor": [row.contributor_id],
            "label": [row.row.target] if len(row.row.target) <= 60 else [],
        },
    }


def _side(row: ContributedRow, other: ContributedRow | None) -> dict[str, Any]:
    return {
        "id": row.row_id,
        "contributor": row.contributor_id,
        "text": differing(row.row.text, other.row.text) if other else [(_spelled(row.row.text), False)],
        "target": differing(row.row.target, other.row.target) if other else [(_spelled(row.row.target), False)],
    }


def _spelled(text: str) -> str:
    return (
        text if text.isascii() else IGNORABLE.sub(lambda run: "".join(f"‹U+{ord(sign):04X}›" for sign in run[0]), text)
    )
