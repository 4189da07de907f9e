"""A run that crashes every time ends; one whose worker is planned to stop goes on; a bad form is no crash."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import StateType
from prefect.states import Cancelled, Completed, Crashed, Failed, Running

from flows.deployed import attribute, finetune
from tasks import parameters
from tribute.config import ExecutionConfig
from tribute.errors import ConfigError, WorkspaceError
from tribute.pipeline.launch.parameters import config_of
from tribute.workspace import Workspace

DIED = Crashed(message="Process exited with status code: -9.")
STOPPED = Crashed(message=parameters.ASKED)
HOOKS = {
    StateType.COMPLETED: "on_completion_hooks",
    StateType.FAILED: "on_failure_hooks",
    StateType.CRASHED: "on_crashed_hooks",
    StateType.CANCELLED: "on_cancellation_hooks",
}


def starts(monkeypatch: pytest.MonkeyPatch, *ends: Any) -> None:
    """A run that is started once more after these ends."""
    states = [state for end in ends for state in (Running(), end)]
    server = SimpleNamespace(read_flow_run_states=lambda _id: states)
    monkeypatch.setattr(parameters, "get_client", lambda sync_client: nullcontext(server))
    monkeypatch.setattr(parameters, "flow_run", SimpleNamespace(run_count=1 + len(ends), id=str(uuid4())))
    monkeypatch.delenv("TRIBUTE_WORKSPACE", raising=False)


def begin_with_config() -> None:
    """As `finetune` begins."""
    parameters.begin("", None, "absent.yaml")


def begin_with_workspace() -> None:
    """As `release-check` begins."""
    parameters.open_workspace("", ExecutionConfig())


@pytest.mark.parametrize("begin", [begin_with_config, begin_with_workspace])
def test_a_run_that_dies_three_times_ends(begin: Any, monkeypatch: pytest.MonkeyPatch):
    """Whatever a deployment takes: an automation would start it again for ever."""
    starts(monkeypatch, DIED, STOPPED, DIED, DIED)

    with pytest.raises(ConfigError, match="ended without an answer 3 times"):
        begin()


@pytest.mark.parametrize("ends", [[STOPPED] * 9, [DIED, DIED, *[STOPPED] * 9], [DIED, DIED, Completed()]])
def test_a_planned_end_is_no_crash(ends: list[Any], monkeypatch: pytest.MonkeyPatch):
    """A week's training outlives any number of restarts of its worker."""
    starts(monkeypatch, *ends)

    with pytest.raises(WorkspaceError, match="no workspace"):
        begin_with_workspace()


@pytest.mark.parametrize(("month", "title"), [("2026-11", "usage of 2026-11"), ("2026-13", "usage of 2026-13")])
def test_a_month_that_is_none_names_a_run(month: str, title: str, monkeypatch: pytest.MonkeyPatch):
    """The run's body refuses it in a line; an error in its name would count as a crash, and start it again."""
    monkeypatch.setattr(parameters, "flow_run", SimpleNamespace(parameters={"month": month}, scheduled_start_time=None))

    assert parameters.explained_month() == title


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (Completed(), "FINISHED"),
        (Failed(), "FAILED"),
        (DIED, "FAILED"),
        (Cancelled(), "KILLED"),
    ],
)
def test_mlflow_hears_of_every_end(
    state: Any, status: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Of the run that learned from the form's version, in place of the config's."""
    ends: list[Any] = []
    monkeypatch.setattr(parameters.tracked, "track_end", lambda _home, config, how: ends.append((config.id, how)))
    home = Workspace.create(tmp_path / "workspace")
    file = tiny / "config.yaml"
    given = {"workspace": str(home.root), "config": None, "config_file": str(file), "dataset": "tiny@v1.2.0"}

    for flow in (finetune, attribute):
        [hook] = getattr(flow, HOOKS[state.type])
        hook(flow, SimpleNamespace(parameters=given), state)

    assert ends == [(config_of(None, str(file), tmp_path, tag="tiny@v1.2.0").id, status)] * 2
