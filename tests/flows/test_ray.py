"""Theorem: on how many machines a run works changes no byte, and a machine that dies takes nothing with it."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.resources import refuse_nodes, remote_options_of
from tests.flows.ray_nodes import two_nodes
from tests.flows.real_server import QUIET, running_server
from tests.helpers.processes import wait_for
from tests.helpers.terminal import started, tribute
from tribute.config import ExecutionConfig, load_config
from tribute.errors import ConfigError
from tribute.pipeline.launch import preflight
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.workspace import Workspace

MADE = ("dataset", "baselines", "adapters", "attribution", "rewards")
MOST = 900
"""Seconds that a run may take on a busy machine."""
DIES_AFTER = 5
"""Artifacts that are made when the second node dies; a run makes 20."""


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes of one processor each, on this machine."""
    with two_nodes() as nodes:
        yield nodes


def test_a_node_dies_in_mid_run(cluster: Any, untrained: Path, finished: Path, tiny: Path, tmp_path: Path):
    """The run ends on the node that is left, with the artifacts of a run without Ray."""
    with running_server(tmp_path) as (client, _):
        shell = QUIET | {"PREFECT_API_URL": str(client.base_url).rstrip("/"), "RAY_ADDRESS": cluster.address}
        command = ("run", tiny / "config.yaml", "-w", untrained, "--set", "execution.engine=ray")
        process = started(*command, env=os.environ | shell)
        wait_for(
            lambda: process.poll() is not None or len(list(untrained.glob("artifacts/*/*/manifest.json"))) > DIES_AFTER,
            "the first artifacts",
            MOST,
        )
        was_running = process.poll() is None
        [second] = cluster.worker_nodes
        cluster.remove_node(second, allow_graceful=False)
        _, err = process.communicate(timeout=MOST)

    assert was_running, err
    assert process.returncode == 0, err
    (run_id,) = all_runs(Workspace.open(finished))
    on_ray, here = (read_run(Workspace.open(root), run_id) for root in (untrained, finished))
    assert {name: on_ray[name] for name in MADE} == {name: here[name] for name in MADE}


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9"])
def test_an_address_where_nothing_answers(address: str, finished: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch):
    """One line before anything runs."""
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setattr("tribute.pipeline.launch.preflight.find_spec", lambda _: object())

    ended = tribute("run", tiny / "config.yaml", "--set", "execution.engine=ray", "-w", finished)

    assert ended.code == 2
    assert ended.err.startswith(f"tribute: RAY_ADDRESS: no Ray cluster answers at {address} (")
    assert len(ended.err.splitlines()) == 1


def test_an_address_of_something_else(monkeypatch: pytest.MonkeyPatch):
    """A server that is not Ray's: Ray itself would ask it for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{other.getsockname()[1]}")
        monkeypatch.setattr(preflight, "PATIENCE", 0.5)

        with pytest.raises(ConfigError, match=r"no Ray cluster answers at .*\(something else listens there\)"):
            preflight.refuse_engine(ExecutionConfig(engine="ray"))


def test_a_task_asks_for_what_the_plan_says(finished: Path, tiny: Path):
    """Processors, GPUs and memory; the ranks of a training each their part. What knows no dataset asks for nothing."""
    [dataset] = Workspace.open(finished).store.all("dataset")
    asked = {"workspace": str(finished), "dataset": dataset.id}
    alone, shared, on_gpus = (
        remote_options_of(asked | {"config": load_config(tiny / "config.yaml", changes)})
        for changes in (
            [],
            ["finetuning.processes=2"],
            ["finetuning.processes=2", "finetuning.device=cuda"],
        )
    )

    assert (alone["num_cpus"], alone["num_gpus"]) == (1, 0)
    assert 0.4e9 < alone["memory"] < 1e9
    assert (shared["num_cpus"], shared["memory"]) == (2, 2 * alone["memory"])
    assert (on_gpus["num_cpus"], on_gpus["num_gpus"]) == (2, 2)
    assert remote_options_of({"workspace": str(finished)}) == {}


def test_a_task_that_no_node_can_hold():
    """Ray would wait for such a node for ever."""
    nodes = [{"CPU": 8.0, "memory": 4e9}, {"CPU": 2.0, "GPU": 1.0, "memory": 64e9}]

    refuse_nodes(nodes, {"num_cpus": 1, "num_gpus": 1, "memory": 8e9})
    with pytest.raises(ConfigError, match=r"a task takes 4 CPUs, 0 GPUs and 8\.0 GB by the plan, and no node"):
        refuse_nodes(nodes, {"num_cpus": 4, "num_gpus": 0, "memory": 8e9})
