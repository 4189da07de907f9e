"""Each contributor's statement, as JSON and as a page."""

from tribute.rewards.statements.statements import write_early

__all__ = [
    "write_early",
]
