"""Which dataset version a run learns from, and where its rows come from."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from tribute import ids
from tribute.settings import Id, Positive, Strict, Version


class DocsSource(Strict):
    """Public docstrings of the open-source packages installed beside Tribute."""

    kind: Literal["docs"]
    rows_per_cell: Positive = 64
    """At most this many rows for each package and topic: higher is more accurate and slower."""
    packages: tuple[str, ...] = ()
    """Only these packages; empty means all that the source knows."""
    topics: tuple[str, ...] = ()
    """Only sentences about these topics, which are the labels; empty means all that the source knows."""

    @field_validator("topics")
    @classmethod
    def _several_topics(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
        if len(topics) == 1:
            raise ValueError(f"[{topics[0]}] is one topic: a model learns to tell at least two apart")
        return topics


class AnswersSource(Strict):
    """Questions about functions of the open-source packages installed beside Tribute, answered by their docstrings."""

    kind: Literal["answers"]
    rows_per_package: Positive = 100
    """At most this many conversations of each package."""
    packages: tuple[str, ...] = ()
    """Only these packages; empty means all that the source knows."""


class FolderSource(Strict):
    """A published dataset in a folder on this machine (`tribute fetch` can bring it there)."""

    kind: Literal["clinc150", "tldr"]
    folder: Path
    rows_per_contributor: Positive | None = None
    """Keep only the first rows of each contributor; None keeps all."""


class DatasetConfig(Strict):
    """Which dataset version to learn from, and where to take it from if it is not released yet."""

    name: Id
    version: Version
    source: Annotated[DocsSource | AnswersSource | FolderSource, Field(discriminator="kind")] | None = None
    """None: the version is in the registry already."""

    @property
    def tag(self) -> str:
        """The registry's tag of this version, `docs@v1.0.0`."""
        return ids.tag(self.name, self.version)
