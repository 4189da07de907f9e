"""Whether the flows have a server to run on."""

from tasks.server import check_server

__all__ = ["check_server"]
