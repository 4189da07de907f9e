"""Theorem: nothing happens on a day that has not come, and a ledger of real days is never given other ones."""

import json
import shutil
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.terminal import tribute
from tests.rewards.helpers.disputing import opened, say
from tests.rewards.helpers.people import House
from tests.rewards.ledger.test_ledger import reserve
from tribute.errors import IntegrityError, RewardError
from tribute.rewards import close as closing
from tribute.rewards.ledger import calendar, ledger
from tribute.rewards.ledger.calendar import Calendar
from tribute.rewards.verification.verify import verified
from tribute.rewards.verification.workspace_checks import verify_ledger
from tribute.workspace import Workspace


def today() -> str:
    return datetime.now(UTC).date().isoformat()


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    """A ledger of real days without a posting."""
    home = Workspace.create(tmp_path / "w")
    home.rewards.mkdir()
    return home


@pytest.fixture
def house(november: House, tmp_path) -> House:
    """A copy of a workspace in which November is closed and the simulation has reached 5 December."""
    house = House(shutil.copytree(november.root, tmp_path / "workspace"), november.world)
    (house.workspace.rewards / calendar.FILE).unlink()
    (house.workspace.rewards / calendar.FILE).write_text('{"time_zone": "UTC", "simulated": "2026-12-05"}')
    return house


@given(st.dates(), st.dates(), st.dates())
def test_a_day_is_between_the_last_posting_and_today(last, day, now):
    """last event ≤ day ≤ today, and no other day."""
    books = Calendar(simulated=now.isoformat())

    if last <= day <= now:
        assert books.check_day(day.isoformat(), last.isoformat()) == day.isoformat()
    else:
        with pytest.raises(RewardError, match=r"is before the ledger's last posting|has not come yet"):
            books.check_day(day.isoformat(), last.isoformat())


def test_tomorrow_cannot_be_posted(workspace: Workspace):
    """A real ledger takes today's postings and none of tomorrow."""
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()

    with pytest.raises(RewardError, match=f"{tomorrow} has not come yet: today in UTC is"):
        ledger.post(workspace, [reserve(1, day=tomorrow)])
    assert ledger.post(workspace, [reserve(1, day=today())])


@pytest.mark.parametrize(
    ("zone", "other"), [("Pacific/Kiritimati", "Etc/GMT+12"), ("Etc/GMT+12", "Pacific/Kiritimati")]
)
def test_days_begin_as_in_the_time_zone(workspace: Workspace, zone: str, other: str, monkeypatch):
    """Today is the configured zone's, whatever the computer's; these two never have the same day."""
    monkeypatch.setenv("TZ", other)

    assert calendar.set_time_zone(workspace.rewards, zone).today != Calendar(other).today
    assert calendar.read_calendar(workspace.rewards).record == {"time_zone": zone}


def test_an_unknown_time_zone_is_refused(workspace: Workspace):
    """By name, with what a name looks like; nothing is written."""
    for zone in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(RewardError, match="is unknown; write it like Europe/Berlin"):
            calendar.set_time_zone(workspace.rewards, zone)
    assert not (workspace.rewards / calendar.FILE).exists()


def test_a_ledger_of_real_days_is_never_simulated(workspace: Workspace):
    """Once something is posted, no simulated clock can be set; before that it can."""
    ledger.post(workspace, [reserve(1, day=today())])

    with pytest.raises(RewardError, match="has postings of real days"):
        calendar.simulate(workspace.rewards, "2030-01-01")
    assert calendar.read_calendar(workspace.rewards) == Calendar()


def test_a_simulation_never_goes_back(workspace: Workspace):
    """Its day moves on, and stays where an earlier one is given."""
    days = [calendar.simulate(workspace.rewards, day).today for day in ("2026-01-31", "2026-03-01", "2026-02-01")]

    assert days == ["2026-01-31", "2026-03-01", "2026-03-01"]


def test_manifests_and_disputes_say_that_days_are_simulated(house: House):
    """The sealed manifest of a simulation says so, and so does the dispute; one of real days says nothing."""
    manifest = json.loads((house.workspace.rewards / "2026-11" / "manifest.json").read_text(encoding="utf-8"))

    assert manifest["identity"]["config"]["calendar"] == {"clock": "simulated"}
    assert opened(house).events[0]["clock"] == "simulated"


def test_a_manifest_of_real_days_is_as_it_was(paid):
    """No key joins the manifest where the calendar is the default."""
    assert "calendar" not in paid.identity["config"]


