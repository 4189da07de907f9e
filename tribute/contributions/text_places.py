"""The places of a workspace that hold texts, token ids or vectors of contributed rows: whatever holds them is listed.

Each column describes its own places; the pipeline lists them all, and an erasure walks the list. Hashes are not text:
they stay in the registry's log and in closed periods.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from tribute.files import write_json
from tribute.strict import parse_json
from tribute.workspace import Workspace

PAGES = "pages.json"
"""Pages with contributed texts that were written where the user asked: their absolute paths."""


@dataclass(frozen=True)
class Erasure:
    """What has to go: whole contributions, all of whose rows are erased."""

    contributions: Collection[str]
    contributors: Collection[str]


@dataclass(frozen=True)
class TextPlace:
    """A place that holds texts, token ids or vectors, in words, and how it is cleaned.

    `erase` removes what belongs to erased contributions, or all where the place can be made again, and returns what it
    removed; a second time it removes nothing.
    """

    name: str
    holds: str
    erase: Callable[[Workspace, Erasure], Sequence[str]]


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
