"""Tasks of a simulated year: contributions, events and the close."""

from tasks.outcome import stage
from tribute.simulation import year
from tribute.simulation.config import YearConfig
from tribute.workspace import Workspace


@stage(task_run_name="keys and policy")
def begin(workspace: str, config: YearConfig) -> list[str]:
    """Prepare the workspace for the months; returns them."""
    return year.begin(Workspace.open_at(workspace), config)


@stage(task_run_name="contribute and release {period}")
def grow(workspace: str, config: YearConfig, period: str) -> str:
    """Contribute, withdraw and release; returns the tag."""
    return year.grow(Workspace.open_at(workspace), config, period)


@stage(task_run_name="what happens in {period}")
def happen(workspace: str, config: YearConfig, period: str) -> list[str]:
    """Payments, corrections, claw-backs and disputes about earlier months; returns their names."""
    return year.happen(Workspace.open_at(workspace), config, period)


@stage(task_run_name="close {period}")
def close(workspace: str, config: YearConfig, period: str) -> str:
    """Two closers close the month; returns its folder."""
    return year.close(Workspace.open_at(workspace), config, period)


@stage(task_run_name="tie out")
def summarise(workspace: str, config: YearConfig) -> str:
    """Check that all months tie out; returns the page of the year."""
    return year.summarise(Workspace.open_at(workspace), config)
