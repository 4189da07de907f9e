"""Gives a Prefect server what Tribute's deployments need: `python -m flows.setup`, once per server."""

from tasks.limits import create_limits
from tasks.server import check_server
from tasks.setup import create_automations, create_pool


def set_up() -> None:
    """Create the work pool, the concurrency limits and the automations that the server lacks."""
    check_server()
    create_pool()
    create_limits()
    create_automations()


if __name__ == "__main__":
    set_up()
