"""Which files of a workspace, and which of MLflow's runs, nothing refers to any more, and their removal."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tribute.artifacts import Artifact
from tribute.errors import WorkspaceError
from tribute.files import locked
from tribute.finetuning.tracking import Tracker, delete_runs, unused_runs
from tribute.pipeline.operations.status import in_progress
from tribute.pipeline.runs.runs import all_runs
from tribute.workspace import Workspace

DAY = 24 * 3600
MLFLOW_RUN, LOCK = "mlflow_run", "lock"
_ID = re.compile(r"[0-9a-f]{64}")
_MLFLOW_ID = re.compile(r"\b[0-9a-f]{32}\b")


@dataclass(frozen=True)
class Unused:
    """A folder, file or run of MLflow that may go; `id` is the artifact's or run's, or the name of one in scratch/."""

    path: Path
    kind: str
    id: str
    size: int
    """Bytes, with all that lies below."""


def unused(workspace: Workspace, days: int) -> list[Unused]:
    """Artifacts and MLflow's runs older than `days` to which no run, period or dispute leads; scratch files, locks.

    Whatever a JSON file of runs/, rewards/ or disputes/ names is kept, and all that it was made from: closed periods
    and drafts, recorded runs, and evidence that was submitted for a dispute.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    artifacts = {artifact.id: artifact for artifact in _artifacts(workspace)}
    kept = _referred(workspace, artifacts)
    old = [
        artifact
        for artifact in artifacts.values()
        if artifact.id not in kept and datetime.fromisoformat(str(artifact.provenance["made_at"])) < before
    ]
    return [
        *(Unused(each.path, each.kind, each.id, _size(each.path)) for each in old),
        *_scratch(workspace, days),
        *_mlflow_runs(workspace, [artifacts[id_] for id_ in kept], before),
    ]


def remove(workspace: Workspace, entries: list[Unused]) -> None:
    """Remove them. Raises WorkspaceError while artifacts are being made, which may be about to use one of them."""
    working = in_progress(workspace.scratch / "locks")
    if working:
        raise WorkspaceError(f"{working} artifacts are in progress in {workspace.root}; run `tribute gc` when they end")
    if runs := [entry.id for entry in entries if entry.kind == MLFLOW_RUN]:
        delete_runs(workspace.mlflow, runs)
    for entry in entries:
        if entry.kind == MLFLOW_RUN:
            continue
        if entry.kind == LOCK:
            # Whoever took it just now holds on to it, and removes it.
            with locked(entry.path):
                continue
        if entry.path.is_dir():
            # A folder without its manifest would be taken for a broken artifact, so it leaves its place in one step.
            gone = entry.path.with_name(f".{entry.path.name}.gone")
            entry.path.rename(gone)
            shutil.rmtree(gone)
        else:
            entry.path.unlink(missing_ok=True)


def _artifacts(workspace: Workspace) -> Iterator[Artifact]:
    root = workspace.store.root
    for folder in sorted(root.iterdir()) if root.exists() else ():
        yield from workspace.store.all(folder.name)


def _referred(workspace: Workspace, artifacts: dict[str, Artifact]) -> set[str]:
    waiting = {id_ for text in _records(workspace) for id_ in _ID.findall(text)} & artifacts.keys()
    kept: set[str] = set()
    while waiting:
        id_ = waiting.pop()
        kept.add(id_)
        waiting |= (set(artifacts[id_].inputs.values()) & artifacts.keys()) - kept
    return kept


def _records(workspace: Workspace) -> Iterator[str]:
    """The texts in which runs, periods and disputes name what they rest on."""
    for folder in (workspace.runs, workspace.rewards, workspace.disputes):
        yield from (file.read_text(encoding="utf-8") for file in folder.rglob("*.json"))


def _mlflow_runs(workspace: Workspace, kept: list[Artifact], before: datetime) -> Iterator[Unused]:
    if not Tracker(workspace.mlflow).exists():
        return
    names = {id_ for text in _records(workspace) for id_ in _MLFLOW_ID.findall(text)} | set(all_runs(workspace))
    names |= {str(artifact.provenance.get("mlflow_run_id")) for artifact in kept}
    for run_id in unused_runs(workspace.mlflow, names, int(1000 * before.timestamp())):
        yield Unused(workspace.mlflow, MLFLOW_RUN, run_id, 0)


def _scratch(workspace: Workspace, days: int) -> Iterator[Unused]:
    for path in sorted(workspace.scratch.glob("*")):
        files = [path, *path.rglob("*")]
        if path.name != "locks" and max(file.stat().st_mtime for file in files) < time.time() - days * DAY:
            yield Unused(path, "scratch", path.name, _size(path))
    for path in sorted((workspace.scratch / "locks").glob("*")):
        # Left by a process that was killed; who holds one removes it.
        if path.stat().st_mtime < time.time() - days * DAY:
            yield Unused(path, LOCK, path.name, 0)


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
