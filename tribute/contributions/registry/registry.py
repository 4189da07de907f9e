"""The registry of contributions: what was handed in, in which order, and which versions were released.

Every method that writes is a transaction: all of it is recorded, or nothing. What else is done with a registry
(releases, withdrawals, decisions, keys) are functions of their own modules that take it.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tribute.contributions.intake.ingest import ingest
from tribute.contributions.intake.submissions import (
    CheckedSubmission,
    Submission,
    check_submission,
    meta_yaml,
    refuse_look_alikes,
    without_repeats,
)
from tribute.contributions.registry import head_signature, log
from tribute.contributions.registry.identity import signature_of
from tribute.contributions.registry.log import LedgerRecord
from tribute.contributions.registry.paths import (
    EVALUATION,
    data_path,
    evaluation_path,
    meta_path,
    policy_path,
    schema_path,
)
from tribute.contributions.registry.repository import POINTER, Repository
from tribute.contributions.registry.snapshot import Contribution, Snapshot
from tribute.contributions.registry.versions import Version
from tribute.contributions.rows import ContributedRow, Row, contributed, recorded_rows
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening.policy import ScreeningPolicy
from tribute.digests import file_sha256
from tribute.errors import RegistryError
from tribute.ids import parse_tag
from tribute.workspace import Workspace

Report = Callable[[Snapshot, Sequence[tuple[Contribution, CheckedSubmission]]], object]
"""Called with the registry after a contribution, and each contribution with what was read."""


def nothing(_now: Snapshot, _recorded: Sequence[tuple[Contribution, CheckedSubmission]]) -> None:
    """The report of somebody who wants none."""


class Registry:
    """The registry of one workspace. Open one with `Registry.open`, make one with `Registry.create`."""

    def __init__(self, repository: Repository, keys: Path) -> None:
        self.repository = repository
        self.keys = keys

    @classmethod
    def create(cls, workspace: Workspace, remote: str = "", origin: str = "") -> "Registry":
        """Make an empty registry, or open the one that is there.

        `remote` is a folder or URL (ssh://, s3://) for the data instead of the workspace's own folder; `origin` an
        empty git repository through which several stewards share the registry.
        """
        if (workspace.registry / log.LEDGER).exists():
            return cls.open(workspace)
        workspace.remote.mkdir(exist_ok=True)
        # Other clones lie elsewhere: for them the data's place has to be absolute.
        place = remote or (str(workspace.remote) if origin else "")
        made = Repository.create(workspace.registry, workspace.remote, log.LEDGER, place, origin)
        return cls(made, workspace.keys)

    @classmethod
    def clone(cls, workspace: Workspace, origin: str) -> "Registry":
        """A registry that others share, in a workspace that has none. Raises RegistryError."""
        cls.refuse_clone(workspace.root, origin)
        made = Repository.clone(workspace.registry, workspace.remote, origin)
        if not (workspace.registry / log.LEDGER).exists():
            raise RegistryError(f"{origin} is no registry of Tribute; `tribute init --origin` makes one")
        return cls(made, workspace.keys)

    @staticmethod
    def refuse_clone(root: Path, origin: str) -> None:
        """Raise RegistryError where a workspace has a registry already."""
        if (root / "registry").exists():
            raise RegistryError(f"{root / 'registry'} is there already; clone {origin} into a new workspace")

    @classmethod
    def open(cls, workspace: Workspace) -> "Registry":
        """Open the registry. Raises RegistryError where the workspace has none."""
        if not (workspace.registry / ".git").exists():
            raise RegistryError(f"{workspace.registry} is no registry; run `tribute init {workspace.root}` first")
        return cls(Repository(workspace.registry, workspace.remote), workspace.keys)

    def sync(self) -> None:
        """See what other stewards recorded; nothing to do where the registry is not shared."""
        with self.repository.lock():
            self.repository.sync()

    def snapshot(self, revision: str = "HEAD") -> Snapshot:
        """What the registry says now, or said at a commit or tag."""
        return Snapshot.of(self.repository.tree(revision))

    def entries(self) -> list[log.Entry]:
        """The ledger as of the last commit, without all else."""
        return log.load(self.repository.file(log.LEDGER))

    def declare(self, schema: DatasetSchema) -> None:
        """Record a dataset's schema; again changes nothing. Raises RegistryError for another schema."""
        path = schema_path(schema.name)

        def body() -> None:
            now = self.snapshot()
            _same_schema(now, schema)
            if path not in now.tree:
                self.repository.write(path, schema.to_yaml().encode())
                self.record(LedgerRecord("declare", schema.name, schema.name, [path]))

        self.repository.transact(f"Declare {schema.name}", body)

    def set_policy(self, dataset: str, policy: ScreeningPolicy, by: str, why: str) -> None:
        """Record a dataset's screening policy; it holds from the next release on."""
        path = policy_path(dataset)

        def body() -> None:
            now = self.snapshot()
            now.schema(dataset)
            if path not in now.tree or now.policy(dataset) != policy:
                self.repository.write(path, policy.to_yaml().encode())
                self.record(LedgerRecord("policy", dataset, dataset, [path], {"by": by, "why": why}))

        self.repository.transact(f"Set the screening policy of {dataset}", body)

    def check(self, submissions: Iterable[Submission], schema: DatasetSchema | None = None) -> list[CheckedSubmission]:
        """What `contribute` would accept, not recorded; `schema` is one that would be declared first.

        Raises ContributionError for the first fault.
        """
        with self.repository.staging() as folder:
            return self._checked(submissions, folder, schema)

    def contribute(self, submissions: Iterable[Submission], report: Report = nothing) -> list[Contribution]:
        """Record submissions in their order; what is recorded already is found, not doubled.

        Each file is read once; one bad file and none is recorded. `report` gets what was recorded while the rows
        are still at hand. Raises ContributionError naming file and line.
        """
        with self.repository.staging() as folder:
            checked = self._checked(submissions, folder)
            datasets = ", ".join({one.submission.dataset: 1 for one in checked})
            self.repository.transact(f"Contribute to {datasets}", lambda: self._take_in(checked))
            now = self.snapshot()
            recorded = [_same_rows(now.recorded(one.id), one) for one in checked]
            report(now, list(zip(recorded, checked, strict=True)))
            return recorded

    def seal_evaluation(self, dataset: str, evaluation: Path | Submission) -> int:
        """Record the rows that versions released from now on are measured with; returns how many there are."""
        path = evaluation_path(dataset)
        schema = self.snapshot().schema(dataset)
        file, columns = (evaluation, None) if isinstance(evaluation, Path) else (evaluation.file, evaluation.columns)
        with self.repository.staging() as folder:
            taken = ingest(file, schema, folder, columns)

            def body() -> None:
                sealed = [one for one in self.entries() if one.event == "seal" and one.dataset == dataset]
                if not sealed or sealed[-1].details["sha256"] != taken.sha256:
                    self.repository.add({path: taken.data})
                    details = {"rows": taken.rows, "sha256": taken.sha256}
                    self.record(LedgerRecord("seal", dataset, dataset, [path + POINTER], details))

            self.repository.transact(f"Seal the evaluation of {dataset}", body)
            return taken.rows

    def versions(self, dataset: str | None = None) -> list[Version]:
        """The released versions, in the order of their release."""
        return released_versions(self, dataset)

    def version(self, tag: str) -> Version:
        """One released version. Raises RegistryError listing those that exist."""
        parse_tag(tag)
        versions = self.versions()
        for version in versions:
            if version.tag == tag:
                return version
        known = ", ".join(version.tag for version in versions) or "none yet"
        raise RegistryError(f"there is no version {tag}; released are: {known}; `tribute release {tag}` makes it")

    def rows(self, at: Snapshot, dataset: str) -> list[ContributedRow]:
        """Every contributed row of a dataset, in the order of the ledger, then of the lines."""
        schema = at.schema(dataset)
        return [row for one in at.contributions(dataset) for row in self.rows_of(one, schema)]

    def rows_of(self, one: Contribution, schema: DatasetSchema) -> list[ContributedRow]:
        """The rows of one contribution."""
        return contributed(one.id, one.contributor_id, self._read(one.md5, schema))

    def evaluation_rows(self, at: Snapshot, dataset: str) -> list[ContributedRow]:
        """The sealed evaluation rows, of no contributor. Raises RegistryError before the sealing."""
        md5 = at.evaluation_md5(dataset)
        if md5 is None:
            raise RegistryError(f"dataset {dataset} has no evaluation rows; seal an evaluation file first")
        return contributed(EVALUATION, "", self._read(md5, at.schema(dataset)))

    def record(self, *news: LedgerRecord) -> None:
        """Append to the ledger what was written; only inside a transaction."""
        file = self.repository.root / log.LEDGER
        entries = log.load(file.read_bytes())
        for one in news:
            files = {path: file_sha256(self.repository.root / path) for path in one.written}
            files |= dict.fromkeys(one.removed, "")
            entries = log.append(entries, one.event, one.dataset, one.subject, files, one.details)
        file.write_bytes(log.dump(entries))

    def seal(self) -> None:
        """Sign the ledger's head with the registry's key; only inside a transaction."""
        if self.repository.rehearsing:
            return
        is_new = not (self.repository.root / head_signature.KEYS).exists()
        key = head_signature.own_key(self.keys, make=is_new)
        head_signature.seal(self.repository, key, log.head(log.load((self.repository.root / log.LEDGER).read_bytes())))

    def _checked(
        self, submissions: Iterable[Submission], folder: Path, schema: DatasetSchema | None = None
    ) -> list[CheckedSubmission]:
        now, checked = self.snapshot(), []
        if schema is not None:
            _same_schema(now, schema)
        for number, one in enumerate(submissions):
            own = folder / str(number)
            own.mkdir()
            declared = schema if schema and schema.name == one.dataset else now.schema(one.dataset)
            checked.append(check_submission(one, declared, own))
        refuse_look_alikes([one.submission.contributor_id for one in checked], now.contributors())
        return checked

    def _take_in(self, checked: Sequence[CheckedSubmission]) -> None:
        now = self.snapshot()
        new = [one for one in without_repeats(checked) if one.id not in now.live]
        if not new:
            return
        self.repository.add({data_path(one.id): one.taken.data for one in new})
        for one in new:
            self.repository.write(meta_path(one.id), meta_yaml(self._signed(now, one)))
        self.record(*(_contributed(one) for one in new))

    def _signed(self, now: Snapshot, one: CheckedSubmission) -> dict[str, Any]:
        meta, key = one.meta(), one.submission.key
        return meta if key is None else meta | {"signature": signature_of(now.tree, meta, key)}

    def _read(self, md5: str, schema: DatasetSchema) -> Iterable[Row]:
        return recorded_rows(self.repository.object(md5), schema)


def _contributed(one: CheckedSubmission) -> LedgerRecord:
    files = [meta_path(one.id), data_path(one.id) + POINTER]
    details = {"contributor_id": one.submission.contributor_id, "rows": one.rows, "sha256": one.sha256}
    return LedgerRecord("contribute", one.submission.dataset, one.id, files, details)


def _same_schema(now: Snapshot, schema: DatasetSchema) -> None:
    if schema_path(schema.name) in now.tree and now.schema(schema.name) != schema:
        raise RegistryError(f"dataset {schema.name} is declared already with another schema; choose another name")


def _same_rows(found: Contribution | None, checked: CheckedSubmission) -> Contribution:
    if found is None or found.sha256 != checked.sha256:
        raise RegistryError(
            f"{checked.submission.file}: contribution {checked.id} is recorded with other content; "
            "change a row so that the two get different ids"
        )
    return found


def released_versions(registry: "Registry", dataset: str | None) -> list[Version]:
    """The released versions, in the order of their release."""
    tags = {tag.name: tag for tag in registry.repository.tags()}
    found = []
    for entry in registry.entries():
        if entry.event == "release" and dataset in (None, entry.dataset) and (tag := tags.get(entry.subject)):
            figures = {key: value for key, value in entry.details.items() if key in FIGURES}
            found.append(Version(entry.subject, *parse_tag(entry.subject), tag.commit, tag.time, **figures))
    return found


FIGURES = ("contributions", "contributors", "rows", "excluded")
