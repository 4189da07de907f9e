"""The places of a workspace that hold texts, token ids or vectors of contributed rows: whatever holds them is listed.

Each column describes its own places; the pipeline lists them all, and an erasure walks the list. Hashes are not text:
they stay in the registry's log and in closed periods.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tribute.contributions.normal_form import normalise
from tribute.files import write_json
from tribute.strict import parse_json
from tribute.workspace import Workspace

PAGES = "pages.json"
"""Pages with contributed texts that were written where the user asked: their absolute paths."""


HEAD = 16
"""Characters from which on a text counts as quoted inside a longer one; a shorter one would stand in every other."""


@dataclass(frozen=True)
class Erasure:
    """What has to go: whole contributions, all of whose rows are erased.

    `texts` is what the rows said, word for word; empty where nothing holds it any more.
    """

    contributions: Collection[str]
    contributors: Collection[str]
    texts: Collection[str] = ()

    def is_quoted_in(self, text: str) -> bool:
        """Does a text repeat one of the rows' texts, in any case and spacing?"""
        plain = normalise(text)
        if plain in self._short:
            return True
        starts = range(len(plain) - HEAD + 1)
        return any(plain.startswith(long, at) for at in starts for long in self._long.get(plain[at : at + HEAD], ()))

    @cached_property
    def _short(self) -> set[str]:
        return {plain for text in self.texts if 0 < len(plain := normalise(text)) < HEAD}

    @cached_property
    def _long(self) -> dict[str, list[str]]:
        """The longer texts by how they begin."""
        by_head: dict[str, list[str]] = {}
        for text in {normalise(text) for text in self.texts}:
            by_head.setdefault(text[:HEAD], []).append(text)
        return {head: texts for head, texts in by_head.items() if len(head) == HEAD}


@dataclass(frozen=True)
class TextPlace:
    """A place that holds texts, token ids or vectors, in words, and how it is cleaned.

    `erase` removes what belongs to erased contributions, or all where the place can be made again, and returns what it
    removed; a second time it removes nothing.
    """

    name: str
    holds: str
    erase: Callable[[Workspace, Erasure], Sequence[str]]


def texts_in(value: object) -> Iterator[str]:
    """Every text in a JSON value, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.values() for text in texts_in(item))
    elif isinstance(value, list):
        yield from (text for item in value for text in texts_in(item))


def remember_page(workspace: Workspace, file: Path) -> None:
    """Note that a page with contributed texts lies in `file`, so that an erasure finds it."""
    pages = sorted({*_pages(workspace), str(file.resolve())})
    write_json(workspace.root / PAGES, {"pages": pages})


def forget_pages(workspace: Workspace, _erasure: Erasure) -> list[str]:
    """Remove every noted page that still exists: a page holds rows of many contributors and is made again easily."""
    pages = [Path(page) for page in _pages(workspace)]
    removed = [str(page) for page in pages if page.is_file()]
    for page in pages:
        page.unlink(missing_ok=True)
    (workspace.root / PAGES).unlink(missing_ok=True)
    return removed


def _pages(workspace: Workspace) -> list[str]:
    file = workspace.root / PAGES
    return list(parse_json(file.read_text(encoding="utf-8"))["pages"]) if file.exists() else []
