"""Tasks of the incentives column."""

from pathlib import Path
from threading import Lock
from typing import Any

from tasks.outcome import stage
from tribute.incentives.attacks import ATTACKS
from tribute.incentives.draws import add_draws
from tribute.incentives.suite import Suite, docs_suite

_READING = Lock()
"""The corpus is docstrings, and Python 3.11 fails where two threads parse at a time ("recursion depth mismatch")."""


@stage(task_run_name="attack world {seed}")
def play(defence: str, names: list[str], seed: int) -> list[Any]:
    """The draws of these attacks in the world of a seed, against every defence that trains as this one."""
    suite = _suite(defence)
    return [draw for name in names for draw in suite.draws(ATTACKS[name], seed)]


@stage(task_run_name="keep draws")
def keep(file: str, draws: list[Any]) -> int:
    """Append a world's draws to the file of results; how many."""
    add_draws(Path(file), draws)
    return len(draws)


def _suite(defence: str) -> Suite:
    # A function of its own: Ray is sent a task with all that it names, and a lock cannot be sent.
    with _READING:
        return docs_suite(defence)
