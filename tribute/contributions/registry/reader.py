"""Reading a registry: its log, its state at any commit, the released versions and the rows."""

from collections.abc import Iterable
from pathlib import Path

from tribute.contributions.normal_form import NORMAL_FORM
from tribute.contributions.registry.dvc_remote import POINTER, pointer_md5
from tribute.contributions.registry.log import LEDGER, Entry, load
from tribute.contributions.registry.paths import EVALUATION, evaluation_path
from tribute.contributions.registry.repository import Repository
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.registry.versions import FIGURES, Version
from tribute.contributions.rows import ContributedRow, Row, contributed, recorded_rows
from tribute.contributions.schema import DatasetSchema
from tribute.errors import RegistryError
from tribute.ids import parse_tag


class RegistryReader:
    """The questions that a registry answers; `keys` is the folder of the workspace's private keys."""

    def __init__(self, repository: Repository, keys: Path) -> None:
        self.repository = repository
        self.keys = keys

    def snapshot(self, revision: str = "HEAD") -> Snapshot:
        """What the registry says now, or said at a commit or tag."""
        return Snapshot.of(self.repository.tree(revision))

    def entries(self, revision: str = "HEAD") -> list[Entry]:
        """The log as of the last commit, or as of a commit or tag, and nothing else."""
        return load(self.repository.file(LEDGER, revision))

    def versions(self, dataset: str | None = None) -> list[Version]:
        """The released versions of a dataset, or of all datasets, in the order of their release."""
        tags = {tag.name: tag for tag in self.repository.tags()}
        versions = []
        for entry in self.entries():
            if entry.event == "release" and dataset in (None, entry.dataset) and (tag := tags.get(entry.subject)):
                figures = {key: value for key, value in entry.details.items() if key in FIGURES}
                versions.append(Version(entry.subject, *parse_tag(entry.subject), tag.commit, tag.time, **figures))
        return versions

    def version(self, tag: str) -> Version:
        """One released version. Raises RegistryError listing those that exist."""
        parse_tag(tag)
        versions = self.versions()
        for version in versions:
            if version.tag == tag:
                return version
        known = ", ".join(version.tag for version in versions) or "none yet"
        raise RegistryError(
            f"there is no version {tag}; released versions: {known}. Run `tribute release {tag}` to make it"
        )

    def rows(self, at: Snapshot, dataset: str, form: int = NORMAL_FORM) -> list[ContributedRow]:
        """Every contributed row of a dataset, in the order of the log, then of the lines."""
        schema = at.schema(dataset)
        return [row for contribution in at.contributions(dataset) for row in self.rows_of(contribution, schema, form)]

    def rows_of(
        self, contribution: Contribution, schema: DatasetSchema, form: int = NORMAL_FORM
    ) -> list[ContributedRow]:
        """The rows of one contribution, hashed in a normal form."""
        return contributed(contribution.id, contribution.contributor_id, self._read(contribution.md5, schema), form)

    def evaluation_rows(self, at: Snapshot, dataset: str, form: int = NORMAL_FORM) -> list[ContributedRow]:
        """The sealed evaluation rows, which belong to no contributor. Raises RegistryError before the sealing."""
        md5 = at.evaluation_md5(dataset)
        if md5 is None:
            raise RegistryError(
                f"dataset {dataset} has no evaluation rows; seal a file of them: `tribute contribute --evaluation`"
            )
        return contributed(EVALUATION, "", self._read(md5, at.schema(dataset)), form)

    def rows_ever_sealed(self, at: Snapshot, dataset: str) -> list[ContributedRow]:
        """The rows of every evaluation that the dataset ever had, less those whose bytes were erased."""
        pointer = evaluation_path(dataset) + POINTER
        commits = self.repository.git("log", "--format=%H", "--", pointer).decode().split()
        md5s = {pointer_md5(self.repository.file(pointer, commit), pointer): None for commit in commits}
        schema, erased = at.schema(dataset), at.erased_md5s()
        return [
            row for md5 in md5s if md5 not in erased for row in contributed(EVALUATION, "", self._read(md5, schema))
        ]

    def _read(self, md5: str, schema: DatasetSchema) -> Iterable[Row]:
        return recorded_rows(self.repository.object(md5), schema)
