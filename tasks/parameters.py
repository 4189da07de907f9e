"""How a flow begins: what its form gives becomes a workspace and a checked config, and the run gets its name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
STARTS = 3
"""How often a run may be started; an automation starts it again when its process has died."""


def begin(
    workspace: str, config: RunConfig | None, config_file: str, period: str = "", tag: str = ""
) -> tuple[str, RunConfig]:
    """The workspace's path and the config, once all that can be known of faults was looked for."""
    parameters.refuse_repeated_crash(flow_run.run_count or 1, STARTS)
    check_limits()
    home, settings = parameters.workspace_of(workspace, CHECKOUT), _config(config, config_file, period, tag)
    parameters.refuse(home, settings)
    return str(home.root), settings


def open_workspace(workspace: str, execution: ExecutionConfig) -> str:
    """The workspace's path, once the engine was looked at."""
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
    """What names a run of the flow that explains a month's usage."""
    return f"usage of {month_of(flow_run.parameters['month'])}"


def paid_month(config: RunConfig) -> str:
    """The month that a config pays. Raises ConfigError where it pays nobody."""
    return parameters.rewards_of(config).period


def paid_period() -> str:
    """What names a run of the flow that pays."""
    rewards = flow_run.parameters["config"].rewards
    return "nothing to pay" if rewards is None else f"pay {rewards.period}"


def end_tracking(_flow: Any, run: Any, state: Any) -> None:
    """Say in MLflow how a run ended that did not come to its end; Prefect calls it."""
    given, status = run.parameters, "KILLED" if state.is_cancelled() else "FAILED"
    config = RunConfig.model_validate(given["config"]) if given.get("config") else None
    settings = parameters.config_of(config, given.get("config_file", CONFIG_FILE), CHECKOUT)
    tracked.track_end(parameters.workspace_of(given.get("workspace", ""), CHECKOUT), settings, status)


def _config(config: RunConfig | None, config_file: str, period: str, tag: str) -> RunConfig:
    month = parameters.period_of(period, flow_run.scheduled_start_time)
    return parameters.config_of(config, config_file, CHECKOUT, month, tag)
