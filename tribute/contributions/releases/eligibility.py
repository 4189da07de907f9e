"""May a model learn from a version today? Terms end, and rows are erased, after a version was released."""

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
    for one in at.contributions(dataset):
        if one.md5 in erased:
            raise RegistryError(f"{tag} held contribution {one.id}, which was erased; release a version without it")
        reason = refusal(one.terms, today)
        if reason and out[one.id] < one.rows:
            raise RegistryError(
                f"{tag} holds contribution {one.id}, and {reason}; release a version, which leaves it out, "
                "and learn from that"
            )
