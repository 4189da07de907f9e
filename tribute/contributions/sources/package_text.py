"""Prose of open-source packages, to pre-train a small language model on without a download.

It is what docstrings say below their first paragraph, and what packages say of themselves on their index pages. No
first paragraph of a docstring is in it: what the sources of this room teach and test is new to such a model.
"""

import inspect
import re
from collections.abc import Iterator
from importlib import metadata

from tribute.contributions.rows import text_sha256
from tribute.contributions.sources.answers import permissive
from tribute.contributions.sources.docs_topics import PYTHON, Package
from tribute.contributions.sources.docstrings import documented, modules, without_markup
from tribute.contributions.sources.packages import chosen_packages, package_root, version_of

WORDS = range(8, 200)
LETTERS = 0.85
"""The least share of letters among the characters that are not blank: code and tables have fewer."""
RULES = re.compile(r"[-=~^*]{3,}")
"""What underlines a heading."""


def package_texts() -> list[str]:
    """Distinct paragraphs of all permissively licensed packages that the docs source knows, in the order of hashes."""
    paragraphs = (text for package in permissive(chosen_packages(())) for text in _paragraphs(package))
    by_hash = {text_sha256(text): text for text in paragraphs}
    return [by_hash[key] for key in sorted(by_hash)]


def _paragraphs(package: Package) -> Iterator[str]:
    root = package_root(package)
    for path in modules(root, " ".join(package.modules.values()).split()):
        for _, docstring in documented(path):
            yield from _prose(inspect.cleandoc(docstring), first=1)
    if package.id != PYTHON:
        yield from _prose(metadata.metadata(package.id)["Description"] or "", first=0)


def _prose(text: str, first: int) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text)[first:]:
        plain = without_markup(" ".join(RULES.sub(" ", paragraph).split()))
        dense = plain.replace(" ", "")
        if ">>>" not in plain and len(plain.split()) in WORDS and sum(map(str.isalpha, dense)) >= LETTERS * len(dense):
            yield plain


def package_versions_read() -> dict[str, str]:
    """What decides the texts besides the code: the packages that are read and their versions."""
    return {package.id: version_of(package) for package in permissive(chosen_packages(()))}
