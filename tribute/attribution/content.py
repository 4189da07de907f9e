"""Distinct content: how many runs of words each contributor was the first to bring. Knows no credit and no money.

A text in its normal form is a sequence of words, and its shingles are its runs of three words (a shorter text is its
own only shingle). A shingle counts once in the whole version, for the earliest row in the registry's log that has it:
repeats, copies and what others said before count nothing. A label is no content; a response is.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tribute.contributions.normal_form import words

if TYPE_CHECKING:
    import pandas as pd

WORDS = 3
"""Words in a shingle: one alone is vocabulary, and a filler put into a copy renews as many shingles as it has words."""


def shingles(text: str) -> Iterator[str]:
    """The runs of three words of a text's normal form, perhaps repeated; nothing for a text without a word."""
    sequence = words(text)
    for start in range(max(len(sequence) - WORDS + 1, min(len(sequence), 1))):
        yield " ".join(sequence[start : start + WORDS])


def distinct_content(rows: "pd.DataFrame", description: Mapping[str, Any]) -> dict[str, int]:
    """Contributor → shingles that no earlier row has.

    `rows` have `row_id, contributor_id, text, target`; `description` is the version's dataset.json, whose
    contributions' `seq` is the order of the log.
    """
    order = {name: int(about["seq"]) for name, about in description["contributions"].items()}
    labels = set(description.get("labels") or ())

    def place(row: Any) -> tuple[int, int]:
        contribution, _, line = row.row_id.rpartition(":")
        return order[contribution], int(line)

    seen: set[str] = set()
    counts: dict[str, int] = {}
    for row in sorted(rows.itertuples(index=False), key=place):
        before = len(seen)
        for text in (row.text, *(() if row.target in labels else (row.target,))):
            seen.update(shingles(text))
        counts[row.contributor_id] = counts.get(row.contributor_id, 0) + len(seen) - before
    return counts