@pytest.mark.parametrize(
    "words",
    [
        ("dispute", "open", "2026-11-numpy", "--by", "numpy", "--why", "more"),
        ("dispute", "evidence", "2026-11-scipy-1", "{file}", "--by", "scipy", "--why", "see"),
        ("dispute", "decide", "2026-11-scipy-1", "--amount", "5", "--as", "rita", "--key", "{key}", "--why", "yes"),
        ("period", "release"),
        ("period", "correct", "{entry}", "--contributor", "numpy", "--amount", "5.00", "--why", "late"),
        ("period", "claw-back", "{entry}", "--contributor", "numpy", "--amount", "5.00", "--why", "copies"),
        ("period", "reverse", "{entry}", "--why", "slip"),
        ("period", "close", "2026-12", "--as", "anna", "--key", "{key}"),
        ("pay", "reconcile", "{file}"),
        ("pay", "settle", "2026-11-numpy-EUR", "paid", "--by", "fay", "--why", "seen"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_no_command_takes_a_day_that_has_not_come(house: House, tmp_path, words, dry_run):
    """Every command that takes a day, whether it posts or not, and also where it only rehearses."""
    opened(house, "scipy")
    file = tmp_path / "bank.csv"
    file.write_text("end_to_end_id,currency,amount,status,booked_at,reason\n202611-0,EUR,1.00,paid,2026-12-02,\n")
    entry = ledger.load(house.workspace).find("2026-11/ACCRUE/evaluation/EUR/numpy")[0].entry_id
    names = {"file": file, "key": house.root / "keys" / "rita", "entry": entry}
    command = [word.format(**names) for word in words]

    ended = tribute(*command, "--date", "2026-12-06", "-w", house.root, *dry_run)

    assert (ended.code, ended.out) == (2, "")
    assert "2026-12-06 has not come yet: the simulation has reached 2026-12-05" in ended.err


def test_a_dispute_takes_no_day_before_the_last_posting(house: House):
    """Also where it holds nothing, so that no window can be entered once it is over."""
    ledger.post(house.workspace, [reserve(1, day="2026-12-05")])

    for name in ("numpy", "copycat"):
        with pytest.raises(RewardError, match="2026-12-04 is before the ledger's last posting on 2026-12-05"):
            opened(house, name, "2026-12-04")


def test_a_month_closes_only_when_it_is_over(house: House):
    """The day after its last has to have come."""
    house.pay("2026-12")

    with pytest.raises(RewardError, match="2027-01-01 has not come yet"):
        closing.close(house.workspace, "2026-12", "anna", house.key("anna"), "2027-01-01")
    with pytest.raises(RewardError, match="2026-12 is not over on 2026-12-05"):
        closing.close(house.workspace, "2026-12", "anna", house.key("anna"), "2026-12-05")


def test_a_draft_of_another_calendar_is_not_closed(house: House):
    """Who edits the calendar's file makes no real month of a simulated one."""
    draft = house.pay("2026-12")
    (house.workspace.rewards / calendar.FILE).write_text('{"time_zone": "Etc/GMT+12", "simulated": "2027-01-05"}')

    with pytest.raises(RewardError, match="calendar has changed since"):
        closing.close(house.workspace, "2026-12", "anna", house.key("anna"), "2027-01-01")

    (house.workspace.rewards / calendar.FILE).unlink()
    again = house.pay("2026-12")
    assert again.id != draft.id
    with pytest.raises(IntegrityError, match="days of 2026-11 and of 2026-12 are simulated and real"):
        verify_ledger(house.workspace.rewards, verified(again.path)[0])


def test_the_clock_is_told_and_moved_by_a_command(workspace: Workspace):
    """`period clock` says the day, sets the zone, and moves a simulation on."""
    home = ("-w", workspace.root)

    assert tribute("period", "clock", *home).out == f"today is {today()} in UTC\n"
    moved = tribute("period", "clock", "--simulate", "2027-02-03", *home)
    assert moved.out == "today is 2027-02-03 in UTC (simulated; manifests say so)\n"
    assert tribute("period", "clock", "--simulate", "3 February", *home).code == 2
    assert tribute("period", "clock", *home, "--json").data["simulated"] is True


def test_a_spoiled_calendar_is_one_line(workspace: Workspace):
    """It names the file and what belongs there."""
    for content in ("{", '{"zone": "UTC"}', '{"time_zone": "Nowhere"}', '{"time_zone": "UTC", "simulated": "soon"}'):
        (workspace.rewards / calendar.FILE).write_text(content)
        with pytest.raises(RewardError, match=r"calendar\.json: .*; expected"):
            ledger.load(workspace)


def test_a_decision_is_posted_on_its_day(house: House):
    """A reviewer's step is recorded on the day that the clock has reached, not later."""
    opened(house, day="2026-12-03")

    assert say(house, "2026-11-numpy-1", 0, "rita", day="2026-12-05").events[-1]["at"] == "2026-12-05"
    with pytest.raises(RewardError, match="has not come yet"):
        say(house, "2026-11-numpy-1", 0, "ron", day="2026-12-06")
