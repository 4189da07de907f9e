"""A run that crashes every time ends; one whose worker is planned to stop goes on; a bad form is no crash."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from prefect.states import Completed, Crashed, Running

from tasks import parameters
from tribute.config import ExecutionConfig
from tribute.errors import ConfigError, WorkspaceError

DIED = Crashed(message="Process exited with status code: -9.")
STOPPED = Crashed(message=parameters.ASKED)


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
