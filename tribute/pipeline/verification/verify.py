"""Check stored bytes, sums and chains across the columns. Each function returns what it checked, a line per check."""

from pathlib import Path

from tribute.artifacts import ERASED, MANIFEST, Artifact, read_artifact, read_erased, verify_artifact
from tribute.attribution.measurement import recorded_measurements
from tribute.contributions.registry import Registry
from tribute.contributions.registry import verify_registry as check_registry
from tribute.errors import ConfigError, IntegrityError
from tribute.formatting import counted
from tribute.months import is_period
from tribute.pipeline.runs.runs import read_run
from tribute.pipeline.verification.remeasure import remeasure
from tribute.rewards.ledger import reading
from tribute.rewards.verification import verified, verify_deep, verify_in_workspace
from tribute.rewards.verification import verify_period as check_period
from tribute.workspace import MARKER, Workspace


def verify_registry(workspace: Workspace) -> list[str]:
    """The log's chain, the data it points to, tags and signatures. Raises IntegrityError."""
    state = check_registry(Registry.open(workspace).repository)
    return [
        f"{state.entries} log entries form one chain that ends in {state.head[:12]}",
        f"{state.pointers} pointers lead to data with the recorded digest",
        f"{state.tags} tags are the log's releases",
        *([f"{counted(state.reveals, 'revealed commitment')}: the root is that of the rows"] if state.reveals else []),
        f"{state.signed} of them are signed, by keys that end in {state.key}" if state.key else "nothing is signed yet",
    ]


def verify_run(workspace: Workspace, run_id: str) -> list[str]:
    """Every artifact of a run, and the period that it paid. Raises IntegrityError, WorkspaceError."""
    record = read_run(workspace, run_id)
    named = {kind: [record[kind]] for kind in ("dataset", "baselines", "attribution")}
    named["adapter"] = list(record["adapters"].values())
    artifacts = [workspace.store.get(kind, id_) for kind, ids in named.items() for id_ in ids]
    attribution = next(artifact for artifact in artifacts if artifact.kind == "attribution")
    artifacts += [workspace.store.get(kind, id_) for kind, id_ in recorded_measurements(attribution).values()]
    checks = [f"{verify_artifact(artifact.path).kind} {artifact.id[:12]} is intact" for artifact in artifacts]
    checks += [text for artifact in artifacts for text in _erased(workspace, artifact)]
    if record["period"] is None:
        return [*checks, f"run {run_id} pays nobody"]
    paid = read_artifact(workspace.rewards / record["period"])
    if paid.id != record["rewards"]:
        return [*checks, f"period {record['period']} was paid again since, by another run"]
    return checks + verify_period(workspace, record["period"])


def _erased(workspace: Workspace, artifact: Artifact) -> list[str]:
    """What was erased from an artifact, which the registry's log has to record. Raises IntegrityError."""
    erased = read_erased(artifact.path).contributions
    if not erased:
        return []
    recorded = {entry.subject for entry in Registry.open(workspace).entries() if entry.event == "erase"}
    if unknown := sorted(set(erased) - recorded):
        raise IntegrityError(
            f"{artifact.path / ERASED}: says that {unknown[0]} was erased, the registry's log does not; "
            "restore the file"
        )
    return [f"the texts of {', '.join(erased)} were erased from {artifact.kind} {artifact.id[:12]}, as the log records"]


def verify_period(workspace: Workspace, period: str, *, deep: bool = False, every: bool = False) -> list[str]:
    """A period's files, sums, chain and signatures; `deep`: allocated and measured again; `every` statement, no sample.

    Raises IntegrityError for what is wrong, ConfigError for a name that is no period.
    """
    if not is_period(period):
        raise ConfigError(f"{period!r} is no period; expected YYYY-MM, such as 2026-11")
    folder = workspace.rewards / period
    with reading(workspace):
        _refuse_nothing(folder)
        read, checks = verified(folder)
        checks += verify_in_workspace(workspace, read, every)
    if deep:
        checks += verify_deep(folder, workspace.store) + remeasure(workspace, period)
    return checks


def verify_folder(folder: Path, *, deep: bool = False, every: bool = False) -> list[str]:
    """An artifact, or a period in its workspace or as a copy, by its path. Raises IntegrityError."""
    _refuse_nothing(folder)
    if read_artifact(folder).kind == "rewards":
        home = folder.resolve().parents[1]
        if folder.resolve().parent.name == "rewards" and (home / MARKER).exists():
            return verify_period(Workspace.open(home), folder.resolve().name, deep=deep, every=every)
        if deep:
            raise ConfigError(f"{folder} is a copy; --deep needs the workspace that the period was made in")
        return check_period(folder)
    artifact = verify_artifact(folder)
    return [f"{len(artifact.identity['files'])} files of {artifact.kind} {artifact.id[:12]} are intact"]


def _refuse_nothing(folder: Path) -> None:
    if not (folder / MANIFEST).exists():
        raise IntegrityError(
            f"{folder} is nothing to verify (no {MANIFEST}); give registry, run ID, period YYYY-MM or the path "
            "of an artifact"
        )
