"""Each contributor's statement, as JSON and as a page."""

from tribute.rewards.statements.statements import write_early
from tribute.rewards.statements.wording import STATUS

__all__ = [
    "STATUS",
    "write_early",
]
