"""Commands of the data steward: init, contribute, release, versions, fetch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tribute.commands.output import Output, Table
from tribute.config import DatasetConfig, load_config
from tribute.contributions.cards import write_receipts
from tribute.contributions.intake import CheckedSubmission, Submission
from tribute.contributions.registry import Registry, Version
from tribute.contributions.releases import check_release, release_version
from tribute.contributions.schema import load_schema
from tribute.contributions.terms import load_terms
from tribute.errors import ConfigError
from tribute.pipeline.data import is_released, take_in
from tribute.workspace import Workspace


def init(folder: Path, dry_run: bool, remote: str = "", origin: str = "") -> Output:
    """`tribute init`."""
    is_there = Workspace.is_at(folder)
    if dry_run and not is_there:
        return Output({"workspace": str(folder), "made": False}, [f"would make a workspace in {folder}"])
    if not dry_run:
        Registry.create(Workspace.create(folder), remote, origin)
    root = folder.resolve()
    line = f"{root} is a workspace already" if is_there else f"{root} is a workspace"
    return Output({"workspace": str(root), "made": not is_there}, [line])


@dataclass(frozen=True)
class Offer:
    """Who hands in files, to which dataset, and how they are to be read."""

    contributor: str
    dataset: str
    licence: str
    columns: Sequence[str] = ()
    """`COLUMN=NAME` each."""
    skip_faulty: bool = False
    terms: Path | None = None
    key: Path | None = None

    def submission(self, file: Path) -> Submission:
        """One of the files. Raises ConfigError for a mapping that is none."""
        pairs = [one.partition("=") for one in self.columns]
        if wrong := [one for one, pair in zip(self.columns, pairs, strict=True) if not (pair[0] and pair[2])]:
            raise ConfigError(f"--map {wrong[0]}: expected COLUMN=NAME, such as text=question")
        return Submission(
            file,
            self.contributor,
            self.dataset,
            self.licence,
            columns={ours: theirs for ours, _, theirs in pairs},
            skip_faulty=self.skip_faulty,
            terms=load_terms(self.terms) if self.terms else None,
            key=self.key,
        )


def contribute(
    workspace: Path, files: Sequence[Path], offer: Offer, schema: Path | None, evaluation: bool, dry_run: bool
) -> Output:
    """`tribute contribute`."""
    home = Workspace.open(workspace)
    registry = Registry.open(home)
    if evaluation and len(files) > 1:
        raise ConfigError(f"--evaluation takes one file, found {len(files)}; put all evaluation rows into one")
    declared = None if schema is None else load_schema(schema)
    submissions = [offer.submission(file) for file in files]
    if dry_run or declared is not None or evaluation:
        # Before anything is recorded: a slip in the last file must not leave the schema behind.
        checked = registry.check(submissions, declared)
        if dry_run:
            return _would_record(checked, evaluation)
    if declared is not None:
        registry.declare(declared)
    if evaluation:
        rows = registry.seal_evaluation(offer.dataset, submissions[0])
        return Output({"evaluation": offer.dataset, "rows": rows}, [f"sealed the evaluation of {offer.dataset}"])
    receipts: list[dict[str, Any]] = []
    recorded = registry.contribute(
        submissions, lambda now, those: receipts.extend(write_receipts(registry, home.receipts, now, those))
    )
    data = [
        {
            "contribution": one.id,
            "rows": one.rows,
            "ledger_seq": one.seq,
            "verdicts": receipt["verdicts"],
            "reasons": receipt["reasons"],
            "receipt": str(home.receipts / f"{one.id}.html"),
        }
        for one, receipt in zip(recorded, receipts, strict=True)
    ]
    return Output(data, [_recorded(one) for one in data])


def _recorded(one: dict[str, Any]) -> str:
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in one["verdicts"].items())
    return f"{one['contribution']}: {verdicts}; ledger entry {one['ledger_seq']}, receipt {one['receipt']}"


def release(workspace: Path, tag: str | None, config: Path | None, overrides: Sequence[str], dry_run: bool) -> Output:
    """`tribute release`."""
    home = Workspace.open(workspace)
    if (tag is None) == (config is None):
        raise ConfigError("tribute release: give either a version NAME@vX.Y.Z or --config FILE")
    if tag is None:
        return _release_of(home, load_config(Path(str(config)), overrides).dataset, dry_run)
    registry = Registry.open(home)
    if dry_run:
        excluded = check_release(registry, tag)
        return Output({"tag": tag, "excluded": len(excluded)}, [f"would release {tag}: {len(excluded)} rows excluded"])
    return _released(release_version(registry, tag))


def versions(workspace: Path) -> Output:
    """`tribute versions`."""
    found = Registry.open(Workspace.open(workspace)).versions()
    rows = [
        (
            one.tag,
            str(one.contributors),
            str(one.contributions),
            str(one.rows - one.excluded),
            str(one.excluded),
            one.commit[:12],
        )
        for one in found
    ]
    columns = ("version", "contributors", "contributions", "rows", "excluded", "commit")
    table = Table("Dataset versions", columns, rows, right=columns[1:5])
    lines = [] if found else ["no version is released yet; see `tribute release --help`"]
    return Output([asdict(one) for one in found], lines, [table] if found else [])


def fetch(dataset: str, folder: Path, dry_run: bool) -> Output:
    """`tribute fetch`."""
    from tribute.contributions.sources import fetch as download
    from tribute.contributions.sources import refuse_filled

    if dry_run:
        refuse_filled(dataset, folder)
        return Output({"dataset": dataset, "folder": str(folder)}, [f"would fetch {dataset} into {folder}"])
    path = download(dataset, folder)
    return Output({"dataset": dataset, "folder": str(path)}, [f"{dataset} is in {path}"])


def _would_record(checked: Sequence[CheckedSubmission], evaluation: bool) -> Output:
    if evaluation:
        data = [{"evaluation": one.submission.dataset, "rows": one.rows, "sha256": one.sha256} for one in checked]
        return Output(data, [f"would seal the evaluation of {one['evaluation']}: {one['rows']} rows" for one in data])
    data = [{"contribution": one.id, "rows": one.rows, "sha256": one.sha256} for one in checked]
    return Output(data, [f"would record {one['contribution']}: {one['rows']} rows" for one in data])


def _release_of(home: Workspace, dataset: DatasetConfig, dry_run: bool) -> Output:
    """What a config's source holds, contributed and released; a version that is there already is found."""

    if dry_run:
        found = is_released(home, dataset)
        line = f"{dataset.tag} is released already" if found else f"would contribute and release {dataset.tag}"
        return Output({"tag": dataset.tag, "released": found}, [line])
    take_in(home, dataset)
    return _released(Registry.open(home).version(dataset.tag))


def _released(version: Version) -> Output:
    used = version.rows - version.excluded
    line = f"{version.tag}: {used} rows of {version.contributors} contributors, {version.excluded} rows excluded"
    return Output(asdict(version), [line])
