"""A released version of a dataset, the form of its name, and which number has to come next."""

from dataclasses import dataclass

from tribute.errors import RegistryError
from tribute.ids import parse_tag

FIGURES = ("contributions", "contributors", "rows", "excluded")
"""Of a release's log entry, those that `Version` shows."""
LEVELS = ("major", "minor", "patch")


@dataclass(frozen=True)
class Version:
    """A released dataset version; `rows` counts those submitted, `excluded` those among them not used."""

    tag: str
    dataset: str
    version: str
    commit: str
    released: str
    contributions: int
    contributors: int
    rows: int
    excluded: int


def release_message(tag: str) -> str:
    """The message of the commit and of the tag that release a version."""
    return f"Release {tag}"


def number(version: str) -> tuple[int, int, int]:
    """`v1.2.0` → (1, 2, 0)."""
    major, minor, patch = version.removeprefix("v").split(".")
    return int(major), int(minor), int(patch)


def refuse_number(tag: str, before: str, added: int, removed: int) -> None:
    """Raise RegistryError where the number says less than what changed since the version `before`.

    Rows removed are a major step, rows added a minor one, all else a patch; a larger step is no fault.
    """
    dataset, new = parse_tag(tag)
    old, chosen = number(parse_tag(before)[1]), number(new)
    level = "major" if removed else "minor" if added else "patch"
    least = next_number(old, level)
    if chosen <= old or chosen < least:
        what = f"{removed} rows were removed" if removed else f"{added} rows were added" if added else "no row changed"
        raise RegistryError(
            f"{tag}: {what} since {before}, which is a {level} step: expected {dataset}@v{_written(least)} or later"
        )


def next_number(old: tuple[int, int, int], level: str) -> tuple[int, int, int]:
    """The smallest number after `old` that is a step of this level."""
    place = LEVELS.index(level)
    kept = old[:place]
    raised = (*kept, old[place] + 1, 0, 0)[:3]
    return raised[0], raised[1], raised[2]


def _written(number_: tuple[int, int, int]) -> str:
    return ".".join(map(str, number_))
