"""Work in child processes of one thread each: their results, their errors, and that none outlives the call.

A server process imports torch, transformers and peft once; every child is forked from it. Knows nothing of what the
work is.
"""

import multiprocessing
import multiprocessing.connection
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from tribute import errors
from tribute.errors import DeviceMemoryError, KilledError, StoppedError, TrainingError
from tribute.finetuning.ranks import Rank, enter
from tribute.finetuning.stopping import CHILD, Stopped, end_on_signal
from tribute.progress import Progress, ignore

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

NO_MEMORY = (
    "the GPU's memory is full; lower finetuning.tokens_at_once, or set finetuning.gradient_checkpointing: true or "
    "finetuning.precision: bfloat16"
)

Work = Callable[..., Any]


def run_child(
    work: Work, *arguments: Any, title: str, timeout_seconds: float, progress: Progress, processes: int = 1
) -> Any:
    """`work(*arguments, progress)` in a child process; returns what it returns. Errors call it by its `title`.

    `work` must be a module's function. With several `processes` it runs in all of them, as ranks of the training that
    it must hold; the first one's result counts, the others end with the training (`ranks.part`). Raises what it
    raised; KilledError where a child was killed, StoppedError where it was asked to end (SIGTERM), TrainingError where
    it ran out of time.
    """
    context = _context()
    with TemporaryDirectory(prefix="tribute-") as folder:
        ranks = [Rank(number, processes, Path(folder) / "meeting") for number in range(processes)]
        children = [_started(context, title, work, arguments, rank if processes > 1 else None) for rank in ranks]
        try:
            return _listen(children, title, time.monotonic() + timeout_seconds, progress)
        finally:
            for child in children:
                _stop(child.process)
                child.pipe.close()


class _Child(NamedTuple):
    process: Any
    pipe: Connection

    @property
    def is_done(self) -> bool:
        """Whether it ended by itself, without an error: as a rank does whose training is over."""
        self.process.join(GRACE_SECONDS)
        return bool(self.process.exitcode == 0)


def _started(context: Any, title: str, work: Work, arguments: tuple[Any, ...], rank: Rank | None) -> _Child:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_main, args=(theirs, title, work, arguments, rank), daemon=True, name=CHILD)
    process.start()
    theirs.close()
    return _Child(process, ours)


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


def _listen(children: Sequence[_Child], title: str, deadline: float, progress: Progress) -> Any:
    """The first child's result."""
    running = {child.pipe: child for child in children}
    while True:
        ready = multiprocessing.connection.wait(list(running), max(0.0, deadline - time.monotonic()))
        if not ready:
            raise TrainingError(f"{title}: out of time; raise finetuning.timeout_minutes and run again")
        pipe = next(pipe for pipe in running if pipe in ready)
        try:
            kind, content = pipe.recv()
        except EOFError as error:
            child = running.pop(pipe)
            if child is not children[0] and child.is_done:
                continue
            raise _killed(title) from error
        if kind == "progress":
            progress(*content)
        elif kind == "result":
            return content
        else:
            raise _cause(_rebuilt(*content), [child for child in running.values() if child.pipe is not pipe], title)


def _killed(title: str) -> KilledError:
    return KilledError(f"{title}: a process was killed (out of memory?); run again")


def _cause(error: Exception, others: Sequence[_Child], title: str) -> Exception:
    """Where a rank dies, the others fail because of it: what it said, or that it was killed, is the cause."""
    known = (errors.TributeError, OSError)
    if isinstance(error, known):
        return error
    words = (_last_word(child, title) for child in others)
    return next((word for word in words if isinstance(word, known)), error)


def _last_word(child: _Child, title: str) -> Exception | None:
    while child.pipe.poll(GRACE_SECONDS):
        try:
            kind, content = child.pipe.recv()
        except EOFError:
            return None if child.is_done else _killed(title)
        if kind == "error":
            return _rebuilt(*content)
    return None


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


def _main(pipe: Connection, title: str, work: Work, arguments: tuple[Any, ...], rank: Rank | None) -> None:
    import warnings

    import torch
    from threadpoolctl import threadpool_limits

    os.setsid()
    threading.Thread(target=_end_with_reader, args=(pipe.fileno(),), daemon=True).start()
    leave_launchers()
    if rank is not None:
        enter(rank)
    torch.set_num_threads(1)
    threadpool_limits(1)
    if not sys.warnoptions:
        # What transformers, peft and sklearn warn of is for us to act on; `python -W` or PYTHONWARNINGS shows it.
        warnings.simplefilter("ignore")
    report = ignore if rank is not None and not rank.is_main else lambda *done: pipe.send(("progress", done))
    try:
        end_on_signal()
        result = work(*arguments, report)
        pipe.send(("result", result))
    except torch.OutOfMemoryError as error:
        # Wherever it comes from: loading, training, walking. torch's first two sentences say how much was asked for.
        asked = ". ".join(str(error).split(". ")[:2])
        pipe.send(("error", (DeviceMemoryError.__name__, f"{NO_MEMORY} ({asked})", "")))
    except Stopped:
        pipe.send(("error", (StoppedError.__name__, f"{title}: asked to end; run again to go on", "")))
    except Exception as error:
        name = "OSError" if isinstance(error, OSError) else type(error).__name__
        pipe.send(("error", (name, str(error), traceback.format_exc())))
