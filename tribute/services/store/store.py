"""The usage store: SQLite for one server, PostgreSQL by a URL for several, and their transactions.

A server opens the store as an *instance*, by name. One process at a time is an instance: SQLite's file is locked as
a whole, on PostgreSQL the name is. Each start raises the instance's incarnation, and each settlement checks it, so a
server that lost its lock without noticing, because the database was started again, cannot write.
"""

import fcntl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, inspect, make_url, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, ProgrammingError

from tribute.digests import Chain
from tribute.errors import ServiceError
from tribute.ids import ID_IN_WORDS, is_id
from tribute.services.store import tables
from tribute.services.store.times import as_text

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "busy_timeout=30000")
"""FULL, because NORMAL may lose the last commits when the power fails, and these are money."""
DRIVER_OPTIONS = {"application_name", "unix_sock"}
"""What pg8000 takes in a URL."""
_LATER = text("SET LOCAL synchronous_commit TO OFF")


class Store:
    """An open usage store. Close it, or use it as a context; death of the process closes it, too."""

    def __init__(self, engine: Engine, instance: str, clock: Callable[[], datetime]) -> None:
        self.engine = engine
        self.instance = instance
        self.incarnation = 0
        self._clock = clock
        self._latest, self._timing = "", threading.Lock()
        self._lock: IO[str] | Connection | None = None
        # SQLite has one writer, and its busy handler sleeps; a lock of the process is fair and wakes at once.
        self._writer = threading.Lock() if engine.dialect.name == "sqlite" else None

    @classmethod
    def open(
        cls, url: str, instance: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC), *, beside: bool = False
    ) -> "Store":
        """Open the store at `sqlite:///PATH` or `postgresql://…`, made where there is none, as this instance.

        `beside` is for an instance that serves nobody, and works while a server has SQLite's file open. Raises
        ServiceError: 503 where another process is this instance (for SQLite: serves from this file) or the database
        does not answer; 500 for a URL or a name that cannot be one.
        """
        if not is_id(instance):
            raise ServiceError(f"instance {instance!r}: expected {ID_IN_WORDS}", 500)
        store = cls(_engine(url), instance, clock)
        try:
            store._lock = store._locked(f".{instance}.lock" if beside else ".lock")
            store._create()
            with store.writing() as connection:
                store._start(connection)
        except BaseException:
            store.close()
            raise
        return store

    @classmethod
    def attach(cls, url: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> "Store":
        """Open the store beside running servers, for accounts, keys and prices; made where there is none.

        This process is no instance, so it can neither hold nor settle. Raises ServiceError as `open`.
        """
        store = cls(_engine(url), "", clock)
        if store._writer is not None:
            Path(str(store.engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
        try:
            store._create()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Let another process be this instance."""
        if isinstance(self._lock, Connection):
            # Not returned to the pool, which would ask a server that may be gone to roll back.
            self._lock.detach()
        if self._lock is not None:
            self._lock.close()
        self._lock = None
        self.engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that writes: all of the body or nothing. Raises ServiceError 503 where the database fails.

        One that is not `durable` does not wait for the disk: a power cut may take it back, as long as no durable one
        followed it. The death of a process takes nothing back.
        """
        with self._writer or nullcontext(), _answering(), self.engine.connect() as connection:
            connection.execution_options(durable=durable)
            with connection.begin():
                if not durable and self._writer is None:
                    connection.execute(_LATER)
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; on SQLite it waits for no writer. Raises ServiceError 503."""
        with _answering(), self.engine.connect() as connection:
            yield connection.execution_options(reads=True)

    def sweep(self) -> None:
        """Let SQLite's log of recent changes forget what was deleted; a server that writes just now does it later."""
        if self._writer is not None:
            with self._writer, closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """An INSERT that knows `on_conflict_do_nothing`, in the database's dialect."""
        return sqlite.insert(table) if self.engine.dialect.name == "sqlite" else postgresql.insert(table)

    def now(self) -> str:
        """The time, never before a time that this store gave or recorded, even if the clock was set back."""
        with self._timing:
            self._latest = max(self._latest, as_text(self._clock()))
            return self._latest

    def _locked(self, suffix: str) -> "IO[str] | Connection":
        """What keeps other processes from being this instance, until it is closed."""
        if self._writer is not None:
            # Of the file itself: a link to it is the same store.
            path = Path(f"{Path(str(self.engine.url.database)).resolve()}{suffix}")
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("a")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                file.close()
                raise ServiceError(
                    f"{path}: another server has this store open; stop it, or use PostgreSQL", 503
                ) from error
            return file
        with _answering():
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            lock = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
            if not connection.execute(lock, {"name": f"tribute/{self.instance}"}).scalar():
                connection.close()
                raise ServiceError(f"another server is instance {self.instance}; stop it, or choose another name", 503)
            return connection

    def _create(self) -> None:
        """Make the tables that are missing. Raises ServiceError 500 where others have other columns."""
        with self.writing() as connection:
            if self._writer is None:
                # Two servers that create the same table at once would fail; the lock ends with the transaction.
                connection.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('tribute', 0))"))
            self._refuse_other_columns(connection)
            tables.metadata.create_all(connection)
            connection.execute(self.insert(tables.book).values(id=1, sealed="").on_conflict_do_nothing())

    def _refuse_other_columns(self, connection: Connection) -> None:
        """Raise ServiceError 500 for a store of another version."""
        there = inspect(connection)
        known = {table.name: table for table in tables.metadata.sorted_tables}
        for name in sorted(known.keys() & set(there.get_table_names())):
            stored, expected = {column["name"] for column in there.get_columns(name)}, set(known[name].columns.keys())
            if stored != expected:
                shown = self.engine.url.render_as_string(hide_password=True)
                other = min(stored ^ expected)
                raise ServiceError(
                    f"{shown}: made by another version of Tribute (column {name}.{other}); seal and pay what it holds "
                    "with that version, then move it away",
                    500,
                )

    def _start(self, connection: Connection) -> None:
        """Record this start."""
        new = {"name": self.instance, "incarnation": 0, "number": 0, "head": Chain.genesis, "time": ""}
        connection.execute(self.insert(tables.instance).values(new).on_conflict_do_nothing())
        this = tables.instance.c.name == self.instance
        connection.execute(update(tables.instance).where(this).values(incarnation=tables.instance.c.incarnation + 1))
        started = select(tables.instance.c.incarnation, tables.instance.c.time).where(this)
        [(self.incarnation, self._latest)] = connection.execute(started).all()


def _engine(url: str) -> Engine:
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
        options = connection.get_execution_options()
        if options.get("reads"):
            connection.exec_driver_sql("BEGIN")
            return
        # In WAL the next FULL commit syncs those before it, too.
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if options.get('durable', True) else 'NORMAL'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


@contextmanager
def _answering() -> Iterator[None]:
    """Raise ServiceError 503 in place of the driver's error where the database is away, full or broken."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error, DataError | IntegrityError | ProgrammingError) and not error.connection_invalidated:
            raise
        # Clients read this: it does not say where the database is.
        raise ServiceError(f"the usage store does not answer ({type(error.orig).__name__}); try again", 503) from error
