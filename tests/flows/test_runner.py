"""However a flow is started, no more trainings run at a time than were asked for."""

from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from prefect.task_runners import ThreadPoolTaskRunner

from flows.attribution import attribution
from flows.runner import with_runner
from tribute.config import load_config


@pytest.mark.parametrize("name", ["finetuning", "attribution"])
def test_a_deployed_flow_is_bounded(name: str):
    """The flow that prefect.yaml deploys runs two tasks at a time."""
    runner = getattr(import_module(f"flows.{name}"), name).task_runner

    assert isinstance(runner, ThreadPoolTaskRunner)
    assert runner._max_workers == 2


def test_the_config_bounds_a_run(tiny: Path):
    """`execution.processes` overrides the deployment's number."""
    config = load_config(tiny / "config.yaml", ["execution.processes=3"])

    assert with_runner(attribution, config).task_runner._max_workers == 3


@pytest.mark.parametrize(
    ("address", "expected"), [("ray://head:10001", {}), (None, {"num_cpus": 3}), ("", {"num_cpus": 3})]
)
def test_ray(address: str | None, expected: dict, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """A cluster that RAY_ADDRESS names is joined as it is; else Ray starts here with that many CPUs.

    Its workers learn where trainings are tracked, and to print no log lines of Prefect's; on this machine also where
    this run's server is, or each would start its own.
    """
    asked: list[Any] = []

    def runner(init_kwargs: dict[str, Any]) -> ThreadPoolTaskRunner:
        asked.append(init_kwargs)
        return ThreadPoolTaskRunner(max_workers=1)

    server = nullcontext(SimpleNamespace(api_url="http://here/api"))
    monkeypatch.setattr("flows.runner.get_client", lambda sync_client: server)
    monkeypatch.setattr("flows.runner._ray_runner", lambda: runner)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker")
    monkeypatch.setenv("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    if address is not None:
        monkeypatch.setenv("RAY_ADDRESS", address)

    with_runner(attribution, load_config(tiny / "config.yaml", ["execution.engine=ray", "execution.processes=3"]))

    told = {"MLFLOW_TRACKING_URI": "http://tracker", "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL"}
    here = {} if address else {"PREFECT_API_URL": "http://here/api"}
    assert asked == [{**expected, "runtime_env": {"env_vars": told | here}}]
