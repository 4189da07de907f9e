"""Killed at any moment, a command leaves a registry that verifies, and running it again finishes it."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.contributions.conftest import write_rows
from tests.helpers.terminal import in_process_of_its_own, started
from tribute.contributions.registry.registry import Registry
from tribute.contributions.registry.verify import verify_registry
from tribute.workspace import Workspace

KILLS = 50 if os.environ.get("TRIBUTE_NIGHTLY") else 5
WHO = ("--by", "steward", "--why", "asked for")
LONGEST = 7.0
"""Seconds after which a command has always ended by itself."""


@pytest.fixture(scope="module")
def prepared(released_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace with one version, and one contribution of cy that is in none yet."""
    folder = tmp_path_factory.mktemp("prepared")
    workspace = shutil.copytree(released_workspace, folder / "workspace")
    file = write_rows(folder / "cy.jsonl", [("Take the mode", "statistics")])
    ended = in_process_of_its_own(*hand_in(file, "cy"), "-w", workspace)
    assert ended.code == 0, ended.err
    return workspace


def hand_in(file: Path, who: str) -> tuple[object, ...]:
    return ("contribute", file, "--contributor", who, "--dataset", "docs", "--licence", "MIT")


@pytest.mark.parametrize("number", range(KILLS))
def test_kill(number: int, prepared: Path, tmp_path: Path):
    """At a random moment of contribute, release, withdraw or erase, with children left running or killed as well."""
    chance = random.Random(number)
    workspace = shutil.copytree(prepared, tmp_path / "workspace")
    cy = next(one for one in Registry.open(Workspace.open(workspace)).snapshot().live if one.startswith("cy-"))
    dan = write_rows(tmp_path / "dan.jsonl", [("Draw a square", "plotting")])
    commands = {
        "contribute": hand_in(dan, "dan"),
        "release": ("release", "docs@v1.1.0"),
        "withdraw": ("withdraw", cy, *WHO),
        "erase": ("erase", cy, *WHO, "--yes"),
    }
    name = list(commands)[number % 4]

    process = started(*commands[name], "-w", workspace, start_new_session=True)
    time.sleep(chance.uniform(0.3, LONGEST))
    if chance.random() < 0.5:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()
    registry = Registry.open(Workspace.open(workspace))
    verify_registry(registry.repository)
    again = in_process_of_its_own(*commands[name], "-w", workspace)
    finished = again.code == 0 or (name == "release" and "docs@v1.1.0 is released already" in again.err)

    assert finished, again.err
    assert verify_registry(registry.repository).entries == 7
    events = [entry.event for entry in registry.entries()]
    assert events[-1] == name
    now = registry.snapshot()
    assert (cy in now.live) == (name not in ("withdraw", "erase"))
    assert (registry.versions()[-1].tag == "docs@v1.1.0") == (name == "release")
