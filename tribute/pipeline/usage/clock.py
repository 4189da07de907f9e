"""What time it is for a workspace's services: the real time, or in a simulation the day that its ledger has reached."""

from collections.abc import Callable
from datetime import UTC, date, datetime

from tribute.rewards.ledger import read_calendar
from tribute.workspace import Workspace


def clock_of(workspace: Workspace) -> Callable[[], datetime]:
    """The clock of a workspace. A simulation sets the day, and may go on while a server runs; its hours are real."""
    if not read_calendar(workspace.rewards).simulated:
        return _real

    def simulated() -> datetime:
        day = date.fromisoformat(read_calendar(workspace.rewards).simulated)
        return datetime.combine(day, _real().timetz())

    return simulated


def _real() -> datetime:
    return datetime.now(UTC)
