"""Ends the processes that a worker started, one a run. Knows nothing of Prefect."""

from contextlib import suppress

import psutil

GRACE = 30.0
"""Seconds that the runs have to save their trainings and to tell the server."""


def end_runs() -> None:
    """Send SIGTERM to the children of this process, wait for them, and kill those that take longer than GRACE.

    One that ends by itself meanwhile keeps none of the others from being told.
    """
    runs = psutil.Process().children()
    for run in runs:
        with suppress(psutil.NoSuchProcess):
            run.terminate()
    _, late = psutil.wait_procs(runs, GRACE)
    for run in late:
        with suppress(psutil.NoSuchProcess):
            run.kill()
