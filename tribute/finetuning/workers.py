"""Artifacts made by long work in child processes, found again by their keys; knows nothing of what the work is."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tribute.artifacts import Artifact, Kind, Store, artifact_key
from tribute.config import FinetuningConfig
from tribute.finetuning.children import run_child
from tribute.finetuning.ranks import current, part
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


def how_run(config: FinetuningConfig, trains: bool = True) -> tuple[float, int, bool]:
    """Time-out, processes and `is_shared` of a recipe whose job passes rows through the base, and perhaps `trains`."""
    return config.timeout_minutes, config.processes if trains or config.shard else 1, config.shard


@dataclass(frozen=True)
class _InAllRanks:
    """Does the whole job in every rank, and keeps what the main process writes."""

    job: Callable[..., None]

    def __call__(self, *given: Any) -> None:
        *arguments, folders, progress = given
        with TemporaryDirectory(prefix="tribute-") as unused:
            self.job(*arguments, folders if current().is_main else folders._replace(result=Path(unused)), progress)
        part()


@dataclass(frozen=True)
class Recipe:
    """One artifact and the job that makes it."""

    kind: Kind
    key: Key
    title: str
    """How progress and errors call the job, such as `fine-tune, seed 0`."""
    job: Callable[..., None]
    """A module's function: `job(*arguments, folders, progress)` fills `folders.result`."""
    arguments: tuple[Any, ...]
    timeout_minutes: float
    processes: int = 1
    """Of a job that trains: as many share every step of its training."""
    is_shared: bool = False
    """Whether they share the whole job, because each holds a part of the base."""

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
                _InAllRanks(self.job) if self.is_shared else self.job,
                *self.arguments,
                folders,
                title=self.title,
                timeout_seconds=60.0 * self.timeout_minutes,
                progress=progress,
                processes=self.processes,
            )

        artifact = store.make(self.kind, self.key.inputs, self.key.settings, build)
        shutil.rmtree(checkpoints, ignore_errors=True)
        return artifact
