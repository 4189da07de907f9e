"""What two texts share word for word."""

import re
from collections.abc import Sequence

WORD = re.compile(r"\w+|[^\w\s]")
SHORTEST = 3
"""Fewer words in a row say little: `how do i` is in half of all questions."""


def shared_spans(text: str, others: Sequence[str], shortest: int = SHORTEST) -> list[tuple[int, int]]:
    """Where `text` holds word sequences that one of `others` holds too: (start, end) in characters, in order.

    The longest at each place, at least `shortest` words or punctuation marks, case and white space aside; none
    overlap.
    """
    words = [(match.group().casefold(), match.start(), match.end()) for match in WORD.finditer(text)]
    known = [[match.group().casefold() for match in WORD.finditer(other)] for other in others]
    spans, place = [], 0
    while place < len(words):
        length = max((_longest([word for word, _, _ in words[place:]], other) for other in known), default=0)
        if length >= shortest:
            spans.append((words[place][1], words[place + length - 1][2]))
        place += length if length >= shortest else 1
    return spans


def _longest(words: Sequence[str], other: Sequence[str]) -> int:
    """How many words, from the first on, stand somewhere in `other` in this order."""
    longest = 0
    for start in (place for place, word in enumerate(other) if word == words[0]):
        length = 0
        while length < len(words) and start + length < len(other) and words[length] == other[start + length]:
            length += 1
        longest = max(longest, length)
    return longest
