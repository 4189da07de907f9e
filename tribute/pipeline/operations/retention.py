"""Which files of a workspace, and which of MLflow's runs, nothing refers to any more, and their removal."""

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from tribute.artifacts import Artifact
from tribute.errors import WorkspaceError
from tribute.files import locked
from tribute.finetuning.tracking import Tracker, delete_runs, unused_runs
from tribute.formatting import counted
from tribute.pipeline.operations.status import in_progress
from tribute.pipeline.runs.runs import all_runs
from tribute.workspace import Workspace

DAY = 24 * 3600
MLFLOW_RUN, LOCK = "mlflow_run", "lock"
MAKING, GONE = ".making-", ".gone"
"""What `files.making` calls a folder that is being filled, and what one ends with that is being removed."""
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
    """What nobody used or wrote to for `days` and no run, period or dispute leads to.

    These are artifacts, MLflow's runs, scratch files, locks, and what killed processes left half made or half removed.
    Whatever a JSON file of runs/, rewards/ or disputes/ names is kept, and what was used since, and all that either was
    made from: closed periods and drafts, recorded runs, evidence that was submitted for a dispute, and what scheduled
    deployments find again and again.
    """
    before = time.time() - days * DAY
    artifacts = {artifact.id: artifact for artifact in _artifacts(workspace)}
    kept = _referred(workspace, artifacts, before)
    old = [artifact for id_, artifact in artifacts.items() if id_ not in kept]
    return [
        *(Unused(each.path, each.kind, each.id, _size(each.path)) for each in old),
        *_leftovers(workspace, before),
        *_scratch(workspace, before),
        *_mlflow_runs(workspace, [artifacts[id_] for id_ in kept], before),
    ]


def remove(workspace: Workspace, entries: list[Unused], days: int) -> list[Unused]:
    """Remove them; returns what was removed: what somebody uses or works on by now stays.

    Raises WorkspaceError while artifacts are being made, which may be about to use one of them.
    """
    if working := in_progress(workspace.scratch / "locks"):
        raise WorkspaceError(
            f"in progress in {workspace.root}: {counted(working, 'artifact')}; run `tribute gc` when that ends"
        )
    runs = [entry for entry in entries if entry.kind == MLFLOW_RUN]
    if runs:
        delete_runs(workspace.mlflow, [entry.id for entry in runs])
    before = time.time() - days * DAY
    files = [entry for entry in entries if entry.kind != MLFLOW_RUN]
    return [*runs, *(entry for entry in files if _is_removed(workspace, entry, before))]


def _is_removed(workspace: Workspace, entry: Unused, before: float) -> bool:
    """Remove it under the lock by which it is made, unless it was used since it was listed: a run may have begun."""
    key = entry.path.name.removeprefix(MAKING)
    lock = entry.path if entry.kind == LOCK else workspace.scratch / "locks" / key
    try:
        with locked(lock, wait=False):
            if entry.kind == LOCK:
                return True
            if _last_used(entry.path) >= before:
                return False
            _delete(entry.path)
    except BlockingIOError:
        return False
    return True


def _delete(path: Path) -> None:
    if path.is_dir():
        # A folder without its manifest would be taken for a broken artifact, so it leaves its place in one step.
        gone = path if path.name.startswith(".") else path.with_name(f".{path.name}{GONE}")
        path.rename(gone)
        shutil.rmtree(gone)
    else:
        path.unlink(missing_ok=True)


def _artifacts(workspace: Workspace) -> Iterator[Artifact]:
    root = workspace.store.root
    for folder in sorted(root.iterdir()) if root.exists() else ():
        yield from workspace.store.all(folder.name)


def _referred(workspace: Workspace, artifacts: dict[str, Artifact], before: float) -> set[str]:
    waiting = {id_ for text in _records(workspace) for id_ in _ID.findall(text)} & artifacts.keys()
    waiting |= {id_ for id_, artifact in artifacts.items() if _last_used(artifact.path) >= before}
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


def _mlflow_runs(workspace: Workspace, kept: list[Artifact], before: float) -> Iterator[Unused]:
    if not Tracker(workspace.mlflow).exists():
        return
    names = {id_ for text in _records(workspace) for id_ in _MLFLOW_ID.findall(text)} | set(all_runs(workspace))
    names |= {str(artifact.provenance.get("mlflow_run_id")) for artifact in kept}
    for run_id in unused_runs(workspace.mlflow, names, int(1000 * before)):
        yield Unused(workspace.mlflow, MLFLOW_RUN, run_id, 0)


def _leftovers(workspace: Workspace, before: float) -> Iterator[Unused]:
    """What a killed process was making, or just removing."""
    for path in sorted(workspace.store.root.glob("*/.*")):
        if _last_used(path) < before:
            yield Unused(path, "leftover", path.name, _size(path))


def _scratch(workspace: Workspace, before: float) -> Iterator[Unused]:
    for path in sorted(workspace.scratch.glob("*")):
        if path.name != "locks" and _last_used(path) < before:
            yield Unused(path, "scratch", path.name, _size(path))
    for path in sorted((workspace.scratch / "locks").glob("*")):
        # Left by a process that was killed; who holds one removes it.
        if _last_used(path) < before:
            yield Unused(path, LOCK, path.name, 0)


def _last_used(path: Path) -> float:
    """When anything at or below a path was written or noted as used, in seconds since 1970; now where all is gone."""
    return max((each.st_mtime for each in _found(path)), default=time.time())


def _size(path: Path) -> int:
    return sum(each.st_size for each in _found(path) if S_ISREG(each.st_mode))


def _found(path: Path) -> Iterator[os.stat_result]:
    """What lies at and below a path; trainings that end meanwhile remove their checkpoints."""
    below = (Path(folder, name) for folder, folders, names in os.walk(path) for name in (*folders, *names))
    for each in (path, *below):
        with suppress(FileNotFoundError):
            yield each.stat()
