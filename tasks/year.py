"""Tasks of a simulated year: what is handed in, what happens, and the closing."""

from tasks.outcome import stage
from tribute.simulation import year
from tribute.simulation.config import YearConfig
from tribute.workspace import Workspace


@stage(name="keys and policy")
def begin(workspace: str, config: YearConfig) -> list[str]:
    """Make what the months need; returns them."""
    return year.begin(Workspace.open_at(workspace), config)


@stage(task_run_name="hand in {period}")
def grow(workspace: str, config: YearConfig, period: str) -> str:
    """Hand in, take back and release; returns the tag."""
    return year.grow(Workspace.open_at(workspace), config, period)


@stage(task_run_name="what happens in {period}")
def happen(workspace: str, config: YearConfig, period: str) -> list[str]:
    """Payments, corrections, claw-backs and disputes about earlier months; returns their names."""
    return year.happen(Workspace.open_at(workspace), config, period)


@stage(task_run_name="close {period}")
def close(workspace: str, config: YearConfig, period: str) -> str:
    """Two closers close the month; returns its folder."""
    return year.close(Workspace.open_at(workspace), config, period)


@stage(name="tie out")
def summarise(workspace: str, config: YearConfig) -> str:
    """Check that all months tie out; returns the page of the year."""
    return year.summarise(Workspace.open_at(workspace), config)
