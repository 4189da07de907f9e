"""What keeps the processes of `tribute up`: honcho's manager, which ends the worker before the server it reports to."""

import os
import time

from honcho import manager

FIRST = "worker"
PATIENCE = 40.0
"""Seconds that the worker has to end its runs; it kills those that take longer than 30."""


class Manager(manager.Manager):
    """Ends the worker, whose runs save their trainings, and then the others, which honcho gives five seconds."""

    def terminate(self) -> None:
        """Called at a signal; again where it is called twice."""
        group = self._processes[FIRST].get("pid")
        if group is not None and not self._terminating:
            self._procmgr.terminate(group)
            ends = time.monotonic() + PATIENCE
            while _is_alive(group) and time.monotonic() < ends:
                time.sleep(0.1)
        super().terminate()


def _is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
