"""Which day it is for a workspace's ledger: `rewards/calendar.json`. Posts nothing.

    {"time_zone": "Europe/Berlin"}                          today in that zone; without the file today in UTC
    {"time_zone": "UTC", "simulated": "2026-12-01"}         a simulation: the day that it has reached

A day of posting, or of a step in a dispute, is never after today and never before the last one. A simulation sets its
day openly: only before anything is posted may a ledger become one, it remains one for good, and every manifest that
it writes says so.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tribute import months
from tribute.errors import RewardError
from tribute.files import write_atomically
from tribute.strict import parse_json

FILE = "calendar.json"
UTC = "UTC"


@dataclass(frozen=True)
class Calendar:
    """The time zone in which days begin, and the day of a simulation, YYYY-MM-DD; empty where days are real."""

    time_zone: str = UTC
    simulated: str = ""

    @property
    def today(self) -> str:
        """The day that it is, YYYY-MM-DD."""
        return self.simulated or datetime.now(ZoneInfo(self.time_zone)).date().isoformat()

    @property
    def record(self) -> dict[str, str]:
        """What a manifest or a dispute says of the days in it; nothing where they are real days in UTC."""
        zone = {} if self.time_zone == UTC else {"time_zone": self.time_zone}
        return zone | ({"clock": "simulated"} if self.simulated else {})

    def check_day(self, day: str, last: str = "") -> str:
        """`day` where it is one, not before `last` and not after today. Raises RewardError."""
        if months.checked_day(day) < last:
            raise RewardError(f"{day} is before the ledger's last posting on {last}; give that day or a later one")
        if day > self.today:
            clock = "the simulation has reached" if self.simulated else f"today in {self.time_zone} is"
            raise RewardError(f"{day} has not come yet: {clock} {self.today}; give that day or an earlier one")
        return day


REAL = Calendar()
"""Real days in UTC."""


def read_calendar(rewards: Path) -> Calendar:
    """The calendar of a ledger. Raises RewardError where its file says nothing that can be used."""
    path = rewards / FILE
    if not path.exists():
        return REAL
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        calendar = Calendar(**content)
        ZoneInfo(calendar.time_zone)
        if calendar.simulated:
            months.checked_day(calendar.simulated)
    except (OSError, ValueError, TypeError, ZoneInfoNotFoundError, RewardError) as error:
        raise RewardError(f'{path}: {error}; expected {{"time_zone": "Europe/Berlin"}}') from error
    return calendar


def set_time_zone(rewards: Path, time_zone: str) -> Calendar:
    """Let days begin as they do in a time zone of the IANA database. Raises RewardError for an unknown one."""
    try:
        ZoneInfo(time_zone)
    except (ValueError, ZoneInfoNotFoundError) as error:
        raise RewardError(f"time zone {time_zone!r} is unknown; write it like Europe/Berlin or UTC") from error
    return _write(rewards, Calendar(time_zone, read_calendar(rewards).simulated))


def simulate(rewards: Path, day: str) -> Calendar:
    """Let a simulation reach `day`; where it is further already nothing changes.

    Raises RewardError where real days have been posted, so that no ledger of real days can be given other ones.
    """
    calendar, day = read_calendar(rewards), months.checked_day(day)
    if not calendar.simulated and any(rewards.glob("journal/*.csv")):
        raise RewardError(
            f"{rewards / 'journal'}: has postings of real days, so its days cannot be simulated; "
            "simulate in a workspace of its own"
        )
    return _write(rewards, Calendar(calendar.time_zone, max(day, calendar.simulated)))


def _write(rewards: Path, calendar: Calendar) -> Calendar:
    content = {"time_zone": calendar.time_zone} | ({"simulated": calendar.simulated} if calendar.simulated else {})
    rewards.mkdir(parents=True, exist_ok=True)
    write_atomically(rewards / FILE, (json.dumps(content) + "\n").encode())
    return calendar
