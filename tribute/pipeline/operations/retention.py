"""Which files of a workspace nothing refers to any more, and their removal."""

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tribute.artifacts import Artifact
from tribute.errors import WorkspaceError
from tribute.pipeline.operations.status import in_progress
from tribute.workspace import Workspace

DAY = 24 * 3600
_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Unused:
    """A folder or file that may go; `id` is the artifact's, or the name where it is one in scratch/."""

    path: Path
    kind: str
    id: str
    size: int
    """Bytes, with all that lies below."""


def unused(workspace: Workspace, days: int) -> list[Unused]:
    """Artifacts older than `days` to which no run, period or dispute leads, and scratch files that old.

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
    return [*(Unused(each.path, each.kind, each.id, _size(each.path)) for each in old), *_scratch(workspace, days)]


def remove(workspace: Workspace, entries: list[Unused]) -> None:
    """Remove them. Raises WorkspaceError while artifacts are being made, which may be about to use one of them."""
    working = in_progress(workspace.scratch / "locks")
    if working:
        raise WorkspaceError(f"{working} artifacts are in progress in {workspace.root}; run `tribute gc` when they end")
    for entry in entries:
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
    folders = (workspace.runs, workspace.rewards, workspace.disputes)
    files = [file for folder in folders for file in folder.rglob("*.json")]
    waiting = {id_ for file in files for id_ in _ID.findall(file.read_text(encoding="utf-8"))} & artifacts.keys()
    kept: set[str] = set()
    while waiting:
        id_ = waiting.pop()
        kept.add(id_)
        waiting |= (set(artifacts[id_].inputs.values()) & artifacts.keys()) - kept
    return kept


def _scratch(workspace: Workspace, days: int) -> Iterator[Unused]:
    for path in sorted(workspace.scratch.glob("*")):
        files = [path, *path.rglob("*")]
        if path.name != "locks" and max(file.stat().st_mtime for file in files) < time.time() - days * DAY:
            yield Unused(path, "scratch", path.name, _size(path))


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())
