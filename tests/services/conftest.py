"""Stores on both databases, and a small market on them."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.services.helpers.postgres import Server, server

_numbers = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server; tests that need it skip where there is none."""
    with server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new, empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/usage.db"
    return request.getfixturevalue("postgres").url(f"d{next(_numbers)}")
