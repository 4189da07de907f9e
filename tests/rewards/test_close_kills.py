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

from tests.helpers.terminal import tree
from tests.rewards.helpers.people import House, make_house
from tribute.artifacts import SEAL, file_digests
from tribute.rewards import close as closing
from tribute.rewards.ledger import journal, ledger, recovery
from tribute.rewards.verification.verify import verify_period

KILLS = 50 if os.environ.get("TRIBUTE_NIGHTLY") else 5
CLOSE = """
import os, sys, time
from pathlib import Path
from tribute.keys import load_key
from tribute.rewards import close
from tribute.workspace import Workspace
def slow(call):
    def slowly(*arguments, **options):
        time.sleep(0.002)
        return call(*arguments, **options)
    return slowly
for name in ("fsync", "rename", "replace", "chmod", "unlink", "rmdir"):
    setattr(os, name, slow(getattr(os, name)))
workspace = Workspace.open(Path(sys.argv[1]))
print("ready", flush=True)
close.close(workspace, "2026-12", "ben", load_key(workspace.keys / "ben"), "2027-01-01")
print("done", flush=True)
"""
"""What the command does once it is imported, so that the kill falls into the work and not into the imports.

Whatever touches the disk is slowed down, or few kills would fall between one touch and the next.
"""


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


@pytest.fixture
def house(approved: House, tmp_path: Path) -> House:
    """A copy that a test may close."""
    return House(shutil.copytree(approved.root, tmp_path / "workspace"), approved.world)


def close(house: House) -> closing.Closing:
    """The second closer's."""
    return closing.close(house.workspace, "2026-12", "ben", house.key("ben"), "2027-01-01")


@pytest.fixture(scope="module")
def seconds(approved: House, tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a close takes that nobody kills."""
    house = House(shutil.copytree(approved.root, tmp_path_factory.mktemp("timed") / "w"), approved.world)
    process = started(house)
    begun = time.monotonic()
    assert process.stdout is not None
    assert process.stdout.readline() == "done\n"
    taken = time.monotonic() - begun
    process.communicate()
    assert ledger.load(house.workspace).closed == ["2026-11", "2026-12"]
    return taken


@pytest.mark.parametrize("number", range(KILLS))
def test_kill(number: int, house: House, seconds: float):
    """After kill -9 at a random moment all is as before or all is closed, and closing again ends closed."""
    chance = random.Random(number)
    draft, before = house.workspace.rewards / "2026-12", tree(house.workspace.rewards)
    digests = file_digests(draft)

    process = started(house)
    time.sleep(seconds * chance.uniform(0, 1.05))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    books = ledger.load(house.workspace)

    assert file_digests(draft) == digests
    assert journal.faults(books.postings) == []
    if books.closed == ["2026-11"]:
        assert tree(house.workspace.rewards) == before
        close(house)
        books = ledger.load(house.workspace)
    month = house.workspace.rewards / "journal" / "2026-12.csv"
    assert books.closed == ["2026-11", "2026-12"]
    assert month.read_bytes() == (draft / "journal.csv").read_bytes()
    assert verify_period(draft)
    assert not list(house.workspace.rewards.glob(".clos*"))


@pytest.mark.parametrize("step", range(1, 9))
def test_a_crash_at_any_step_of_rolling_forward_is_finished(house, step, monkeypatch):
    """From the commit on the period is closed, whatever of it is in place; looking at it finishes the rest."""
    steps = iter(range(1, 100))

    def failing(original):
        def call(*arguments, **options):
            if next(steps) == step:
                raise OSError("the power went out")
            return original(*arguments, **options)

        return call

    def crash(closed):
        for owner, name in ((Path, "rename"), (Path, "replace"), (Path, "chmod"), (shutil, "rmtree")):
            monkeypatch.setattr(owner, name, failing(getattr(owner, name)))
        recovery.roll_forward(closed)

    monkeypatch.setattr(closing, "roll_forward", crash)
    with pytest.raises(OSError, match="the power went out"):
        close(house)
    monkeypatch.undo()

    books = ledger.load(house.workspace)

    assert books.closed == ["2026-11", "2026-12"]
    assert verify_period(house.workspace.rewards / "2026-12")
    assert books.postings
    assert not list(house.workspace.rewards.glob(".clos*"))
    assert (house.workspace.rewards / "2026-12" / SEAL).stat().st_mode & 0o777 == 0o444


def test_a_crash_before_the_commit_leaves_the_draft(house, monkeypatch):
    """Until the one rename nothing is closed, and what lay beside is removed."""
    monkeypatch.setattr(closing, "sync", lambda *_: 1 / 0)
    before = tree(house.workspace.rewards)

    with pytest.raises(ZeroDivisionError):
        close(house)
    monkeypatch.undo()

    assert ledger.load(house.workspace).closed == ["2026-11"]
    assert tree(house.workspace.rewards) == before
    assert close(house).closed
