"""One thread for what is computed in this process, as each child of a training has."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch and the libraries below it compute in one thread, and afterwards in as many as before.

    Threads that wait for each other on a busy machine take more than twice the CPU time of one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(threads)
