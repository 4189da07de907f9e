"""Whether the flows have a server to run on, with the limits that their tasks ask for."""

from tasks.limits import create_limits
from tasks.server import check_server

__all__ = ["check_server", "prepare_server"]


def prepare_server() -> None:
    """Check the server, and create the concurrency limits that it lacks. Raises WorkspaceError."""
    check_server()
    create_limits()
