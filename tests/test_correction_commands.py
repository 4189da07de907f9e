"""Theorem: what is put right after a close is one linked entry, or one line that says why not."""

import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.helpers.periods import accrual, correction, refused, said
from tests.helpers.terminal import tree, tribute
from tests.rewards.helpers.people import House, make_house
from tribute.cli._options import posting_day
from tribute.rewards.ledger import ledger
from tribute.workspace import Workspace

SEALED = "lies in 2026-11, which is closed and sealed; post in 2026-12"
NO_DAY = "is not a day; write it like 2026-11-30, without time or time zone"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> House:
    """November is closed; read only."""
    house = make_house(tmp_path_factory.mktemp("house") / "workspace")
    house.close("2026-11")
    return house


@pytest.fixture
def closed(ready: House, tmp_path: Path) -> House:
    return House(shutil.copytree(ready.root, tmp_path / "workspace"), ready.world)


def test_a_correction_that_would_be(closed: House):
    """A dry run of a correction shows its entries and posts none."""
    before = tree(closed.workspace.rewards)

    for verb in ("correct", "claw-back"):
        assert "Would be posted" in tribute(*correction(closed, verb, "5.00", "--dry-run"), "-w", closed.root).out

    assert tree(closed.workspace.rewards) == before


def test_what_was_handed_over_is_not_reversed(closed: House):
    """What a payables.csv holds stays payable until the bank has answered."""
    closed.close("2026-12")
    books = ledger.load(closed.workspace)
    [made] = {row.entry_id for row in books.postings if row.event == "PAYABLE" and row.contributor_id == "numpy"}

    line = refused(closed, "period", "reverse", made, "--why", "slip", "--date", "2027-01-02")

    assert f"{made} made payable what a payables.csv has handed over" in line
    assert "take in the bank's answer first: `tribute pay reconcile`" in line


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("2026-11-000099", "there is no entry 2026-11-000099 in"),
        ("2026-11-000003", "would be overdrawn by"),
    ],
)
def test_entries_that_cannot_be_reversed(closed: House, entry: str, message: str):
    """One that is not there, and an accrual whose money has gone on."""
    assert message in refused(closed, "period", "reverse", entry, "--why", "slip", "--date", "2026-12-04")


def test_corrections_are_linked(closed: House):
    """Correct, claw back and reverse each post linked entries, once."""
    for verb, amount, events in (
        ("correct", "200.00", ["RESERVE", "ADJUST"]),
        ("correct", "-12.50", ["ADJUST"]),
        ("claw-back", "40.00", ["CLAWBACK"]),
    ):
        made = said(closed, *correction(closed, verb, amount))["postings"]
        again = said(closed, *correction(closed, verb, amount))["postings"]

        assert [row["event_type"] for row in made[::2]] == events
        assert made[-1]["ref_entry_id"].startswith("2026-11-")
        assert again == []
    mirrored = said(closed, "period", "reverse", made[0]["entry_id"], "--why", "slip", "--date", "2026-12-04")

    assert [(row["account"], row["debit_minor"]) for row in mirrored["postings"]] == [
        (row["account"], row["credit_minor"]) for row in made
    ]


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ("0", "amount '0' is zero"),
        ("1.001", "amount '1.001' has 3 decimals, EUR has 2"),
        ("1e3", "amount '1e3' is not a plain decimal; write it like 1000.00 or -1000.00"),
        ("--5", "amount '--5' is not a plain decimal"),
        ("nan", "amount 'nan' is not a plain decimal"),
    ],
)
def test_amounts_that_are_none(closed: House, amount: str, message: str):
    """Zero, too many decimals, exponents and NaN post nothing."""
    assert message in refused(closed, *correction(closed, "correct", amount))


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("=HYPERLINK(1)", "reason_code '=HYPERLINK(1)' could be run as a formula by a spreadsheet"),
        ("two\nlines", "expected one line of at most 200 printable characters"),
        ("x" * 201, "expected one line of at most 200 printable characters"),
    ],
)
def test_reasons_that_do_not_fit_a_journal(closed: House, reason: str, message: str):
    """A reason is a line of text that no program runs."""
    arguments = list(correction(closed, "correct", "5.00"))
    arguments[arguments.index("--why") + 1] = reason

    assert message in refused(closed, *arguments)


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("2026-11-30", SEALED),
        ("1970-01-01", "lies outside the open period 2026-12"),
        ("2027-01-01", "lies outside the open period 2026-12; close that first, or give a day of it"),
        ("2026-12-02", "is before the ledger's last posting on 2026-12-03; give that day or a later one"),
        ("2026-12-32", NO_DAY),
        ("2026-12-3", NO_DAY),
        ("20261203", NO_DAY),
        ("3.12.2026", NO_DAY),
        ("2026-12-03T23:59:59-12:00", NO_DAY),
        ("yesterday", NO_DAY),
        ("", NO_DAY),
    ],
)
def test_days_on_which_nothing_can_be_posted(closed: House, day: str, message: str):
    """Clocks and time zones: a day of another month, before the last posting, or that is none."""
    said(closed, *correction(closed, "correct", "1.00"))
    for verb in ("correct", "claw-back"):
        assert message in refused(closed, *correction(closed, verb, "5.00")[:-1], day)
    assert message in refused(closed, "period", "reverse", accrual(closed), "--why", "slip", "--date", day)


def test_the_day_by_default_is_the_one_in_utc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever the computer's time zone; at any hour it is another day in one of these two."""
    home = Workspace.create(tmp_path / "workspace")
    days = set()
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        days.add(posting_day(home, None))
    monkeypatch.undo()
    time.tzset()

    assert days <= {datetime.now(UTC).date().isoformat(), (datetime.now(UTC) - timedelta(1)).date().isoformat()}
    assert len(days) == 1
