"""Artifacts made by long work in child processes, found again by their keys; knows nothing of what the work is."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tribute.artifacts import Artifact, Kind, Store, artifact_key
from tribute.finetuning.children import run_child
from tribute.progress import Progress


class Key(NamedTuple):
    """Everything that decides an artifact's bytes, beside its kind's code and the packages."""

    inputs: Mapping[str, str]
    """Name of input → digest of what is read."""
    settings: Mapping[str, Any]


class Folders(NamedTuple):
    """Where a job writes."""

    result: Path
    """What becomes the artifact."""
    scratch: Path
    """Shared by all jobs of a workspace: what is computed once for the same rows."""
    checkpoints: Path
    """This job's own: a killed job finds here what it had done. Removed once the artifact is safe."""


@dataclass(frozen=True)
class Recipe:
    """One artifact and the job that makes it."""

    kind: Kind
    key: Key
    job: Callable[..., None]
    """A module's function: `job(*arguments, folders, progress)` fills `folders.result`."""
    arguments: tuple[Any, ...]
    timeout_minutes: float
    processes: int = 1
    """Of a job that trains: as many share every step of its training."""

    def find(self, store: Store) -> Artifact | None:
        """The artifact, if it was made before."""
        return store.find(self.kind, self.key.inputs, self.key.settings)

    def checkpoints(self, scratch: Path) -> Path:
        """Where the job keeps what it needs to go on, until the artifact is safe."""
        return scratch / artifact_key(self.kind, self.key.inputs, self.key.settings)

    def make(self, store: Store, scratch: Path, progress: Progress) -> Artifact:
        """Find the artifact, or run the job in a child process.

        Raises what the job raised; TrainingError where it was killed or ran out of time.
        """
        checkpoints = self.checkpoints(scratch)

        def build(result: Path) -> None:
            folders = Folders(result, scratch, checkpoints)
            run_child(
                self.job,
                *self.arguments,
                folders,
                timeout_seconds=60.0 * self.timeout_minutes,
                progress=progress,
                processes=self.processes,
            )

        artifact = store.make(self.kind, self.key.inputs, self.key.settings, build)
        shutil.rmtree(checkpoints, ignore_errors=True)
        return artifact
