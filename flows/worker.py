"""Works on the deployments' runs: `python -m flows.worker`, on each machine that trains."""

from tasks.server import check_server
from tasks.setup import exit_in_one_line
from tasks.worker import work


def start() -> None:
    """Work where there is a server, until SIGTERM or an interrupt."""
    check_server()
    work()


if __name__ == "__main__":
    exit_in_one_line(start)
