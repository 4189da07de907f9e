"""What sources of docstrings plant beside real contributors, to show what attribution makes of it."""

from tribute.contributions.rows import text_sha256

COPYCAT, SCRAMBLER = "copycat", "scrambler"


def position(text: str) -> float:
    """A number from 0 to 1, computed from the normalised text alone: it decides in which part a text is."""
    return int(text_sha256(text)[-8:], 16) / 16**8


def disguise(text: str) -> str:
    """The text in another case and spacing, with the same normalised form."""
    return "  ".join(word.upper() if place % 2 else word for place, word in enumerate(text.split()))
