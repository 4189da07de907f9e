"""What the shell says of where things are, completed for Prefect's local server.

What is computed comes from the config alone: finetuning/workers.py takes launchers' variables out of every child.
"""

import os
from pathlib import Path

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def set_prefect_environment(folder: Path) -> None:
    """Let Prefect keep what its local server knows in the folder, unless the user has set up another."""
    defaults = {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # An error reaches the user as Tribute's one line; the server keeps Prefect's own log of it.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        # What a server says whose database is away for a moment; its client asks again for a minute.
        "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500",
        "DO_NOT_TRACK": "1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    keep_loopback_off_proxies()


def keep_loopback_off_proxies() -> None:
    """A proxy cannot reach this machine's own servers; what the user excluded stays excluded."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host.strip() for host in os.environ.get(name, "").split(",") if host.strip()]
        os.environ[name] = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])
