"""Whether the flows have a server to run on, with the limits that their tasks ask for."""

from tasks.server import check_server, server_url

__all__ = ["check_server", "prepare_server", "server_url", "tell_of_release"]


def prepare_server() -> None:
    """Check the server, and create the concurrency limits that it lacks. Raises WorkspaceError."""
    check_server()
    # Imports Prefect, which reads its settings at once: only now is it known that they can be read.
    from tasks.limits import create_limits

    create_limits()


def tell_of_release(tag: str) -> None:
    """Tell the server of a released dataset version, so that deployments follow. Raises WorkspaceError."""
    check_server()
    from tasks import events

    events.tell_of_release(tag)
