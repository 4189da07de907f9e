"""How a flow begins: what its form gives becomes a workspace and a checked config, and the run gets its name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.runtime import flow_run

from tasks.limits import check_limits
from tribute.config import ExecutionConfig, RunConfig
from tribute.errors import TributeError
from tribute.pipeline.launch import parameters
from tribute.pipeline.launch.preflight import refuse_engine
from tribute.pipeline.stages import tracked

CHECKOUT = Path(__file__).parents[1]
"""Where relative paths of a form start, on whatever machine the worker runs."""
CONFIG_FILE = "configs/docs.yaml"
CRASHES = 3
"""How often a run's process may die; an automation starts the run again each time."""
ENDED = {StateType.COMPLETED: "FINISHED", StateType.CANCELLED: "KILLED"}
"""MLflow's word for the end of a run; every other one has failed."""
ASKED = "Execution was aborted by a termination signal."
"""Prefect's words for a process that was told to end, as by a worker that stops: no crash of ours."""


def begin(
    workspace: str, config: RunConfig | None, config_file: str, period: str = "", tag: str = ""
) -> tuple[str, RunConfig]:
    """The workspace's path and the config, once all that can be known of faults was looked for."""
    _refuse_repeated_crash()
    check_limits()
    home, settings = parameters.workspace_of(workspace, CHECKOUT), _config(config, config_file, period, tag)
    parameters.refuse(home, settings)
    return str(home.root), settings


def open_workspace(workspace: str, execution: ExecutionConfig) -> str:
    """The workspace's path, once the engine was looked at. Raises ConfigError for a run that crashes every time."""
    _refuse_repeated_crash()
    refuse_engine(execution)
    return str(parameters.workspace_of(workspace, CHECKOUT).root)


def titled(what: str) -> Callable[[], str]:
    """What names a flow's runs: `what`, the config's name and dataset, or the file where it cannot be read."""

    def title() -> str:
        given = flow_run.parameters
        try:
            config = _config(given["config"], given["config_file"], given.get("period", ""), given.get("dataset", ""))
        except (TributeError, OSError):
            return f"{what} {given['config_file']}".strip()
        return f"{what} {config.run} {config.dataset.tag}".strip()

    return title


def month_of(month: str) -> str:
    """The month that a form names: YYYY-MM, or `last` for the one before the run's scheduled start."""
    return parameters.period_of(month, flow_run.scheduled_start_time)


def explained_month() -> str:
    """What names a run of the flow that explains a month's usage: the month, or what was given in its place."""
    given = flow_run.parameters["month"]
    # Prefect takes an error in a run's name for a crash, which an automation would start again.
    try:
        return f"usage of {month_of(given)}"
    except TributeError:
        return f"usage of {given}"


def paid_period() -> str:
    """What names a run of the flow that pays."""
    rewards = flow_run.parameters["config"].rewards
    return "nothing to pay" if rewards is None else f"pay {rewards.period}"


def end_tracking(_flow: Any, run: Any, state: Any) -> None:
    """Say in MLflow how a run ended; Prefect calls it."""
    given, status = run.parameters, ENDED.get(state.type, "FAILED")
    config = RunConfig.model_validate(given["config"]) if given.get("config") else None
    file, tag = given.get("config_file", CONFIG_FILE), given.get("dataset", "")
    settings = parameters.config_of(config, file, CHECKOUT, tag=tag)
    tracked.track_end(parameters.workspace_of(given.get("workspace", ""), CHECKOUT), settings, status)


TRACKED: dict[str, Any] = {f"on_{end}": [end_tracking] for end in ("completion", "failure", "crashed", "cancellation")}
"""A flow's options by which MLflow hears of every end of its runs."""


def _refuse_repeated_crash() -> None:
    """Asks the server for the run's crashes only where there may be enough."""
    if (flow_run.run_count or 1) <= CRASHES:
        return
    with get_client(sync_client=True) as client:
        states = client.read_flow_run_states(UUID(flow_run.id))
    crashes = sum(state.is_crashed() and state.message != ASKED for state in states)
    parameters.refuse_repeated_crash(crashes, CRASHES)


def _config(config: RunConfig | None, config_file: str, period: str, tag: str) -> RunConfig:
    month = parameters.period_of(period, flow_run.scheduled_start_time)
    return parameters.config_of(config, config_file, CHECKOUT, month, tag)
