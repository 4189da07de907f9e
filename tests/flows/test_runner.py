"""However a flow is started, no more trainings run at a time than were asked for."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from prefect import flow
from prefect.context import FlowRunContext
from prefect.settings import get_current_settings
from prefect.task_runners import ThreadPoolTaskRunner

from flows.attribution import attribution
from flows.runner import with_runner
from tribute.config import ExecutionConfig


@flow
def asked() -> tuple[Any, int | None]:
    """The runner of a flow, and how often it says that it is alive."""
    return FlowRunContext.get().task_runner, get_current_settings().flows.heartbeat_frequency


def test_the_config_bounds_a_run(engine: None):
    """`execution.processes` overrides the deployment's number; the flow itself, and its heartbeat, stay as they are."""
    runner, heartbeat = with_runner(asked, ExecutionConfig(processes=3))()
    before, own = asked()

    assert (runner._max_workers, heartbeat) == (3, None)
    assert before._max_workers != 3
    assert own


@pytest.mark.parametrize(
    ("address", "expected"), [("ray://head:10001", {}), (None, {"num_cpus": 3}), ("", {"num_cpus": 3})]
)
def test_ray(address: str | None, expected: dict, monkeypatch: pytest.MonkeyPatch):
    """A cluster that RAY_ADDRESS names is joined as it is; else Ray starts here with that many CPUs.

    Its workers learn where trainings are tracked, whom stages are told, and to print no log lines of Prefect's; on this
    machine also where this run's server is, or each would start its own.
    """
    asked: list[Any] = []

    def runner(init_kwargs: dict[str, Any]) -> ThreadPoolTaskRunner:
        asked.append(init_kwargs)
        return ThreadPoolTaskRunner(max_workers=1)

    server = nullcontext(SimpleNamespace(api_url="http://here/api"))
    monkeypatch.setattr("flows.runner.get_client", lambda sync_client: server)
    monkeypatch.setattr("flows.runner._ray_runner", lambda: runner)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    told = {
        "MLFLOW_TRACKING_URI": "http://tracker",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "TRIBUTE_LOG": "json",
        "TRIBUTE_TELEMETRY": "http://collector:4318",
        "OPENLINEAGE__TRANSPORT__TYPE": "console",
    }
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    if address is not None:
        monkeypatch.setenv("RAY_ADDRESS", address)

    with_runner(attribution, ExecutionConfig(engine="ray", processes=3))

    here = {} if address else {"PREFECT_API_URL": "http://here/api"}
    assert asked == [{**expected, "runtime_env": {"env_vars": told | here}}]
