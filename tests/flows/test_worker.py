"""Theorem: a worker that is told to end does so within its seconds, and no step of a training is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.flows.real_server import QUIET, ROOT, post, run, running_server, until
from tests.helpers.processes import MARK, group, making, needs_proc, wait_for
from tribute.pipeline.launch.end_runs import GRACE

MOST = 300
"""Seconds that a run may take to its trainings on a busy machine."""


@contextmanager
def worker(client: httpx.Client, workspace: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker as a shell starts one in the background: it ignores interrupts."""
    shell = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    shell |= QUIET | {"PREFECT_API_URL": str(client.base_url).rstrip("/"), MARK: str(workspace)}
    said = workspace.with_name("worker.log")
    with said.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.worker", "--limit", "1"],
            cwd=ROOT,
            env=shell | {"TRIBUTE_WORKSPACE": str(workspace)},
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN) and None,
        )
    try:
        yield process
    except BaseException as error:
        error.add_note(said.read_text(errors="replace")[-4000:])
        raise
    finally:
        process.kill()
        process.wait()


@needs_proc
def test_sigterm_saves_what_was_trained(untrained: Path, tiny: Path, tmp_path: Path):
    """Each training ends at a checkpoint of its last step, the server hears of it, and starts the run again."""
    long = tmp_path / "long.yaml"
    long.write_text((tiny / "config.yaml").read_text().replace("epochs: 4", "epochs: 4000"))
    for name in ("base", "policy.yaml", "source"):
        (tmp_path / name).symlink_to(tiny / name)
    with running_server(tmp_path) as (client, log):
        for command in (("flows.setup",), ("prefect", "--no-prompt", "deploy", "-n", "finetune")):
            done = run(client, *command)
            assert done.returncode == 0, done.stdout + done.stderr
        [deployment] = post(client, "/deployments/filter", {"deployments": {"name": {"any_": ["finetune"]}}})
        order = {"parameters": {"config_file": str(long)}, "state": {"type": "SCHEDULED"}}
        flow = post(client, f"/deployments/{deployment['id']}/create_flow_run", order)
        with worker(client, untrained) as process:
            until(MOST, "training", log, lambda: len(list(untrained.glob("scratch/*/curve.jsonl"))) == 2)
            asked = time.monotonic()
            process.terminate()
            assert process.wait(2 * GRACE) == 0
            took = time.monotonic() - asked
            wait_for(lambda: group(untrained) == [], "the end of the run and its trainings")
        states = until(60, "second start", log, lambda: _states(client, flow["id"]))

    assert took < GRACE
    assert making(untrained) == []
    for curve in untrained.glob("scratch/*/curve.jsonl"):
        steps = len(curve.read_text().splitlines())
        assert (curve.parent / f"checkpoint-{steps}").is_dir()
    assert "Crashed" in states


def _states(client: httpx.Client, flow: str) -> list[str]:
    """The names of the run's states, once the automation has scheduled it again."""
    answer = client.get("/flow_run_states/", params={"flow_run_id": flow})
    names = [state["name"] for state in answer.json()]
    return names if "AwaitingRetry" in names else []
