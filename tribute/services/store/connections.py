"""Connections to the usage store's database: the engine behind a URL, and what its failures are to callers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError

from tribute.errors import ServiceError

PRAGMAS = (
    *("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON", "busy_timeout=30000"),
    "wal_autocheckpoint=20000",
)
"""`Store` syncs SQLite's log and, long before it has 20,000 pages, writes it back."""
DRIVER_OPTIONS = {"application_name", "unix_sock"}
"""What pg8000 takes in a URL."""


def create(url: str) -> Engine:
    """The engine behind a URL, with SQLite's pragmas and transactions. Raises ServiceError."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ServiceError(
            "the store's URL is none; write sqlite:///PATH or postgresql://USER@HOST/NAME", 500
        ) from error
    # An option may be the password.
    shown = parsed.set(query={}).render_as_string(hide_password=True)
    if parsed.get_backend_name() == "postgresql":
        if not parsed.username or parsed.query.keys() - DRIVER_OPTIONS:
            options = ", ".join(sorted(DRIVER_OPTIONS))
            raise ServiceError(f"{shown}: expected postgresql://USER@HOST/NAME, with no options but {options}", 500)
        try:
            return create_engine(parsed.set(drivername="postgresql+pg8000"), pool_pre_ping=True, pool_size=16)
        except ImportError as error:
            raise ServiceError("PostgreSQL needs the driver pg8000; pip install 'tribute[postgres]'", 500) from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise ServiceError(f"{shown}: expected sqlite:///PATH or postgresql://USER@HOST/NAME", 500)
    engine = create_engine(parsed, connect_args={"check_same_thread": False}, pool_size=16)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        # The driver would begin transactions by its own rules; they are begun below.
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads = connection.get_execution_options().get("reads")
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def answering() -> Iterator[None]:
    """Raise ServiceError 503 in place of the driver's error where the database is away, full or broken."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error, DataError | IntegrityError | ProgrammingError) and not error.connection_invalidated:
            raise
        # Clients read this: it does not say where the database is.
        raise ServiceError(f"the usage store does not answer ({type(error.orig).__name__}); try again", 503) from error
