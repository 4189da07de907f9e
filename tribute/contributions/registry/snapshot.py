"""The registry at one commit, read whole: log, schemas, contributions, evaluation sets, exclusions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from tribute.contributions.normal_form import NORMAL_FORM
from tribute.contributions.registry.dvc_remote import POINTER, pointer_md5
from tribute.contributions.registry.log import LEDGER, Entry, load
from tribute.contributions.registry.paths import (
    data_path,
    directory_md5,
    evaluation_path,
    exclusions_path,
    meta_path,
    policy_path,
    schema_path,
)
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening.findings import Decision
from tribute.contributions.screening.policy import BASIC, ScreeningPolicy
from tribute.errors import IntegrityError, RegistryError
from tribute.settings import Model
from tribute.strict import parse_yaml


@dataclass(frozen=True)
class Contribution:
    """One recorded contribution. `md5` is DVC's name for its data.

    `seq` is the number of the log's entry from which it counts: its own, or that of the commitment that it revealed.
    """

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


def promise_of(entry: Entry) -> tuple[str, str, int]:
    """Who, to which dataset, how many rows: equal for a commitment and the contribution that keeps it."""
    return entry.details["contributor_id"], entry.dataset, entry.details["rows"]


@dataclass(frozen=True)
class Snapshot:
    """What the registry says at one commit; `tree` maps path → content of the files in git."""

    tree: Mapping[str, bytes]
    entries: Sequence[Entry]

    @classmethod
    def of(cls, tree: Mapping[str, bytes]) -> "Snapshot":
        """Read a tree; the log is verified on the way. Raises IntegrityError."""
        if LEDGER not in tree:
            raise IntegrityError(f"{LEDGER}: missing from the registry; restore it")
        return cls(tree, load(tree[LEDGER]))

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
        """A dataset's contributions that were not withdrawn, in the order in which they count."""
        recorded = [self._contribution(entry) for entry in self.live.values() if entry.dataset == dataset]
        return sorted(recorded, key=lambda contribution: contribution.seq)

    def recorded(self, contribution_id: str) -> Contribution | None:
        """The contribution with this id, if there is one that was not withdrawn."""
        entry = self.live.get(contribution_id)
        return None if entry is None else self._contribution(entry)

    def contributors(self) -> set[str]:
        """Everybody who ever contributed or has a key."""
        contributors = {entry.details["contributor_id"] for entry in self.entries if entry.event == "contribute"}
        return contributors | {entry.subject for entry in self.entries if entry.event in ("key", "organisation")}

    def decisions(self, dataset: str) -> dict[str, Decision]:
        """Row id → what a person last decided about it."""
        return {
            row: Decision(entry.event, entry.details["by"], entry.details["why"], entry.seq)
            for entry in self.entries
            if entry.event in ("accept", "reject") and entry.dataset == dataset
            for row in entry.details["rows"]
        }

    @cached_property
    def live(self) -> dict[str, Entry]:
        """Contribution id → the entry that recorded it, of those neither withdrawn nor erased; earliest first."""
        live: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.event == "contribute":
                live[entry.subject] = entry
            elif entry.event in ("withdraw", "erase"):
                live.pop(entry.subject, None)
        return live

    @cached_property
    def commitments(self) -> dict[str, Entry]:
        """Root → the entry that recorded the commitment, earliest first."""
        return {entry.subject: entry for entry in self.entries if entry.event == "commit"}

    def place(self, entry: Entry) -> int:
        """The number of the entry from which a contribution counts.

        That of its commitment, unless the dataset was released in between: a released version never changes.
        """
        committed = self.commitments.get(entry.details.get("commitment", ""))
        return entry.seq if committed is None or self.released_since(committed, entry.seq) else committed.seq

    def released_since(self, committed: Entry, before: int | None = None) -> str:
        """The first version of its dataset that was released after a commitment, and before an entry; "" for none."""
        later = self.entries[committed.seq : before]
        releases = (other for other in later if other.event == "release" and other.dataset == committed.dataset)
        return next((other.subject for other in releases), "")

    @cached_property
    def gone(self) -> dict[str, Entry]:
        """Contribution id → the entry by which it was withdrawn or erased, and not contributed again since."""
        ends = {entry.subject: entry for entry in self.entries if entry.event in ("withdraw", "erase")}
        return {subject: entry for subject, entry in ends.items() if subject not in self.live}

    def normal_form(self, tag: str) -> int:
        """The normal form in which the rows of a released version were compared; 1 before releases recorded it."""
        release = next((entry for entry in self.entries if entry.event == "release" and entry.subject == tag), None)
        return int(release.details.get("normal_form", 1)) if release else NORMAL_FORM

    def erased_md5s(self) -> set[str]:
        """DVC's names for all data that was erased and that nobody contributed again."""
        md5s = {md5 for entry in self.entries if entry.event == "erase" for md5 in entry.details["md5s"]}
        return md5s - {self._md5(data_path(id_)) for id_ in self.live} if md5s else md5s

    def evaluation_md5(self, dataset: str) -> str | None:
        """DVC's name for the sealed evaluation rows; None before they are sealed."""
        return self._md5(evaluation_path(dataset))

    def sealed_seq(self, dataset: str) -> int:
        """The number of the log's entry that sealed the evaluation; 0 before it is sealed."""
        return max(
            (entry.seq for entry in self.entries if entry.event == "seal" and entry.dataset == dataset), default=0
        )

    def exclusions_md5(self, dataset: str) -> str | None:
        """DVC's name for the exclusions of the latest release; None before the first."""
        return self._md5(exclusions_path(dataset))

    def dvc_md5(self, dataset: str) -> str:
        """`<md5>.dir` as DVC computes it for a directory that holds exactly this dataset's data."""
        paths = [data_path(contribution.id) for contribution in self.contributions(dataset)]
        paths += [evaluation_path(dataset), exclusions_path(dataset)]
        return directory_md5({path: md5 for path in paths if (md5 := self._md5(path))})

    def _contribution(self, entry: Entry) -> Contribution:
        path = meta_path(entry.subject)
        try:
            meta = parse_yaml(self.tree[path])
            md5 = pointer_md5(self.tree[data_path(entry.subject) + POINTER], path)
            return Contribution(**meta, md5=md5, seq=self.place(entry))
        except (KeyError, TypeError, ValueError, yaml.YAMLError) as error:
            raise IntegrityError(f"contributions/{entry.subject}: its meta or pointer is missing or damaged") from error

    def _model(self, path: str, model: type[Model]) -> Model:
        try:
            return model.model_validate(parse_yaml(self.tree[path]))
        except (yaml.YAMLError, ValueError) as error:
            raise IntegrityError(f"{path}: not what Tribute wrote there; restore the file") from error

    def _md5(self, path: str) -> str | None:
        pointer = self.tree.get(path + POINTER)
        return None if pointer is None else pointer_md5(pointer, path + POINTER)
