"""The registry at one commit, read whole: ledger, schemas, contributions, evaluation sets, exclusions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml
from pydantic import ValidationError

from tribute.contributions.registry import log
from tribute.contributions.registry.paths import (
    data_path,
    directory_md5,
    evaluation_path,
    exclusions_path,
    meta_path,
    policy_path,
    schema_path,
)
from tribute.contributions.registry.repository import POINTER, pointer_md5
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening.findings import Decision
from tribute.contributions.screening.policy import BASIC, ScreeningPolicy
from tribute.errors import IntegrityError, RegistryError
from tribute.settings import Model


@dataclass(frozen=True)
class Contribution:
    """One recorded contribution. `md5` is DVC's name for its data, `seq` its place in the ledger."""

    id: str
    contributor_id: str
    dataset: str
    licence: str
    name: str
    version: str
    home_page: str
    rows: int
    sha256: str
    md5: str
    seq: int
    rejected: int = 0
    """Faulty rows of the file that were left out."""
    day: str = ""
    """When the rows were first written, where their own history says so; never decides priority."""
    terms: Mapping[str, Any] | None = None
    signature: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Snapshot:
    """What the registry says at one commit; `tree` maps path → content of the files in git."""

    tree: Mapping[str, bytes]
    entries: Sequence[log.Entry]

    @classmethod
    def of(cls, tree: Mapping[str, bytes]) -> "Snapshot":
        """Read a tree; the ledger is verified on the way. Raises IntegrityError."""
        if log.LEDGER not in tree:
            raise IntegrityError(f"{log.LEDGER}: missing from the registry; restore it")
        return cls(tree, log.load(tree[log.LEDGER]))

    def datasets(self) -> list[str]:
        """The declared datasets, in the order of their declaration."""
        return [entry.subject for entry in self.entries if entry.event == "declare"]

    def schema(self, dataset: str) -> DatasetSchema:
        """A dataset's schema. Raises RegistryError listing what is declared."""
        path = schema_path(dataset)
        if path not in self.tree:
            known = ", ".join(self.datasets()) or "none yet"
            raise RegistryError(f"there is no dataset {dataset!r}; declared are: {known}; declare it first")
        return self._model(path, DatasetSchema)

    def policy(self, dataset: str) -> ScreeningPolicy:
        """A dataset's screening policy, the basic one where none was set."""
        path = policy_path(dataset)
        return self._model(path, ScreeningPolicy) if path in self.tree else BASIC

    def contributions(self, dataset: str) -> list[Contribution]:
        """A dataset's contributions that were not withdrawn, earliest first."""
        return [self._contribution(entry) for entry in self.live.values() if entry.dataset == dataset]

    def recorded(self, contribution_id: str) -> Contribution | None:
        """The contribution with this id, if there is one that was not withdrawn."""
        entry = self.live.get(contribution_id)
        return None if entry is None else self._contribution(entry)

    def contributors(self) -> set[str]:
        """Everybody who ever handed something in or has a key."""
        handed_in = {entry.details["contributor_id"] for entry in self.entries if entry.event == "contribute"}
        return handed_in | {entry.subject for entry in self.entries if entry.event in ("key", "organisation")}

    def decisions(self, dataset: str) -> dict[str, Decision]:
        """Row id → what a person last decided about it."""
        return {
            row: Decision(entry.event, entry.details["by"], entry.details["why"], entry.seq)
            for entry in self.entries
            if entry.event in ("accept", "reject") and entry.dataset == dataset
            for row in entry.details["rows"]
        }

    @cached_property
    def live(self) -> dict[str, log.Entry]:
        """Contribution id → the entry that recorded it, of those neither withdrawn nor erased; earliest first."""
        found: dict[str, log.Entry] = {}
        for entry in self.entries:
            if entry.event == "contribute":
                found[entry.subject] = entry
            elif entry.event in ("withdraw", "erase"):
                found.pop(entry.subject, None)
        return found

    @cached_property
    def gone(self) -> dict[str, log.Entry]:
        """Contribution id → the entry by which it was withdrawn or erased, and not handed in again since."""
        ends = {entry.subject: entry for entry in self.entries if entry.event in ("withdraw", "erase")}
        return {subject: entry for subject, entry in ends.items() if subject not in self.live}

    def erased_md5s(self) -> set[str]:
        """DVC's names for all data that was erased and that nobody handed in again."""
        found = {md5 for entry in self.entries if entry.event == "erase" for md5 in entry.details["md5s"]}
        return found - {self._md5(data_path(id_)) for id_ in self.live} if found else found

    def evaluation_md5(self, dataset: str) -> str | None:
        """DVC's name for the sealed evaluation rows; None before they are sealed."""
        return self._md5(evaluation_path(dataset))

    def exclusions_md5(self, dataset: str) -> str | None:
        """DVC's name for the exclusions of the latest release; None before the first."""
        return self._md5(exclusions_path(dataset))

    def dvc_md5(self, dataset: str) -> str:
        """`<md5>.dir` as DVC computes it for a directory that holds exactly this dataset's data."""
        paths = [data_path(contribution.id) for contribution in self.contributions(dataset)]
        paths += [evaluation_path(dataset), exclusions_path(dataset)]
        return directory_md5({path: md5 for path in paths if (md5 := self._md5(path))})

    def _contribution(self, entry: log.Entry) -> Contribution:
        path = meta_path(entry.subject)
        try:
            meta = yaml.load(self.tree[path], yaml.CSafeLoader)
            md5 = pointer_md5(self.tree[data_path(entry.subject) + POINTER], path)
            return Contribution(**meta, md5=md5, seq=entry.seq)
        except (KeyError, TypeError, yaml.YAMLError) as error:
            raise IntegrityError(f"contributions/{entry.subject}: its meta or pointer is missing or damaged") from error

    def _model(self, path: str, model: type[Model]) -> Model:
        try:
            return model.model_validate(yaml.load(self.tree[path], yaml.CSafeLoader))
        except (yaml.YAMLError, ValidationError) as error:
            raise IntegrityError(f"{path}: not what Tribute wrote there; restore the file") from error

    def _md5(self, path: str) -> str | None:
        pointer = self.tree.get(path + POINTER)
        return None if pointer is None else pointer_md5(pointer, path + POINTER)
