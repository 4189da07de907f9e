"""The registry of contributions: what was handed in, in which order, and which versions were released.

Every method that writes is a transaction: all of it is recorded, or nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tribute.artifacts import file_sha256
from tribute.contributions import ledger, screening, tables
from tribute.contributions.repository import POINTER, Repository
from tribute.contributions.rows import Row, read_jsonl
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.snapshot import (
    EVALUATION,
    Contribution,
    Snapshot,
    data_path,
    evaluation_path,
    exclusions_path,
    meta_path,
    schema_path,
)
from tribute.contributions.submissions import Checked, Submission, check_submission, without_repeats
from tribute.contributions.verification import Verification, verify
from tribute.contributions.versions import Version, release_message, split_tag
from tribute.errors import ContributionError, RegistryError
from tribute.workspace import Workspace


class Registry:
    """The registry of one workspace. Open one with `Registry.open`, make one with `Registry.create`."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    @classmethod
    def create(cls, workspace: Workspace) -> "Registry":
        """Make an empty registry, or open the one that is there."""
        if (workspace.registry / ledger.LEDGER).exists():
            return cls.open(workspace)
        workspace.remote.mkdir(exist_ok=True)
        return cls(Repository.create(workspace.registry, workspace.remote, ledger.LEDGER))

    @classmethod
    def open(cls, workspace: Workspace) -> "Registry":
        """Open the registry. Raises RegistryError where the workspace has none."""
        if not (workspace.registry / ".git").exists():
            raise RegistryError(f"{workspace.registry} is no registry; run `tribute init {workspace.root}` first")
        return cls(Repository(workspace.registry, workspace.remote))

    def snapshot(self, revision: str = "HEAD") -> Snapshot:
        """What the registry says now, or said at a commit or tag."""
        return Snapshot.of(self.repository.tree(revision))

    def declare(self, schema: DatasetSchema) -> None:
        """Record a dataset's schema; again changes nothing. Raises RegistryError for another schema."""
        path = schema_path(schema.name)
        with self.repository.transaction(f"Declare {schema.name}"):
            now = self.snapshot()
            _same_schema(now, schema)
            if path not in now.tree:
                self.repository.write(path, schema.to_yaml().encode())
                self._record("declare", schema.name, schema.name, [path], {})

    def check(self, submissions: Iterable[Submission], schema: DatasetSchema | None = None) -> list[Checked]:
        """What `contribute` would accept, not recorded; `schema` is one that would be declared first.

        Raises ContributionError for the first fault.
        """
        now, submissions = self.snapshot(), list(submissions)
        if schema is not None:
            _same_schema(now, schema)
        return [
            check_submission(one, schema if schema and schema.name == one.dataset else now.schema(one.dataset))
            for one in submissions
        ]

    def contribute(self, submissions: Iterable[Submission]) -> list[Contribution]:
        """Record submissions in their order; what is recorded already is found, not doubled.

        One bad file and none is recorded. Raises ContributionError naming file and line.
        """
        checked = self.check(submissions)
        with self.repository.transaction(f"Contribute to {', '.join({one.submission.dataset: 1 for one in checked})}"):
            now = self.snapshot()
            self._take_in([one for one in without_repeats(checked) if now.recorded(one.id) is None])
        now = self.snapshot()
        return [_same_file(now.recorded(one.id), one) for one in checked]

    def seal_evaluation(self, dataset: str, file: Path) -> None:
        """Record the rows that versions released from now on are measured with."""
        rows, digest = len(read_jsonl(file, self.snapshot().schema(dataset))), file_sha256(file)
        path = evaluation_path(dataset)
        with self.repository.transaction(f"Seal the evaluation of {dataset}"):
            sealed = [one for one in self.snapshot().entries if one.event == "seal" and one.dataset == dataset]
            if not sealed or sealed[-1].details["sha256"] != digest:
                self.repository.track([self.repository.copy(file, path)])
                self._record("seal", dataset, dataset, [path + POINTER], {"rows": rows, "sha256": digest})

    def screen(self, dataset: str) -> list[screening.Exclusion]:
        """The rows that a release would exclude now, and why."""
        now = self.snapshot()
        return screening.screen(self.rows(now, dataset), self.evaluation_rows(now, dataset), now.schema(dataset))

    def check_release(self, tag: str) -> list[screening.Exclusion]:
        """The rows that releasing `tag` would exclude. Raises RegistryError where it would be refused."""
        dataset, _ = split_tag(tag)
        self._refuse_release(tag, dataset)
        return self.screen(dataset)

    def release(self, tag: str) -> Version:
        """Screen the dataset and tag it as a version. Raises RegistryError where the tag exists."""
        dataset, _ = split_tag(tag)
        if self._was_cut(tag):
            return self.version(tag)
        path = exclusions_path(dataset)
        with self.repository.transaction(release_message(tag), tag):
            self._refuse_release(tag, dataset)
            exclusions = self.screen(dataset)
            tables.write_exclusions(self.repository.root / path, exclusions)
            self.repository.track([self.repository.root / path])
            self._record("release", dataset, tag, [path + POINTER], self._figures(dataset, len(exclusions)))
            # Pushed before the tag exists: whoever finds the tag finds the data.
            self.repository.push()
        return self.version(tag)

    def versions(self, dataset: str | None = None) -> list[Version]:
        """The released versions, in the order of their release."""
        tags = {tag.name: tag for tag in self.repository.tags()}
        return [
            Version(entry.subject, *split_tag(entry.subject), tag.commit, tag.time, **entry.details)
            for entry in self.snapshot().entries
            if entry.event == "release" and dataset in (None, entry.dataset) and (tag := tags.get(entry.subject))
        ]

    def version(self, tag: str) -> Version:
        """One released version. Raises RegistryError listing those that exist."""
        split_tag(tag)
        versions = self.versions()
        for version in versions:
            if version.tag == tag:
                return version
        known = ", ".join(version.tag for version in versions) or "none yet"
        raise RegistryError(f"there is no version {tag}; released are: {known}; `tribute release {tag}` makes it")

    def rows(self, at: Snapshot, dataset: str) -> list[screening.ContributedRow]:
        """Every contributed row of a dataset, in the order of the ledger, then of the lines."""
        schema = at.schema(dataset)
        return [
            row
            for one in at.contributions(dataset)
            for row in screening.contributed(one.id, one.contributor_id, self._read(one.md5, schema, one.id))
        ]

    def evaluation_rows(self, at: Snapshot, dataset: str) -> list[screening.ContributedRow]:
        """The sealed evaluation rows, of no contributor. Raises RegistryError before the sealing."""
        md5 = at.evaluation_md5(dataset)
        if md5 is None:
            raise RegistryError(f"dataset {dataset} has no evaluation rows; seal an evaluation file first")
        return screening.contributed(EVALUATION, "", self._read(md5, at.schema(dataset), evaluation_path(dataset)))

    def verify(self) -> Verification:
        """Walk ledger, files, data and tags. Raises IntegrityError naming the first thing that is wrong."""
        return verify(self.repository)

    def _take_in(self, new: Sequence[Checked]) -> None:
        copies = [self.repository.copy(one.submission.file, data_path(one.id)) for one in new]
        for one, copy in zip(new, copies, strict=True):
            if file_sha256(copy) != one.sha256:
                raise ContributionError(f"{one.submission.file}: changed while it was taken in; hand it in again")
        self.repository.track(copies)
        for one in new:
            self.repository.write(meta_path(one.id), one.meta())
            files = [meta_path(one.id), data_path(one.id) + POINTER]
            details = {
                "contributor_id": one.submission.contributor_id,
                "rows": one.rows,
                "sha256": one.sha256,
            }
            self._record("contribute", one.submission.dataset, one.id, files, details)

    def _refuse_release(self, tag: str, dataset: str) -> None:
        now = self.snapshot()
        now.schema(dataset)
        if any(entry.event == "release" and entry.subject == tag for entry in now.entries):
            raise RegistryError(f"version {tag} is released already and never changes; choose the next number")
        if not now.contributions(dataset):
            raise RegistryError(f"dataset {dataset} has no contributions; `tribute contribute` some first")

    def _was_cut(self, tag: str) -> bool:
        """Was the release recorded and not tagged? Then it is tagged now."""
        before = {one.name for one in self.repository.tags()}
        released = {entry.subject for entry in self.snapshot().entries if entry.event == "release"}
        if tag in before or tag not in released:
            return False
        with self.repository.lock():
            # Taking the lock finishes what was killed; what is missing still was removed by hand.
            if tag not in {one.name for one in self.repository.tags()}:
                self.repository.tag(tag, release_message(tag))
        return True

    def _figures(self, dataset: str, excluded: int) -> dict[str, Any]:
        contributions = self.snapshot().contributions(dataset)
        return {
            "contributions": len(contributions),
            "contributors": len({one.contributor_id for one in contributions}),
            "rows": sum(one.rows for one in contributions),
            "excluded": excluded,
        }

    def _read(self, md5: str, schema: DatasetSchema, name: str) -> list[Row]:
        return read_jsonl(self.repository.object(md5), schema, name)

    def _record(
        self,
        event: ledger.Event,
        dataset: str,
        subject: str,
        paths: Sequence[str],
        details: Mapping[str, Any],
    ) -> None:
        file = self.repository.root / ledger.LEDGER
        files = {path: file_sha256(self.repository.root / path) for path in paths}
        entries = ledger.append(ledger.load(file.read_bytes()), event, dataset, subject, files, details)
        file.write_bytes(ledger.dump(entries))


def _same_schema(now: Snapshot, schema: DatasetSchema) -> None:
    if schema_path(schema.name) in now.tree and now.schema(schema.name) != schema:
        raise RegistryError(f"dataset {schema.name} is declared already with another schema; choose another name")


def _same_file(found: Contribution | None, checked: Checked) -> Contribution:
    if found is None or found.sha256 != checked.sha256:
        raise RegistryError(
            f"{checked.submission.file}: contribution {checked.id} is recorded with other content; "
            "change a row so that the two get different ids"
        )
    return found
