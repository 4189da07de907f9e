"""A released version as commands print it."""

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from tribute.contributions.registry import Version


class Release(TypedDict):
    tag: str
    dataset: str
    version: str
    commit: str
    released: str
    contribution_count: int
    contributor_count: int
    rows: int
    rows_excluded: int
    rows_released: int


def record(version: "Version") -> Release:
    """The version in the words that all commands use: `rows` counts those contributed."""
    return {
        "tag": version.tag,
        "dataset": version.dataset,
        "version": version.version,
        "commit": version.commit,
        "released": version.released,
        "contribution_count": version.contributions,
        "contributor_count": version.contributors,
        "rows": version.rows,
        "rows_excluded": version.excluded,
        "rows_released": version.rows - version.excluded,
    }
