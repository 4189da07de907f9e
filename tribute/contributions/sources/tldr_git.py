"""Who first wrote which line of tldr-pages: pairs of description and command, read from a git clone.

Names of authors become pseudonyms by rank (`tldr-0000` has most pairs); e-mail addresses are never read.
"""

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tribute.errors import ContributionError

Page = tuple[str, str]
"""Platform and name."""
FIRST = "\x01"
"""Begins the line of a commit in the log; no page has this character."""
ADDED = re.compile(r"^\+\+\+ b/pages/[^/]+/(.+)\.md$")
PAIR = re.compile(r"^- (.+?):?\n\n`(.+)`$", re.MULTILINE)
OPTION = re.compile(r"\{\{\[[^|\]]*\|([^\]]*)\]\}\}")
PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}")


def clone(url: str, commit: str, folder: Path) -> None:
    """Clone with all history and make sure that the commit is there. Raises ContributionError."""
    _git(folder.parent, "clone", "--quiet", "--no-checkout", "--no-tags", url, str(folder))
    _git(folder, "cat-file", "-e", f"{commit}^{{commit}}")


def pairs(folder: Path, commit: str, least: int) -> list[dict[str, str]]:
    """Every pair at the commit whose author has at least `least` of them, page by page."""
    authors = first_authors(folder, commit)
    authored = [
        (platform, name, description, command, authors[name, description])
        for (platform, name), text in _pages(folder, commit)
        for description, command in PAIR.findall(text)
        if (name, description) in authors
    ]
    counts = Counter(author for *_, (author, _) in authored)
    ranked = sorted(
        (author for author in counts if counts[author] >= least), key=lambda author: (-counts[author], author)
    )
    pseudonyms = {author: f"tldr-{rank:04}" for rank, author in enumerate(ranked)}
    return [
        {
            "contributor_id": pseudonyms[author],
            "page": name,
            "platform": platform,
            "prompt": description,
            "response": plain_command(command),
            "day": day,
        }
        for platform, name, description, command, (author, day) in authored
        if author in pseudonyms
    ]


def first_authors(folder: Path, commit: str) -> dict[tuple[str, str], tuple[str, str]]:
    """(Page name, description) → author and day of the commit that first added it to a page of that name."""
    first: dict[tuple[str, str], tuple[str, str]] = {}
    author, page = ("", ""), ""
    for line in _log(folder, commit):
        if line.startswith(FIRST):
            name, day = line[1:].split("\0")
            author = (name, day)
        elif match := ADDED.match(line):
            page = match[1]
        elif line.startswith("+- "):
            first.setdefault((page, line[3:].removesuffix(":")), author)
    return first


def plain_command(command: str) -> str:
    """`tar {{[-x|--extract]}} {{file}}` → `tar --extract <file>`."""
    return PLACEHOLDER.sub(r"<\1>", OPTION.sub(r"\1", command))


def _log(folder: Path, commit: str) -> Iterator[str]:
    command = ["log", "-p", "--no-renames", "--no-merges", "--reverse", "--no-color", "--no-ext-diff"]
    text = _git(folder, *command, f"--format={FIRST}%an%x00%as", commit, "--", "pages/")
    return iter(text.split("\n"))


def _pages(folder: Path, commit: str) -> Iterator[tuple[Page, str]]:
    listed = _git(folder, "ls-tree", "-r", "-z", "--name-only", commit, "--", "pages/").split("\0")
    paths = sorted(path for path in listed if path.count("/") == 2 and path.endswith(".md"))
    asked = "".join(f"{commit}:{path}\n" for path in paths).encode()
    answer = subprocess.run(["git", "cat-file", "--batch"], cwd=folder, input=asked, capture_output=True, check=True)
    rest = answer.stdout
    for path in paths:
        header, _, rest = rest.partition(b"\n")
        size = int(header.split()[-1])
        text, rest = rest[:size].decode(errors="replace"), rest[size + 1 :]
        _, platform, file = path.split("/")
        yield (platform, file.removesuffix(".md")), text


def _git(folder: Path, *arguments: str) -> str:
    try:
        command = ["git", "-c", "core.quotePath=false", *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
    except FileNotFoundError as error:
        raise ContributionError("git is not installed or not on the PATH; install it") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise ContributionError(f"git {arguments[0]} failed: {said[-1] if said else error.returncode}") from error
    return done.stdout.decode(errors="replace")
