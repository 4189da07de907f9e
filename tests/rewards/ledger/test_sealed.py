"""Theorem: nothing is posted on, and no status shown of, a ledger whose closed months are not what was closed."""

import re
import shutil

import pytest

from tests.helpers.periods import refused
from tests.helpers.terminal import tribute
from tests.rewards.helpers.people import House
from tests.rewards.ledger.test_ledger import reserve
from tribute.artifacts import SEAL
from tribute.errors import IntegrityError
from tribute.rewards.ledger import ledger


@pytest.fixture
def house(writable_house: House) -> House:
    return writable_house


def lines_lost(rewards):
    path = rewards / "journal" / "2026-12.csv"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))


def bytes_lost(rewards):
    path = rewards / "journal" / "2026-12.csv"
    path.write_bytes(path.read_bytes()[:-30])


def other_currency(rewards):
    path = rewards / "journal" / "2026-12.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*lines[:4], lines[4].replace("EUR", "USD"), *lines[5:]]), encoding="utf-8")


def month_lost(rewards):
    (rewards / "journal" / "2026-11.csv").unlink()


def seal_lost(rewards):
    (rewards / "2026-11" / SEAL).unlink()


def last_seal_lost(rewards):
    (rewards / "2026-12" / SEAL).unlink()


def folder_lost(rewards):
    shutil.rmtree(rewards / "2026-12")


def first_lost(rewards):
    shutil.rmtree(rewards / "2026-11")
    (rewards / "journal" / "2026-11.csv").unlink()


def other_month(rewards):
    shutil.rmtree(rewards / "2026-12")
    shutil.copytree(rewards / "2026-11", rewards / "2026-12")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lines_lost, "journal/2026-12.csv: not the month that 2026-12 was closed with; restore the file"),
        (bytes_lost, "journal/2026-12.csv: not the month that 2026-12 was closed with; restore the file"),
        (other_currency, "journal/2026-12.csv: not the month that 2026-12 was closed with; restore the file"),
        (month_lost, "journal/2026-11.csv: not the month that 2026-11 was closed with; restore the file"),
        (seal_lost, "2026-11/manifest.dsse.json: seal missing, though 2026-11 was closed; restore it"),
        (last_seal_lost, "2026-12/manifest.dsse.json: seal missing, though 2026-12 was closed; restore it"),
        (folder_lost, "2026-12: missing, though 2026-12 was closed; restore it"),
        (first_lost, "2026-11: missing, though 2026-11 was closed; restore it"),
        (other_month, "2026-12/manifest.json: of period 2026-11, expected 2026-12; restore the folder"),
    ],
)
def test_a_damaged_past_stops_everything(house: House, damage, said: str):
    """Posting, status and verification name the file and change nothing."""
    damage(house.workspace.rewards)

    with pytest.raises(IntegrityError, match=re.escape(said)):
        ledger.post(house.workspace, [reserve(5, day="2027-01-05")])
    for command in (
        ("period", "release", "--date", "2027-01-20"),
        ("period", "status"),
        ("verify", "period", "2026-12"),
    ):
        assert said in refused(house, *command)


def test_a_middle_month_without_its_folder_is_named(house: House):
    """Between two closed months there is one."""
    house.close("2027-01")
    shutil.rmtree(house.workspace.rewards / "2026-12")

    assert "2026-12: missing, though 2026-12 was closed" in refused(house, "period", "status")


@pytest.mark.parametrize("column", ["reason_code", "debit_minor"])
def test_the_open_month_is_one_chain_with_the_sealed(house: House, column: str):
    """A line that was changed since it was posted stops posting, too."""
    ledger.post(house.workspace, [reserve(5, day="2027-01-05", reason="gift")])
    path = house.workspace.rewards / "journal" / "2027-01.csv"
    old, new = {"reason_code": (b"gift", b"loan"), "debit_minor": (b",5,0,", b",x,0,")}[column]
    path.write_bytes(path.read_bytes().replace(old, new, 1))

    with pytest.raises(IntegrityError, match=r"journal/2027-01\.csv: .*; restore the file"):
        ledger.post(house.workspace, [reserve(6, "l", "2027-01-06")])


def test_a_draft_under_another_name_does_not_verify(house: House):
    """The manifest's month is the folder's."""
    house.pay("2027-01")
    rewards = house.workspace.rewards
    (rewards / "2027-01").rename(rewards / "2027-02")

    ended = tribute("verify", "period", "2027-02", "-w", house.root)

    assert ended.code == 2
    assert "2027-02/manifest.json: of period 2027-01, expected 2027-02" in ended.err
