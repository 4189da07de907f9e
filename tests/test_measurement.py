"""Theorem: a new attribution method is a measurement and its line in the plan; all else follows the plan."""

from pathlib import Path

import pytest

from tests.helpers.terminal import tribute
from tribute.artifacts import Kind
from tribute.attribution import plan
from tribute.attribution.measurement import Measurement, Run
from tribute.files import write_json
from tribute.finetuning.workers import Folders, Key
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.progress import Progress
from tribute.workspace import Workspace


def toy_job(run: Run, seed: int, folders: Folders, progress: Progress) -> None:
    """Runs in a child: says which adapter it looked at."""
    write_json(folders.result / "toy.json", {"adapter": run.adapter(seed).id})
    progress(1, 1)


def toy_key(run: Run, seed: int) -> Key:
    """Of the adapter alone."""
    return Key({"adapter": run.adapter(seed).id}, {})


TOY = Measurement(Kind("toy", __name__), "toy of seed {}", lambda run: run.seeds, toy_key, toy_job)


def test_a_toy_measurement_is_measured_recorded_and_shown(spare: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """By a line in the plan: its artifacts, the attribution's inputs, verification and the report's list have it."""
    monkeypatch.setattr(plan, "MEASUREMENTS", (*plan.MEASUREMENTS, TOY))
    home, config = Workspace.open(spare), tiny / "config.yaml"

    ended = [tribute(name, config, "-w", spare) for name in ("attribute", "reward")]

    assert [one.code for one in ended] == [0, 0], ended[-1].err
    record = read_run(home, all_runs(home)[0])
    toys = {toy.json("toy.json")["adapter"]: toy.id for toy in home.store.all("toy")}
    assert len(toys) == 2
    assert set(toys) == set(record["adapters"].values())
    inputs = home.store.get("attribution", record["attribution"]).inputs
    assert [inputs["toy-0"], inputs["toy-1"]] == [toys[id_] for id_ in record["adapters"].values()]
    page = (spare / "report.html").read_text()
    assert all(f"toy {place}" in page and inputs[f"toy-{place}"][:12] in page for place in (0, 1))
    assert "toy" in tribute("verify", "run", record["run_id"], "-w", spare).out


def test_without_its_line_nothing_is_measured(finished: Path):
    """The plan as it is."""
    assert list(Workspace.open(finished).store.all("toy")) == []
