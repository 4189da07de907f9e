"""Runs side by side, and the removal of what nothing refers to."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.helpers.terminal import tribute
from tribute.files import locked
from tribute.pipeline.operations.retention import remove, unused
from tribute.pipeline.runs.runs import all_runs
from tribute.workspace import Workspace


@pytest.fixture
def aged(spare: Path) -> Path:
    """The finished workspace, with every artifact made and used years ago, and a checkpoint of no run."""
    home = Workspace.open(spare)
    (home.scratch / "checkpoints").mkdir(parents=True)
    (home.scratch / "checkpoints" / "state.bin").write_bytes(b"0" * 1000)
    age(home.store.root, home.scratch / "checkpoints")
    return spare


def age(*places: Path) -> None:
    """As if nobody had touched what lies there for years."""
    for path in (each for place in places for each in (*place.rglob("*"), place)):
        os.utime(path, (0, 0))


def test_runs_side_by_side(spare: Path, tiny: Path):
    """A second run with another pool is listed beside the first, with the one setting that differs."""
    config = tiny / "config.yaml"
    assert tribute("reward", config, "--set", "rewards.pool.amount='7.00'", "-w", spare).code == 0

    data = tribute("runs", "-w", spare, "--json").data

    assert sorted(run["run"] for run in data["finished"]) == all_runs(Workspace.open(spare))
    [difference] = data["differences"]
    assert difference["setting"] == "rewards.pool.amount"
    assert sorted(difference["values"]) == ["100.00", "7.00"]
    # The second run has paid the period since.
    assert sorted(run["paid_by"] for run in data["finished"]) == ["", "credit"]
    for run in data["finished"]:
        assert run["mean_loss"] < run["mean_loss_before"]
        assert 0 < run["mean_accuracy"] <= 1


def test_runs_by_name(spare: Path):
    """Named runs alone are shown; a name that there is not is refused, and the answer lists those that there are."""
    [run_id] = all_runs(Workspace.open(spare))

    assert f"{run_id}" in tribute("runs", run_id, "-w", spare).out
    refused = tribute("runs", "tiny-000000000000", "-w", spare)
    assert refused.code == 2
    assert run_id in refused.err


@pytest.mark.parametrize("command", [("inspect",), ("finetune",), ("finetune", "--dry-run")])
def test_before_a_release_the_command_that_makes_it_is_told(tmp_path: Path, tiny: Path, command: tuple[str, ...]):
    """A config with a source has a way to a version that `release NAME@VERSION` has not."""
    tribute("init", tmp_path)

    ended = tribute(*command, tiny / "config.yaml", "-w", tmp_path)

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "tiny@v1.0.0 is not released yet; `tribute release --config CONFIG` makes it" in ended.err


def test_a_new_workspace_has_no_runs(tmp_path: Path):
    """The answer is the command that makes the first."""
    tribute("init", tmp_path / "workspace")

    assert "no run has finished yet" in tribute("runs", "-w", tmp_path / "workspace").out


def test_gc_keeps_all_that_a_run_refers_to(aged: Path):
    """However old, a run's artifacts and what they were made from stay; a checkpoint and a cache of long ago go."""
    [run_id] = all_runs(Workspace.open(aged))

    rehearsed = tribute("gc", "-w", aged, "--dry-run", "--json").data
    assert [entry["artifact_kind"] for entry in rehearsed["unused"]] == ["token_copies", "scratch"]
    assert (aged / "scratch" / "checkpoints").exists()

    assert tribute("gc", "-w", aged, "--json").data == rehearsed
    assert not (aged / "scratch" / "checkpoints").exists()
    assert tribute("verify", "run", run_id, "-w", aged).code == 0


def test_gc_keeps_what_a_period_refers_to(aged: Path):
    """Without the run's record the period alone keeps dataset, adapters, attribution and what was measured."""
    (aged / "runs").rename(aged / "elsewhere")

    kinds = {entry["artifact_kind"] for entry in tribute("gc", "-w", aged, "--dry-run", "--json").data["unused"]}

    assert kinds == {"scratch", "baselines", "token_copies"}
    assert tribute("gc", "-w", aged).code == 0
    (aged / "elsewhere").rename(aged / "runs")
    assert tribute("verify", "period", "2026-11", "--deep", "-w", aged).code == 0


