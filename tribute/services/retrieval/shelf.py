"""The released versions that answers may be retrieved from, as the registry allows it at each request.

A row may be retrieved if its contribution is live, its terms, which the contributor signed, name retrieval and have
not ended, and its licence lets answers be sold. Consent to learn from a row is no consent to show it.
"""

import threading
from dataclasses import dataclass
from datetime import date

from tribute.contributions.dataset import read_description
from tribute.contributions.licences import allows_sale
from tribute.contributions.registry import Registry, Snapshot
from tribute.contributions.releases import build_dataset
from tribute.contributions.terms import RETRIEVING, refusal
from tribute.errors import RegistryError, ServiceError
from tribute.services.retrieval.row_index import RowIndex
from tribute.services.retrieval.vectors import Embed, row_vectors
from tribute.workspace import Workspace


@dataclass(frozen=True)
class _Kept:
    """An index, and the day and the registry's commit for which it holds."""

    day: date
    commit: bytes
    index: RowIndex


class Shelf:
    """The indexes of a workspace that are open."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._open: dict[tuple[str, str], _Kept] = {}
        self._opening = threading.Lock()

    def index(self, tag: str, base: str, embed: Embed, today: date) -> RowIndex:
        """The rows of a released version that may be retrieved today, embedded by the base of this digest.

        Rows that were taken back since the last request are gone from memory, too. Raises ServiceError 404 where
        there is no such version, or none of its rows may be retrieved.
        """
        registry = Registry.open(self._workspace)
        commit = registry.repository.git("rev-parse", "HEAD")
        with self._opening:
            kept = self._open.get((tag, base))
            if kept is None or (kept.day, kept.commit) != (today, commit):
                index = self._renewed(registry, (tag, base), embed, today)
                kept = self._open[tag, base] = _Kept(today, commit, index)
        if not len(kept.index):
            raise ServiceError(f"no row of {tag} may be retrieved: none has terms that allow {RETRIEVING}", 404)
        return kept.index

    def _renewed(self, registry: Registry, place: tuple[str, str], embed: Embed, today: date) -> RowIndex:
        tag, base = place
        try:
            dataset = build_dataset(registry, tag, self._workspace.store)
        except RegistryError as error:
            raise ServiceError(f"{tag[:80]!r} is no released version: {error}", 404) from error
        contributions = read_description(dataset)["contributions"]
        licences = consenting(registry.snapshot(), contributions, today)
        kept = self._open.get(place)
        if kept is not None and licences.keys() <= kept.index.licences.keys():
            return kept.index.only(licences)
        rows, vectors = row_vectors(self._workspace.store, dataset, base, sorted(licences), embed)
        return RowIndex(rows, vectors, licences)


def consenting(now: Snapshot, contributions: "list[str] | dict[str, object]", today: date) -> dict[str, str]:
    """Contribution → licence, of those of a version whose rows may be retrieved today."""
    licences = {}
    for name in contributions:
        recorded = now.recorded(name)
        if recorded is not None and not refusal(recorded.terms, today, RETRIEVING) and allows_sale(recorded.licence):
            licences[name] = recorded.licence
    return licences
