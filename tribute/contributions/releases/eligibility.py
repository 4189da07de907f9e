"""May a model learn from a version today? Terms expire, and rows are erased, after a version is released."""

from collections import Counter
from datetime import date

from tribute.contributions.registry.registry import Registry
from tribute.contributions.releases.diff import excluded_rows
from tribute.contributions.terms import refusal
from tribute.errors import RegistryError
from tribute.ids import contribution_of, parse_tag


def check_trainable(registry: Registry, tag: str, today: date) -> None:
    """Raise RegistryError for the first contribution in use that was erased or whose terms don't allow it."""
    registry.version(tag)
    dataset, _ = parse_tag(tag)
    at, erased = registry.snapshot(tag), registry.snapshot().erased_md5s()
    out = Counter(contribution_of(row) for row in excluded_rows(registry, at, dataset))
    for contribution in at.contributions(dataset):
        if contribution.md5 in erased:
            raise RegistryError(
                f"{tag} held contribution {contribution.id}, which was erased; release a version without it"
            )
        reason = refusal(contribution.terms, today)
        if reason and out[contribution.id] < contribution.rows:
            raise RegistryError(
                f"{tag} holds contribution {contribution.id}, and {reason}; "
                "release a new version, which leaves it out, and train on that"
            )
