"""Gives a Prefect server what Tribute's deployments need: `python -m flows.setup`, once per server."""

from tasks.limits import create_limits
from tasks.notifications import create_notifications
from tasks.server import wait_for_server
from tasks.setup import create_automations, create_pool, exit_in_one_line

STARTS = 180.0
"""Seconds that the server has to answer: after a boot it starts together with whoever prepares it."""


def set_up() -> None:
    """Create the work pool, concurrency limits, automations and notifications that the server lacks."""
    wait_for_server(STARTS)
    create_pool()
    create_limits()
    create_automations()
    create_notifications()


if __name__ == "__main__":
    exit_in_one_line(set_up)
