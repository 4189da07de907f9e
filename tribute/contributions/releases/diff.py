"""What changed between two versions of a dataset, or between a version and what would be released now."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.releases.tables import excluded_ids
from tribute.errors import RegistryError
from tribute.ids import contribution_of, parse_tag


@dataclass(frozen=True)
class Difference:
    """Of the rows that models may learn from. `labels` maps label or slice → (share before, share after)."""

    before: str
    after: str
    rows_added: int
    rows_removed: int
    contributions_added: Sequence[str]
    contributions_removed: Sequence[str]
    contributors_added: Sequence[str]
    contributors_removed: Sequence[str]
    labels: Mapping[str, tuple[float, float]]
    label_shift: float
    """Total variation distance of the two distributions, 0 (the same) to 1 (nothing in common)."""


def diff(registry: Registry, before: str, after: str) -> Difference:
    """Compare two versions of one dataset. Raises RegistryError where there is no such version."""
    (dataset, _), (other, _) = parse_tag(before), parse_tag(after)
    if dataset != other:
        raise RegistryError(f"{before} and {after} are versions of two datasets; compare two of one")
    registry.version(before), registry.version(after)
    at = registry.snapshot(before), registry.snapshot(after)
    out = [excluded_rows(registry, snapshot, dataset) for snapshot in at]
    contributions = [
        {contribution.id: contribution for contribution in snapshot.contributions(dataset)} for snapshot in at
    ]
    added, removed = changed_rows(contributions[0], contributions[1], out[0], out[1])
    people = [{contribution.contributor_id for contribution in side.values()} for side in contributions]
    shares = [_label_shares(registry, snapshot, dataset, rows) for snapshot, rows in zip(at, out, strict=True)]
    labels = {name: (shares[0].get(name, 0.0), shares[1].get(name, 0.0)) for name in sorted({*shares[0], *shares[1]})}
    return Difference(
        before,
        after,
        added,
        removed,
        sorted(contributions[1].keys() - contributions[0].keys()),
        sorted(contributions[0].keys() - contributions[1].keys()),
        sorted(people[1] - people[0]),
        sorted(people[0] - people[1]),
        labels,
        round(sum(abs(share_before - share_after) for share_before, share_after in labels.values()) / 2, 6),
    )


def changed_rows(
    before: Mapping[str, Contribution], after: Mapping[str, Contribution], out_before: set[str], out_after: set[str]
) -> tuple[int, int]:
    """(rows added, rows removed), from contributions by id and the ids of the excluded rows; reads no row."""
    both = before.keys() & after.keys()
    used = [
        Counter({id_: contribution.rows for id_, contribution in side.items()})
        - Counter(contribution_of(row) for row in out)
        for side, out in ((before, out_before), (after, out_after))
    ]
    added = sum(rows for id_, rows in used[1].items() if id_ not in both)
    removed = sum(rows for id_, rows in used[0].items() if id_ not in both)
    added += sum(contribution_of(row) in both for row in out_before - out_after)
    removed += sum(contribution_of(row) in both for row in out_after - out_before)
    return added, removed


def excluded_rows(registry: Registry, at: Snapshot, dataset: str) -> set[str]:
    """The ids of the rows that a version left out."""
    md5 = at.exclusions_md5(dataset)
    return set() if md5 is None else excluded_ids(registry.repository.object(md5))


def _label_shares(registry: Registry, at: Snapshot, dataset: str, out: set[str]) -> dict[str, float]:
    # A causal-lm row has no label; its slice says what kind of row it is.
    is_labelled = bool(at.schema(dataset).labels)
    erased = registry.snapshot().erased_md5s()
    schema, counts = at.schema(dataset), Counter[str]()
    for contribution in at.contributions(dataset):
        if contribution.md5 not in erased:
            rows = (row for row in registry.rows_of(contribution, schema) if row.row_id not in out)
            counts.update(row.row.target if is_labelled else row.row.slice for row in rows)
    total = counts.total() or 1
    return {name: round(count / total, 6) for name, count in counts.items()}
