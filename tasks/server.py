"""Checks before a run that its tasks have a Prefect server."""

import io
import os
import sys
import time
import urllib.request
from contextlib import redirect_stderr
from http.client import HTTPException
from urllib.error import HTTPError

from tribute.errors import WorkspaceError

PATIENCE = 5.0
"""Seconds that a server has to answer."""


class SilentServerError(WorkspaceError):
    """Nothing answers at the server's address, yet."""


def check_server() -> None:
    """Look at what the shell, a `.env`, prefect.toml and Prefect's profiles come to.

    Raises WorkspaceError where they cannot be read, name a server that does not answer, or leave Prefect without one.
    """
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
        _ask(str(settings.api.url))
    elif not settings.server.ephemeral.enabled:
        raise WorkspaceError(
            "Prefect has no server: PREFECT_API_URL is not set, and its local server is turned off; set the one, or "
            "PREFECT_SERVER_EPHEMERAL_ENABLED=true"
        )


def server_url() -> str:
    """The address of the server that Prefect's settings name; empty where a run starts its own."""
    from prefect.settings import get_current_settings

    return str(get_current_settings().api.url or "")


def wait_for_server(seconds: float) -> None:
    """Look for that long until the server answers, and say so; then raise what `check_server` raises.

    What waiting cannot mend, such as settings that cannot be read, is raised at once.
    """
    ends, has_said = time.monotonic() + seconds, False
    while True:
        try:
            return check_server()
        except SilentServerError as error:
            if time.monotonic() >= ends:
                raise
            if not has_said:
                print(f"{error}; waiting {seconds:.0f} s for it", file=sys.stderr, flush=True)
                has_said = True
        time.sleep(1)


def _ask(url: str) -> None:
    where = "PREFECT_API_URL" if os.environ.get("PREFECT_API_URL") else "Prefect's setting api.url (.env, profile)"
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=PATIENCE) as answer:
            content = answer.headers.get_content_type()
    except HTTPError:
        return  # it answers, if only to those who log in
    except (OSError, ValueError, HTTPException) as error:
        kind = SilentServerError if isinstance(error, OSError) else WorkspaceError
        raise kind(
            f"{where}: no Prefect server answers at {url} ({_in_a_line(error)}); start it with `prefect server start`, "
            "or unset it"
        ) from error

    if content == "text/html":
        raise WorkspaceError(
            f"{where}: at {url} is a web page, not Prefect's API; give the address that ends in /api, such as "
            "http://localhost:4200/api"
        )


def _in_a_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
