"""The registry of contributions: who contributed which rows, in which order, and which versions were released.

Every method that writes is a transaction: all of it is recorded, or nothing. Releases, withdrawals, decisions and
keys are functions of their own modules that take a registry.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tribute.contributions.intake.ingest import LINES_SHOWN, ingest
from tribute.contributions.intake.submissions import (
    CheckedSubmission,
    Submission,
    check_submission,
    meta_yaml,
    refuse_look_alikes,
    without_repeats,
)
from tribute.contributions.registry.dvc_remote import POINTER
from tribute.contributions.registry.head_signature import KEYS, registry_key, sign_head
from tribute.contributions.registry.identity import signature_of
from tribute.contributions.registry.log import LEDGER, LedgerRecord, append, dump, head, load
from tribute.contributions.registry.paths import data_path, evaluation_path, meta_path, policy_path, schema_path
from tribute.contributions.registry.reader import RegistryReader
from tribute.contributions.registry.repository import Repository
from tribute.contributions.registry.snapshot import Contribution, Snapshot, promise_of
from tribute.contributions.rows import Row, contributed, recorded_rows
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening import contamination
from tribute.contributions.screening.findings import Screening
from tribute.contributions.screening.policy import ScreeningPolicy
from tribute.digests import file_sha256
from tribute.errors import RegistryError
from tribute.formatting import counted
from tribute.workspace import Workspace

Report = Callable[[Snapshot, Sequence[tuple[Contribution, CheckedSubmission]]], object]
"""Called with the registry after a contribution, and each contribution with what was read."""


def no_report(_now: Snapshot, _recorded: Sequence[tuple[Contribution, CheckedSubmission]]) -> None:
    """The report of a caller who wants none."""


class Registry(RegistryReader):
    """The registry of one workspace. Open one with `Registry.open`, make one with `Registry.create`."""

    @classmethod
    def create(cls, workspace: Workspace, remote: str = "", origin: str = "") -> "Registry":
        """Make an empty registry, or open the one that is there.

        `remote` is a folder or URL (ssh://, s3://) for the data instead of the workspace's own folder; `origin` an
        empty git repository through which several stewards share the registry. Raises RegistryError where either is
        given for a registry that exists.
        """
        if (workspace.registry / LEDGER).exists():
            if remote or origin:
                option = "--origin" if origin else "--remote"
                raise RegistryError(
                    f"{workspace.registry} exists already, so {option} would change nothing; "
                    "give it when you make the workspace, or edit .dvc/config and `git remote` there"
                )
            return cls.open(workspace)
        workspace.remote.mkdir(exist_ok=True)
        # Other clones lie elsewhere, so they need the absolute path of the data.
        url = remote or (str(workspace.remote) if origin else "")
        repository = Repository.create(workspace.registry, workspace.remote, LEDGER, url, origin)
        return cls(repository, workspace.keys)

    @classmethod
    def clone(cls, workspace: Workspace, origin: str) -> "Registry":
        """A registry that others share, in a workspace that has none. Raises RegistryError."""
        cls.refuse_clone(workspace.root, origin)
        repository = Repository.clone(workspace.registry, workspace.remote, origin)
        if not (workspace.registry / LEDGER).exists():
            raise RegistryError(f"{origin} is not a registry of Tribute; `tribute init --origin` makes one")
        return cls(repository, workspace.keys)

    @staticmethod
    def refuse_clone(root: Path, origin: str) -> None:
        """Raise RegistryError where a workspace already has a registry."""
        if (root / "registry").exists():
            raise RegistryError(f"{root / 'registry'} exists already; clone {origin} into a new workspace")

    @classmethod
    def open(cls, workspace: Workspace, *, dry_run: bool = False) -> "Registry":
        """Open the registry. Raises RegistryError where the workspace has none.

        With `dry_run` its transactions check everything and leave nothing.
        """
        if not (workspace.registry / ".git").exists():
            raise RegistryError(f"{workspace.registry} is not a registry; run `tribute init {workspace.root}` first")
        return cls(Repository(workspace.registry, workspace.remote, dry_run=dry_run), workspace.keys)

    def sync(self) -> None:
        """Fetch what other stewards recorded; does nothing where the registry is not shared."""
        with self.repository.lock():
            self.repository.sync()

    def declare(self, schema: DatasetSchema) -> None:
        """Record a dataset's schema; a second time changes nothing. Raises RegistryError for another schema."""
        path = schema_path(schema.name)

        def body() -> None:
            now = self.snapshot()
            _refuse_other_schema(now, schema)
            if path not in now.tree:
                self.repository.write(path, schema.to_yaml().encode())
                self.record(LedgerRecord("declare", schema.name, schema.name, [path]))

        self.repository.transact(f"Declare {schema.name}", body)

    def set_policy(self, dataset: str, policy: ScreeningPolicy, by: str, why: str) -> None:
        """Record a dataset's screening policy; it applies from the next release on."""
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

        Raises ContributionError for the first file with faults.
        """
        with self.repository.staging() as folder:
            return self._checked(submissions, folder, schema)

    def contribute(self, submissions: Iterable[Submission], report: Report = no_report) -> list[Contribution]:
        """Record submissions in their order; a contribution that is recorded already is returned as it stands.

        Each file is read once. One bad file, and none is recorded. `report` gets what was recorded while the rows
        are still at hand. Raises ContributionError naming file and line.
        """
        with self.repository.staging() as folder:
            checked = self._checked(submissions, folder)
            datasets = ", ".join({submission.submission.dataset: 1 for submission in checked})
            self.repository.transact(f"Contribute to {datasets}", lambda: self._record_new(checked))
            now = self.snapshot()
            recorded = [_same_rows(now.recorded(submission.id), submission) for submission in checked]
            report(now, list(zip(recorded, checked, strict=True)))
            return recorded

    def seal_evaluation(self, dataset: str, evaluation: Path | Submission) -> int:
        """Record the rows that measure every version released from now on; returns how many there are.

        Where the screening policy has `sealed_later`, raises RegistryError for rows as near to rows of any earlier
        evaluation as contributed rows may not be.
        """
        path = evaluation_path(dataset)
        schema = self.snapshot().schema(dataset)
        given = Submission(evaluation, "", dataset, "") if isinstance(evaluation, Path) else evaluation
        with self.repository.staging() as folder:
            result = ingest(given.file, schema, folder, given.columns, format_=given.format)

            def body() -> None:
                sealed = [entry for entry in self.entries() if entry.event == "seal" and entry.dataset == dataset]
                if not sealed or sealed[-1].details["sha256"] != result.sha256:
                    self._refuse_sealed_before(dataset, recorded_rows(result.data, schema))
                    self.repository.add({path: result.data})
                    details = {"rows": result.rows, "sha256": result.sha256}
                    self.record(LedgerRecord("seal", dataset, dataset, [path + POINTER], details))

            self.repository.transact(f"Seal the evaluation of {dataset}", body)
            return result.rows

    def _refuse_sealed_before(self, dataset: str, rows: Iterable[Row]) -> None:
        now = self.snapshot()
        schema, policy = now.schema(dataset), now.policy(dataset)
        if not policy.sealed_later:
            return
        screening = Screening(contributed("", "", rows), self.rows_ever_sealed(now, dataset), schema, policy)
        if again := sorted({finding.row.row.line for finding in contamination.CHECK.find(screening)}):
            lines = ", ".join(map(str, again[:LINES_SHOWN])) + (", …" if len(again) > LINES_SHOWN else "")
            raise RegistryError(
                f"found {counted(len(again), 'row')} too close to rows that were sealed before, which contributors may "
                f"know, in line {lines}; seal new rows only, or turn `sealed_later` off in the screening policy of "
                f"{dataset}"
            )

    def record(self, *records: LedgerRecord) -> None:
        """Append entries to the log; only inside a transaction."""
        file = self.repository.root / LEDGER
        entries = load(file.read_bytes())
        for record in records:
            files = {path: file_sha256(self.repository.root / path) for path in record.written}
            files |= dict.fromkeys(record.removed, "")
            entries = append(entries, record.event, record.dataset, record.subject, files, record.details)
        file.write_bytes(dump(entries))

    def sign_head(self) -> None:
        """Sign the head of the log with the registry's key; only inside a transaction."""
        if self.repository.dry_run:
            return
        is_new = not (self.repository.root / KEYS).exists()
        key = registry_key(self.keys, make=is_new)
        sign_head(self.repository, key, head(load((self.repository.root / LEDGER).read_bytes())))

    def _checked(
        self, submissions: Iterable[Submission], folder: Path, schema: DatasetSchema | None = None
    ) -> list[CheckedSubmission]:
        now, checked, today = self.snapshot(), list[CheckedSubmission](), datetime.now(UTC).date()
        if schema is not None:
            _refuse_other_schema(now, schema)
        for number, submission in enumerate(submissions):
            place = folder / str(number)
            place.mkdir()
            declared = schema if schema and schema.name == submission.dataset else now.schema(submission.dataset)
            checked.append(check_submission(submission, declared, place, today))
        for submitted in checked:
            _refuse_reveal(now, submitted)
        refuse_look_alikes([submission.submission.contributor_id for submission in checked], now.contributors())
        return checked

    def _record_new(self, checked: Sequence[CheckedSubmission]) -> None:
        now = self.snapshot()
        new = [submission for submission in without_repeats(checked) if submission.id not in now.live]
        if not new:
            return
        self.repository.add({data_path(submission.id): submission.intake.data for submission in new})
        for submission in new:
            self.repository.write(meta_path(submission.id), meta_yaml(_signed_meta(now, submission)))
        self.record(*(_contributed(submission) for submission in new))


def _signed_meta(now: Snapshot, checked: CheckedSubmission) -> dict[str, Any]:
    meta, key = checked.meta(), checked.submission.key
    return meta if key is None else meta | {"signature": signature_of(now.tree, meta, key)}


def _contributed(checked: CheckedSubmission) -> LedgerRecord:
    files = [meta_path(checked.id), data_path(checked.id) + POINTER]
    details = {"contributor_id": checked.submission.contributor_id, "rows": checked.rows, "sha256": checked.sha256}
    if checked.opening:
        # With the salt anybody who has the rows can compute the root again. It tells nothing new: sha256 is over them.
        details |= {"commitment": checked.opening.root, "salt": checked.opening.salt}
    return LedgerRecord("contribute", checked.submission.dataset, checked.id, files, details)


def _refuse_reveal(now: Snapshot, checked: CheckedSubmission) -> None:
    """Raise RegistryError unless the log has the commitment that is revealed, by this contributor, of these rows."""
    given, opening = checked.submission, checked.opening
    if opening is None:
        return
    committed = now.commitments.get(opening.root)
    if committed is None:
        raise RegistryError(
            f"{given.opening}: commitment {opening.root} is not in the registry's log; "
            "record it with `tribute commit` first, or leave --reveal out"
        )
    promised, revealed = promise_of(committed), (given.contributor_id, given.dataset, checked.rows)
    if promised != revealed:
        raise RegistryError(
            f"{given.opening}: log entry {committed.seq} is the commitment of {_in_words(promised)}, found "
            f"{_in_words(revealed)}; reveal it as it was committed, or leave --reveal out"
        )
    recorded = now.live.get(checked.id)
    if recorded is not None and recorded.details.get("commitment") != opening.root:
        tag = now.released_since(committed)
        remedy = (
            f"the commitment has lost its place to the release of {tag}, so leave --reveal out"
            if tag
            else f"before the next release, `tribute withdraw {checked.id}` and contribute it again with --reveal"
        )
        raise RegistryError(f"{given.file}: recorded already, without --reveal, in log entry {recorded.seq}; {remedy}")


def _in_words(promise: tuple[str, str, int]) -> str:
    contributor, dataset, rows = promise
    return f"{contributor} to {counted(rows, 'row')} of {dataset}"


def _refuse_other_schema(now: Snapshot, schema: DatasetSchema) -> None:
    if schema_path(schema.name) in now.tree and now.schema(schema.name) != schema:
        raise RegistryError(f"dataset {schema.name} is declared already with another schema; choose another name")


def _same_rows(recorded: Contribution | None, checked: CheckedSubmission) -> Contribution:
    if recorded is None or recorded.sha256 != checked.sha256:
        raise RegistryError(
            f"{checked.submission.file}: contribution {checked.id} is recorded with other content; "
            "change a row so that the two get different ids"
        )
    return recorded
