"""Sources of real text: each writes files to contribute, the same every time."""

from tribute.contributions.sources.docs import docs_versions
from tribute.contributions.sources.download import fetch, refuse_filled
from tribute.contributions.sources.package_text import package_texts, package_versions_read
from tribute.contributions.sources.source import check_source, write_source
from tribute.contributions.sources.tldr_import import import_tldr, months_of

__all__ = [
    "check_source",
    "docs_versions",
    "fetch",
    "import_tldr",
    "months_of",
    "package_texts",
    "package_versions_read",
    "refuse_filled",
    "write_source",
]