def test_gc_removes_what_nothing_refers_to(aged: Path):
    """With neither run nor period every old artifact goes, and none that was used since; nothing is left half."""
    shutil.rmtree(aged / "runs")
    shutil.rmtree(aged / "rewards")
    home = Workspace.open(aged)
    [dataset] = home.store.all("dataset")
    home.store.get("dataset", dataset.id)
    for name in (".making-0123", ".0123.gone"):
        left = home.store.root / "adapter" / name
        left.mkdir()
        (left / "state.bin").touch()
        age(left)

    assert tribute("gc", "-w", aged).code == 0

    assert [path.name for path in home.store.root.iterdir() if any(home.store.all(path.name))] == ["dataset"]
    assert not list(home.store.root.glob("*/.*"))


def test_gc_keeps_what_a_schedule_finds_again(aged: Path, tiny: Path):
    """Without any record: a weekly fine-tune and its attribution find what they made, and all of it stays."""
    shutil.rmtree(aged / "runs")
    shutil.rmtree(aged / "rewards")
    made = sorted((aged / "artifacts").glob("*/*/manifest.json"))
    for word in ("finetune", "attribute"):
        assert tribute(word, tiny / "config.yaml", "-w", aged).code == 0

    assert tribute("gc", "-w", aged).code == 0

    # Where every training is found nobody asks for tokens or baselines.
    gone = {path.parent.parent.name for path in made if not path.exists()}
    assert gone <= {"token_copies", "baselines"}


def test_gc_leaves_what_is_used_or_made_meanwhile(aged: Path):
    """A run that begins after the list was made finds what it needs; a training that goes on keeps its checkpoints."""
    shutil.rmtree(aged / "runs")
    shutil.rmtree(aged / "rewards")
    home = Workspace.open(aged)
    entries = unused(home, 30)
    [dataset] = home.store.all("dataset")

    home.store.get("dataset", dataset.id)
    with locked(home.scratch / "locks" / "checkpoints"), pytest.MonkeyPatch.context() as patch:
        # What is in progress was asked just before.
        patch.setattr("tribute.pipeline.operations.retention.in_progress", lambda _: 0)
        removed = remove(home, entries, 30)

    left = {each.id for each in entries} - {each.id for each in removed}
    assert left == {dataset.id, "checkpoints"}
    assert (home.scratch / "checkpoints" / "state.bin").exists()
    assert home.store.get("dataset", dataset.id) == dataset


def test_gc_beside_a_training_that_ends(aged: Path, monkeypatch: pytest.MonkeyPatch):
    """Files that vanish while they are looked at are nobody's error, and count as in use."""

    def vanishing(path: Path) -> Iterator[Any]:
        for found in os.walk(path):
            if path.name == "checkpoints":
                shutil.rmtree(path, ignore_errors=True)
            yield found

    monkeypatch.setattr("tribute.pipeline.operations.retention.os", SimpleNamespace(walk=vanishing))

    rehearsed = tribute("gc", "-w", aged, "--dry-run", "--json")

    assert rehearsed.code == 0, rehearsed.err
    assert not (aged / "scratch" / "checkpoints").exists()


def test_gc_of_mlflow_and_locks(aged: Path):
    """Runs of MLflow that no run of Tribute, period or model leads to are deleted; a lock of a killed process goes."""
    address = f"sqlite:///{aged / 'mlflow' / 'mlflow.db'}"
    client = MlflowClient(tracking_uri=address, registry_uri=address)
    [experiment] = [each.experiment_id for each in client.search_experiments() if each.name == "tiny"]
    before = {run.info.run_id for run in client.search_runs([experiment])}
    ended = int(1000 * (time.time() - 90 * 24 * 3600))
    forgotten = client.create_run(experiment, tags={"tribute.dataset": "tiny@v1.0.0", "tribute.run_id": "gone-1"})
    ours = client.create_run(experiment)
    for run_id in (*before, forgotten.info.run_id, ours.info.run_id):
        client.set_terminated(run_id, end_time=ended)
    lock = aged / "scratch" / "locks" / "left"
    lock.touch()
    os.utime(lock, (0, 0))

    (aged / "runs").rename(aged / "elsewhere")
    assert tribute("gc", "--older-than", 1, "-w", aged).code == 0

    left = {run.info.run_id for run in client.search_runs([experiment])}
    # The period leads to the trainings, and a training to its parent.
    assert left == before | {ours.info.run_id}
    assert not lock.exists()


def test_gc_waits_for_work_in_progress(aged: Path):
    """While an artifact is being made nothing is removed: it may be about to use what looks unused."""
    with locked(aged / "scratch" / "locks" / "something"):
        refused = tribute("gc", "-w", aged)

    assert refused.code == 2
    assert f"in progress in {aged}: 1 artifact; run `tribute gc` when that ends" in refused.err
    assert (aged / "scratch" / "checkpoints").exists()
