"""Sources of real text: each writes files to contribute, the same every time."""

from tribute.contributions.sources.download import fetch, refuse_filled
from tribute.contributions.sources.source import check_source, write_source

__all__ = [
    "check_source",
    "fetch",
    "refuse_filled",
    "write_source",
]
