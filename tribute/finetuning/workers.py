"""Artifacts made by long work in child processes of one thread each, found again by their keys.

A server process imports torch, transformers and peft once; every child is forked from it. Knows nothing of what the
work is.
"""

import multiprocessing
import os
import select
import shutil
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from tribute import errors
from tribute.artifacts import Artifact, Kind, Store, artifact_key
from tribute.errors import TrainingError
from tribute.progress import Progress

PRELOADED = ["torch", "transformers", "transformers.trainer", "peft", "pandas", "pyarrow.parquet"]
GRACE_SECONDS = 10
LAUNCHERS = (
    *("ACCELERATE_", "FSDP_", "DEEPSPEED_", "MEGATRON_LM_", "PARALLELISM_CONFIG_", "TORCHELASTIC_"),
    *("OMPI_", "PMI_", "PMIX_", "MPI_", "MV2_", "SLURM_"),
)
RANKS = {
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"),
    *("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE"),
}
"""Variables by which launchers tell a process its part in a training of many; see `leave_launchers`."""

Work = Callable[..., Any]


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
            seconds = 60.0 * self.timeout_minutes
            run_child(self.job, *self.arguments, folders, timeout_seconds=seconds, progress=progress)

        artifact = store.make(self.kind, self.key.inputs, self.key.settings, build)
        shutil.rmtree(checkpoints, ignore_errors=True)
        return artifact


def run_child(work: Work, *arguments: Any, timeout_seconds: float, progress: Progress) -> Any:
    """`work(*arguments, progress)` in a child process; returns what it returns.

    `work` must be a module's function. Raises what it raised; TrainingError where it was killed or ran
    out of time.
    """
    context = _context()
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_main, args=(theirs, work, arguments), daemon=True)
    child.start()
    theirs.close()
    try:
        return _listen(ours, work.__name__, time.monotonic() + timeout_seconds, progress)
    finally:
        _stop(child)
        ours.close()


def leave_launchers() -> None:
    """Take out of this process what a launcher or a shell says of how to compute: precision, world size, rank.

    A child is a single process, and what it computes comes from the config. Where things are (servers, devices,
    credentials) stays.
    """
    for name in [name for name in os.environ if name in RANKS or name.startswith(LAUNCHERS)]:
        del os.environ[name]


def _context() -> Any:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        os.environ.setdefault(name, "false" if name.startswith("TOK") else "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _listen(pipe: Connection, name: str, deadline: float, progress: Progress) -> Any:
    while True:
        if not pipe.poll(max(0.0, deadline - time.monotonic())):
            raise TrainingError(f"{name} ran out of time; raise finetuning.timeout_minutes and run again")
        try:
            kind, content = pipe.recv()
        except EOFError as error:
            raise TrainingError(f"{name} was killed (out of memory?); run again") from error
        if kind == "progress":
            progress(*content)
        elif kind == "result":
            return content
        else:
            raise _rebuilt(*content)


def _rebuilt(name: str, message: str, trace: str) -> Exception:
    """The child's error: ours by name, the system's as OSError, anything else with the child's traceback."""
    kind = getattr(errors, name, None)
    # safetensors reports a full disk as an error of its own.
    if kind is None and (name == "OSError" or "os error" in message):
        kind = OSError
    return kind(message) if kind else RuntimeError(f"{name}: {message}\n{trace}")


def _stop(child: Any) -> None:
    """Ask the child's whole process group to end, then make it."""
    for signal_ in (signal.SIGTERM, signal.SIGKILL):
        child.join(0.2 if signal_ == signal.SIGTERM else GRACE_SECONDS)
        if child.exitcode is None:
            try:
                os.killpg(child.pid, signal_)
            except ProcessLookupError:
                child.kill()
    child.join()


def _end_with_reader(pipe: int) -> None:
    """End this process group once nobody can read the pipe any more: who wanted the work was killed.

    Work that goes on might meet its successor at the same files.
    """
    reader = select.poll()
    reader.register(pipe, 0)
    reader.poll()
    os.killpg(0, signal.SIGKILL)


def _main(pipe: Connection, work: Work, arguments: tuple[Any, ...]) -> None:
    import warnings

    import torch
    from threadpoolctl import threadpool_limits

    os.setsid()
    threading.Thread(target=_end_with_reader, args=(pipe.fileno(),), daemon=True).start()
    leave_launchers()
    torch.set_num_threads(1)
    threadpool_limits(1)
    if not sys.warnoptions:
        # What transformers, peft and sklearn warn of is for us to act on; `python -W` or PYTHONWARNINGS shows it.
        warnings.simplefilter("ignore")
    try:
        result = work(*arguments, lambda done, total: pipe.send(("progress", (done, total))))
        pipe.send(("result", result))
    except Exception as error:
        name = "OSError" if isinstance(error, OSError) else type(error).__name__
        pipe.send(("error", (name, str(error), traceback.format_exc())))
