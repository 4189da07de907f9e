"""What the shell says of where things are, made ready for Prefect, and refused at once where it cannot work.

What is computed comes from the config alone: finetuning/workers.py takes launchers' variables out of every child.
"""

import io
import os
from contextlib import redirect_stderr

from tribute.errors import WorkspaceError
from tribute.workspace import Workspace

LOOPBACK = ("localhost", "127.0.0.1", "::1")
PATIENCE = 5.0
"""Seconds that a Prefect server has to answer."""


def set_prefect_environment(workspace: Workspace) -> None:
    """Let Prefect start its local server in the workspace, unless the user has set up another.

    Raises WorkspaceError where Prefect's settings cannot be read, or name a server that does not answer.
    """
    defaults = {
        "PREFECT_HOME": str(workspace.prefect),
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # An error reaches the user as Tribute's one line; the server keeps Prefect's own log of it.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
        "DO_NOT_TRACK": "1",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    keep_loopback_off_proxies()
    _check_prefect()


def keep_loopback_off_proxies() -> None:
    """A proxy cannot reach this machine's own servers; what the user excluded stays excluded."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host.strip() for host in os.environ.get(name, "").split(",") if host.strip()]
        os.environ[name] = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])


def _check_prefect() -> None:
    """Prefect reads the shell, a `.env`, prefect.toml and profiles: whatever they come to is looked at here."""
    try:
        # Prefect's plugins complain of the same settings on their own first.
        with redirect_stderr(io.StringIO()):
            from prefect.settings import get_current_settings

            settings = get_current_settings()
    except (ValueError, OSError) as error:
        raise WorkspaceError(
            f"Prefect's settings cannot be read ({_in_a_line(error)}); correct PREFECT_* in the shell, in .env or in "
            "prefect.toml of this folder"
        ) from error
    if settings.api.url:
        _check_server(str(settings.api.url))
    elif not settings.server.ephemeral.enabled:
        raise WorkspaceError(
            "Prefect has no server: PREFECT_API_URL is not set, and its local server is turned off; set the one, or "
            "PREFECT_SERVER_EPHEMERAL_ENABLED=true"
        )


def _check_server(url: str) -> None:
    import httpx

    try:
        httpx.get(f"{url.rstrip('/')}/health", timeout=PATIENCE)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        where = "PREFECT_API_URL" if os.environ.get("PREFECT_API_URL") else "Prefect's setting api.url (.env, profile)"
        raise WorkspaceError(
            f"{where}: no Prefect server answers at {url} ({_in_a_line(error)}); start it with `prefect server start`, "
            "or unset it"
        ) from error


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
