"""Ends the processes that a worker started, one a run. Knows nothing of Prefect."""

import psutil

GRACE = 30.0
"""Seconds that the runs have to save their trainings and to tell the server."""


def end_runs() -> None:
    """Send SIGTERM to the children of this process, wait for them, and kill those that take longer than GRACE."""
    runs = psutil.Process().children()
    for run in runs:
        run.terminate()
    _, late = psutil.wait_procs(runs, GRACE)
    for run in late:
        run.kill()
