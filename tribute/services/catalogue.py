"""Which models are served, and under which names. Knows nothing of how they were trained, loaded or priced.

A model's name holds its artifact's digest, `docs@0123456789abcdef`, so it never comes to mean other weights. The
dataset's name, `docs`, is an alias of the dataset's champion, and so is `champion` where only one dataset is served.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tribute.errors import ServiceError
from tribute.services.receipts import ServedModel

CHAMPION = "champion"
DIGITS = 16
"""Hex digits of the artifact's id in a name."""


@dataclass(frozen=True)
class CatalogueEntry:
    """A served model: what receipts say of it, and what clients have to know."""

    model: ServedModel
    dataset: str
    tag: str
    task: str
    base_name: str
    created: int
    """When its adapter was made, in seconds since 1970."""
    context: int
    """The most tokens that a text, or a prompt and its answer, may have."""
    labels: Sequence[str] = ()
    """What a classifier says, in the order of its probabilities."""
    champion: bool = False


@dataclass(frozen=True)
class Catalogue:
    """What is served at a time. It never changes: a server swaps it for another."""

    entries: Mapping[str, CatalogueEntry]
    """Full name → entry."""
    refused: Mapping[str, str]
    """Full name → why the model of a finished run is not served: for the operator, since it names files and people."""

    def resolve(self, name: str) -> CatalogueEntry:
        """The model of a full name or an alias. Raises ServiceError 404; an unknown name is never another model's."""
        if name in self.entries:
            return self.entries[name]
        champions = [entry for entry in self.entries.values() if entry.champion]
        named = [entry for entry in champions if name in (entry.dataset, f"{entry.dataset}@{CHAMPION}")]
        if name == CHAMPION:
            named = champions
        if len(named) == 1:
            return named[0]
        if named:
            choices = ", ".join(sorted(entry.dataset for entry in named))
            raise ServiceError(f"{CHAMPION} is ambiguous; ask for one of {choices}", 404)
        now = " now, its operator knows why" if name in self.refused else ""
        raise ServiceError(f"the model {name[:80]!r} is not served{now}; /v1/models lists those that are", 404)


def full_name(dataset: str, artifact: str) -> str:
    """`docs@0123456789abcdef` of a dataset's name and an adapter's id."""
    return f"{dataset}@{artifact[:DIGITS]}"
