"""A released version of a dataset, and the form of its name."""

import re
from dataclasses import dataclass

from tribute.errors import RegistryError

TAG = re.compile(r"([a-z0-9][a-z0-9_-]{0,39})@(v\d+\.\d+\.\d+)")


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


def split_tag(tag: str) -> tuple[str, str]:
    """`docs@v1.0.0` → (`docs`, `v1.0.0`). Raises RegistryError."""
    match = TAG.fullmatch(tag)
    if match is None:
        raise RegistryError(f"{tag!r} is no dataset version; expected NAME@vX.Y.Z, such as docs@v1.0.0")
    return match[1], match[2]


def release_message(tag: str) -> str:
    """The message of the commit and of the tag that release a version."""
    return f"Release {tag}"
