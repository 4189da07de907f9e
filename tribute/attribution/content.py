"""Distinct content: how many runs of words each contributor was the first to bring. Knows no credit and no money.

A text in its normal form is a sequence of words, and its shingles are its runs of three words (a shorter text is its
own only shingle). A shingle counts once in the whole version, for the earliest row in the registry's log that has it:
repeats, copies and what others said before count nothing. Nor does a row count that has half of its words in common
with one earlier row, whoever's: fillers put into one's own rows make every shingle new and say nothing. A label is no
content, in its column or in the text; a response is.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tribute.contributions.normal_form import words
from tribute.contributions.word_sets import WordSets

if TYPE_CHECKING:
    import pandas as pd

WORDS = 3
"""Words in a shingle: one alone is vocabulary, and a filler put into a copy renews as many shingles as it has words."""
REPEATED = 0.5
"""From this similarity with one earlier row on (word_sets.py) a row counts nothing."""


def shingles(sequence: Sequence[str]) -> Iterator[str]:
    """The runs of three of a text's words, perhaps repeated; nothing for a text without a word."""
    for start in range(max(len(sequence) - WORDS + 1, min(len(sequence), 1))):
        yield " ".join(sequence[start : start + WORDS])


def distinct_content(rows: "pd.DataFrame", description: Mapping[str, Any]) -> dict[str, int]:
    """Contributor → shingles that no earlier row has.

    `rows` have `row_id, contributor_id, text, target`; `description` is the version's dataset.json, whose
    contributions' `seq` is the order of the log.
    """
    order = {name: int(about["seq"]) for name, about in description["contributions"].items()}
    labels = {label: frozenset(words(label)) for label in description.get("labels") or ()}

    def place(row: Any) -> tuple[int, int]:
        contribution, _, line = row.row_id.rpartition(":")
        return order[contribution], int(line)

    ordered = sorted(rows.itertuples(index=False), key=place)
    texts = [_texts(row, labels) for row in ordered]
    repeating = _repeating([" ".join(word for text in row for word in text) for row in texts])
    seen: set[str] = set()
    counts: dict[str, int] = {}
    for row, sequences, repeats in zip(ordered, texts, repeating, strict=True):
        before = len(seen)
        seen.update(shingle for sequence in sequences for shingle in shingles(sequence))
        new = 0 if repeats else len(seen) - before
        counts[row.contributor_id] = counts.get(row.contributor_id, 0) + new
    return counts


def _repeating(texts: Sequence[str]) -> list[bool]:
    """Whether each text has much in common with an earlier one; a repeat changes nothing for the others."""
    distinct = list(dict.fromkeys(texts))
    repeats = dict(zip(distinct, (WordSets(distinct).nearest_earlier() >= REPEATED).tolist(), strict=True))
    return [repeats[text] for text in texts]


def _texts(row: Any, labels: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """The words of what a row says: of its text without those of its label, and of a response."""
    if row.target in labels:
        return [[word for word in words(row.text) if word not in labels[row.target]]]
    return [words(row.text), words(row.target)]
