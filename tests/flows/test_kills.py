"""Theorem: whatever is killed, and whenever, the run ends with the bytes of an undisturbed one; no orphan stays."""

import multiprocessing
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from flows import finetuning as learning
from tests.flows.real_server import QUIET, STARTS, healthy
from tests.helpers.processes import MARK, group, making, needs_proc, trainings, wait_for
from tests.helpers.terminal import started
from tribute.config import load_config
from tribute.pipeline.runs.runs import all_runs, read_run
from tribute.pipeline.stages.learned import materialised
from tribute.workspace import Workspace

ROUNDS = 10 if os.environ.get("TRIBUTE_NIGHTLY") else 1
"""Of five kills each, with a seed of its own."""
LAST = 16
"""Kills come before so many artifacts are made; a run makes 20."""
MOST = 600
"""Seconds that a run may take on a busy machine."""
KINDS = ("flow", "training", "server")
"""What is killed."""
MADE = ("dataset", "baselines", "adapters", "attribution", "rewards")


class Server:
    """A Prefect server that can be killed and started again where it was."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.folder, self.url = folder, f"http://127.0.0.1:{self.port}/api"
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        shell = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=shell | QUIET | {"PREFECT_HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        with httpx.Client(base_url=self.url, timeout=30) as client:
            wait_for(lambda: healthy(client), "a healthy server", STARTS)

    def kill(self) -> None:
        """kill -9."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for all rounds."""
    own = Server(tmp_path_factory.mktemp("server"))
    yield own
    own.kill()


class Disturbed:
    """A run that is started again whenever it ended too early."""

    def __init__(self, workspace: Path, config: Path, server: Server) -> None:
        self.workspace, self.command = workspace, ("run", config, "-w", workspace)
        self.shell = os.environ | QUIET | {MARK: str(workspace), "PREFECT_API_URL": server.url}
        self.flow = started(*self.command, env=self.shell)

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Go on until then."""
        wait_for(lambda: is_so() or self._goes_on_again(), what, MOST)

    def _goes_on_again(self) -> bool:
        if self.flow.poll() is not None:
            self.flow = started(*self.command, env=self.shell)
        return False

    def kill(self, victim: str, server: Server, chance: random.Random) -> None:
        """kill -9 of one of KINDS."""
        if victim == "flow":
            self.flow.kill()
            self.flow.communicate()
            wait_for(lambda: group(self.workspace) == [], "the end of all that the flow had started")
        elif victim == "server":
            server.kill()
            server.start()
        else:
            self.until(lambda: trainings(self.workspace) != [], "a training")
            os.kill(chance.choice(trainings(self.workspace)), signal.SIGKILL)


@needs_proc
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_kills_at_random_moments(seed: int, server: Server, untrained: Path, finished: Path, tiny: Path):
    """kill -9 of the flow, of what trains or measures, and of the server; then the same command once more."""
    chance = random.Random(seed)
    victims = chance.sample([*KINDS, *chance.choices(KINDS, k=2)], 5)
    run = Disturbed(untrained, tiny / "config.yaml", server)

    for victim, moment in zip(victims, sorted(chance.sample(range(LAST), 5)), strict=True):
        run.until(partial(is_made, untrained, moment), f"{moment} artifacts")
        time.sleep(chance.uniform(0, 0.5))
        run.kill(victim, server, chance)
    run.flow.communicate(timeout=MOST)
    last = started(*run.command, env=run.shell)
    _, err = last.communicate(timeout=MOST)

    assert last.returncode == 0, err
    wait_for(lambda: group(untrained) == [], "the end of all processes")
    assert making(untrained) == []
    (run_id,) = all_runs(Workspace.open(finished))
    disturbed, in_peace = (read_run(Workspace.open(root), run_id) for root in (untrained, finished))
    assert {name: disturbed[name] for name in MADE} == {name: in_peace[name] for name in MADE}


def is_made(workspace: Path, least: int) -> bool:
    """Whether so many artifacts are."""
    return len(list(workspace.glob("artifacts/*/*/manifest.json"))) >= least


def test_a_killed_training_is_tried_again(engine: None, untrained: Path, tiny: Path):
    """The kernel kills a training, as where memory runs out: its task starts it again, from its last checkpoint."""
    home, config = Workspace.open(untrained), load_config(tiny / "config.yaml", ["finetuning.epochs=24"])
    dataset = materialised(home, config.dataset.tag)
    killed: list[int] = []

    def kill_after_checkpoint() -> None:
        for _ in range(600):
            pids = [child.pid for child in multiprocessing.active_children()]
            if pids and any(untrained.glob("scratch/*/checkpoint-*")):
                os.kill(pids[0], signal.SIGKILL)
                killed.append(pids[0])
                return
            time.sleep(0.05)

    killer = threading.Thread(target=kill_after_checkpoint)
    killer.start()
    disturbed = learning.run(str(untrained), config, dataset.id)
    killer.join()
    for path in (untrained / "artifacts" / "adapter").iterdir():
        shutil.rmtree(path)
    in_peace = learning.run(str(untrained), config, dataset.id)

    assert killed
    assert disturbed["adapters"] == in_peace["adapters"]
