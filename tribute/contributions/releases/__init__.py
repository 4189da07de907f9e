"""Dataset versions: releasing, reviewing, comparing, and building their tables."""

from tribute.contributions.releases.dataset import build_dataset, find_dataset, read_description
from tribute.contributions.releases.eligibility import check_trainable
from tribute.contributions.releases.release import check_release, release_version

__all__ = [
    "build_dataset",
    "check_release",
    "check_trainable",
    "find_dataset",
    "read_description",
    "release_version",
]
