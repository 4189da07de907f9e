"""The copies of artifacts in the bucket that machines share, which an erasure reaches as well."""

from collections.abc import Collection, Sequence

from tribute.artifacts import Remote, read_erased
from tribute.contributions.text_places import Erasure, TextPlace
from tribute.pipeline.operations.quotes import datasets_with
from tribute.workspace import Workspace

BLANKED, REMOVED = ("dataset", "adapter", "probe"), ("index", "retrieval")
"""Kinds that hold something of rows: of some an erasure blanks a part, others it removes."""


def erase_copies(workspace: Workspace, erasure: Erasure, places: Sequence[TextPlace]) -> list[str]:
    """Fetch what only the bucket has of the rows, erase it by the same `places`, and put it back; kind/key of each.

    Nothing where no bucket is set. Raises StorageError where it does not answer.
    """
    store = workspace.store
    if store.remote is None:
        return []
    for key in store.remote.keys("dataset"):
        store.fetch("dataset", key)
    datasets = datasets_with(workspace, erasure)
    copies = [(kind, key) for kind in BLANKED[1:] for key in _made_of(store.remote, kind, datasets)]
    for kind, key in copies:
        store.fetch(kind, key)
    for place in places:
        place.erase(workspace, erasure)
    blanked = [("dataset", dataset.path.name) for dataset in datasets.values()] + copies
    removed = [(kind, key) for kind in REMOVED for key in _made_of(store.remote, kind, datasets)]
    for kind, key in removed:
        store.remote.remove(kind, key)
    return [*_put_back(workspace, store.remote, blanked), *(f"{kind}/{key}" for kind, key in removed)]


def _made_of(remote: Remote, kind: str, datasets: Collection[str]) -> list[str]:
    return [key for key in remote.keys(kind) if remote.inputs(kind, key).get("dataset") in datasets]


def _put_back(workspace: Workspace, remote: Remote, copies: Sequence[tuple[str, str]]) -> list[str]:
    changed = []
    for kind, key in copies:
        artifact = workspace.store.fetch(kind, key)
        if artifact is not None and read_erased(artifact.path).contributions and not remote.is_as_here(artifact):
            remote.rewrite(artifact)
            changed.append(f"{kind}/{key}")
    return changed
