"""Theorem: who watches is told of every stage by the ids on the page: of the whole run, not of its parts."""

from pathlib import Path
from typing import Any

import pytest
from prefect import flow
from prefect.runtime import flow_run

from flows.contributions import contributions
from flows.runner import with_runner
from tasks.outcome import stage
from tests.helpers.terminal import tribute
from tribute.config import ExecutionConfig, RunConfig, load_config
from tribute.errors import ConfigError
from tribute.pipeline.runs import telemetry


@stage(task_run_name="a slip")
def slip(workspace: str) -> None:
    """Fails, and not for a reason that passes."""
    raise ConfigError(f"{workspace}: a slip")


@flow(name="outer")
def outer(workspace: str, config: RunConfig) -> str:
    """A run whose first stage is a part of it, and whose second fails."""
    contributions(workspace, config)
    slip(workspace, return_state=True)
    return str(flow_run.id)


def test_stages_are_told_by_the_run(engine: None, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The dataset's stage has run, dataset version and the run on the page; a stage that fails is told, too."""
    told: list[Any] = []
    failed: list[Any] = []
    monkeypatch.setenv("TRIBUTE_LOG", "json")
    monkeypatch.setattr(telemetry, "tell_stage", lambda artifact, _cached, run: told.append((artifact.kind, run)))
    monkeypatch.setattr(telemetry, "tell_failure", lambda *about: failed.append(about))
    config = load_config(tiny / "config.yaml")
    assert tribute("init", tmp_path / "workspace").code == 0

    run_id = outer(str(tmp_path / "workspace"), config)

    [(kind, about)] = told
    assert kind == "dataset"
    tag = config.dataset.tag
    assert about == {"run": config.id, "dataset": tag, "flow_run": run_id, "task": f"materialise {tag}"}
    [(name, error, by)] = failed
    assert (name, error, by["flow_run"], by["task"]) == ("slip", "ConfigError", run_id, "a slip")


@stage(task_run_name="piece {number}")
def piece(number: int) -> int:
    """Work that is handed out."""
    return number


@flow(name="pieces")
def pieces(count: int) -> list[int]:
    """Hands out work, and waits for it."""
    return piece.map(list(range(count))).result()


def test_what_waits_is_counted(engine: None, monkeypatch: pytest.MonkeyPatch):
    """Each piece of work counts from when it is handed out until it is done."""
    changes: list[int] = []
    monkeypatch.setenv("TRIBUTE_LOG", "json")
    monkeypatch.setattr(telemetry, "tell_queue", changes.append)

    assert with_runner(pieces, ExecutionConfig(processes=1))(3) == [0, 1, 2]

    assert sorted(changes) == [-1, -1, -1, 1, 1, 1]
    assert changes[0] == 1
