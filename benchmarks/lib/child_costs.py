"""What a job takes of the child process that does it. Imports little: the child has what it imports in its memory."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tribute.finetuning.children import run_child
from tribute.progress import ignore

TIMEOUT = 3600.0


class Cost(NamedTuple):
    """Of one job."""

    seconds: float
    """CPU time, from the job's start."""
    resident: float
    """Bytes: the largest resident set of the process, with what it shares with others."""


def child_cost(job: Callable[..., None], *arguments: Any) -> Cost:
    """Do a job as a run does it."""
    cost: Cost = run_child(_do, job, *arguments, title=job.__name__, timeout_seconds=TIMEOUT, progress=ignore)
    return cost


def _do(job: Callable[..., None], *given: Any) -> Cost:
    """Runs in the child; `given` ends with the progress."""
    start = time.process_time()
    job(*given)
    status = Path("/proc/self/status").read_text()
    return Cost(time.process_time() - start, 1024.0 * int(status.partition("VmHWM:")[2].split()[0]))
