"""Tasks of the incentives column."""

from pathlib import Path
from typing import Any

from tasks.outcome import stage
from tribute.incentives.attacks import ATTACKS
from tribute.incentives.draws import add_draws
from tribute.incentives.suite import docs_suite


@stage(task_run_name="attack world {seed}")
def play(defence: str, names: list[str], seed: int) -> list[Any]:
    """The draws of these attacks in the world of a seed, against every defence that trains as this one."""
    suite = docs_suite(defence)
    return [draw for name in names for draw in suite.draws(ATTACKS[name], seed)]


@stage(task_run_name="keep draws")
def keep(file: str, draws: list[Any]) -> int:
    """Append a world's draws to the file of results; how many."""
    add_draws(Path(file), draws)
    return len(draws)
