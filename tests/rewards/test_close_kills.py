"""Killed at any moment, `close` leaves a period that is closed or not, never one that is half closed."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rewards.people import House, make_house
from tests.terminal import tree
from tribute.artifacts import file_digests
from tribute.rewards import closing, journal, ledger, verify_period

KILLS = 50 if os.environ.get("TRIBUTE_NIGHTLY") else 5
CLOSE = """
import sys
from pathlib import Path
from tribute.contributions.signing import load_key
from tribute.rewards import closing
from tribute.workspace import Workspace
workspace = Workspace.open(Path(sys.argv[1]))
print("ready", flush=True)
closing.close(workspace, "2026-12", "ben", load_key(workspace.keys / "ben"), "2027-01-01")
print("done", flush=True)
"""
"""What the command does once it is imported, so that the kill falls into the work and not into the imports."""


def started(house: House) -> "subprocess.Popen[str]":
    """A close that has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", CLOSE, str(house.root)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture(scope="module")
def approved(tmp_path_factory: pytest.TempPathFactory) -> House:
    """November is closed, December approved by one; read only."""
    house = make_house(tmp_path_factory.mktemp("house") / "workspace")
    house.close("2026-11")
    house.pay("2026-12")
    closing.close(house.workspace, "2026-12", "anna", house.key("anna"), "2027-01-01")
    return house


@pytest.fixture(scope="module")
def seconds(approved: House, tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a close takes that nobody kills."""
    house = House(shutil.copytree(approved.root, tmp_path_factory.mktemp("timed") / "w"), approved.world)
    process = started(house)
    begun = time.monotonic()
    process.communicate()
    assert ledger.read(house.workspace).closed == ["2026-11", "2026-12"]
    return time.monotonic() - begun


@pytest.mark.parametrize("number", range(KILLS))
def test_kill(number: int, approved: House, seconds: float, tmp_path: Path):
    """After kill -9 at a random moment all is as before or all is closed, and closing again ends closed."""
    chance = random.Random(number)
    house = House(shutil.copytree(approved.root, tmp_path / "workspace"), approved.world)
    draft, before = house.workspace.rewards / "2026-12", tree(house.workspace.rewards)
    digests = file_digests(draft)

    process = started(house)
    # The commit comes in the last fifth: half of the kills fall there.
    time.sleep(seconds * chance.choice([chance.uniform(0, 1), chance.uniform(0.7, 1.05)]))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    books = ledger.read(house.workspace)

    assert file_digests(draft) == digests
    assert journal.faults(books.rows) == []
    if books.closed == ["2026-11"]:
        assert tree(house.workspace.rewards) == before
        closing.close(house.workspace, "2026-12", "ben", house.key("ben"), "2027-01-01")
        books = ledger.read(house.workspace)
    month = house.workspace.rewards / "journal" / "2026-12.csv"
    assert books.closed == ["2026-11", "2026-12"]
    assert month.read_bytes() == (draft / "journal.csv").read_bytes()
    assert verify_period(draft)
    assert not list(house.workspace.rewards.glob(".clos*"))
