"""One Prefect server for all flow tests: it takes half a minute to start."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def engine() -> Iterator[None]:
    """Prefect with a server and a database of its own, and with a quiet console."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=180):
        from tasks.limits import create_limits

        create_limits()
        yield
