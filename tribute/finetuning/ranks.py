"""One training in several processes of a machine: which of them this one is, and what they tell each other.

Only `workers` starts such processes; what a launcher's shell says of ranks reaches none of them. All prepare the same
model and rows and take part in every step. Rank 0, the main process, alone records and writes, and goes on when the
training is over. Where they share out the base (`finetuning.shard`), they stay together to the end of the job.
"""

import os
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
LONGEST_WAIT = timedelta(days=30)
"""A training's own time-out ends it; a rank waits as long as the main process evaluates."""


@dataclass(frozen=True)
class Rank:
    """A process's part in a training."""

    number: int
    count: int
    meeting: Path
    """A file by which the ranks find each other: no port is chosen that somebody else could take first."""

    @property
    def is_main(self) -> bool:
        """Whether this process records and writes."""
        return self.number == 0


ALONE = Rank(0, 1, Path())
_RANK: ContextVar[Rank] = ContextVar("rank", default=ALONE)


def current() -> Rank:
    """This process's part."""
    return _RANK.get()


def enter(rank: Rank) -> None:
    """Make this process a rank, also in the variables that accelerate reads; before a GPU is used."""
    _RANK.set(rank)
    os.environ |= dict.fromkeys(("RANK", "LOCAL_RANK"), str(rank.number))
    os.environ |= dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), str(rank.count))
    if sys.platform == "linux":
        # All ranks are on this machine: nobody else is to reach them.
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")


def join(device: str) -> None:
    """Meet the other ranks, if there are any and that was not done; `device` is `cpu` or `cuda`."""
    if current() == ALONE:
        return
    import torch.distributed

    if torch.distributed.is_initialized():
        return
    if device == "cuda":
        torch.cuda.set_device(current().number)
    torch.distributed.init_process_group(
        "gloo" if device == "cpu" else "nccl",
        init_method=current().meeting.as_uri(),
        rank=current().number,
        world_size=current().count,
        timeout=LONGEST_WAIT,
    )


def from_main(compute: Callable[[], T]) -> T:
    """What `compute` gives in the main process, in all of them."""
    if current() == ALONE:
        return compute()
    import torch.distributed

    content: list[Any] = [compute() if current().is_main else None]
    torch.distributed.broadcast_object_list(content)
    value: T = content[0]
    return value


def meet() -> None:
    """Wait until all ranks are here, and what the main process wrote is written."""
    from_main(lambda: None)


def most(count: int, device: str) -> int:
    """The largest of the ranks' counts; `device` as of `join`."""
    import torch.distributed

    counts = torch.tensor(count, device=device)
    torch.distributed.all_reduce(counts, torch.distributed.ReduceOp.MAX)
    return int(counts)


def part() -> None:
    """What all do together is over: the main process goes on alone, every other one ends here."""
    if current() == ALONE:
        return
    import torch.distributed

    torch.distributed.destroy_process_group()
    if not current().is_main:
        sys.exit()
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        del os.environ[name]
    _RANK.set(ALONE)
