"""The usage store: SQLite for one server, PostgreSQL by a URL for several, and their transactions.

A server opens the store as an *instance*, by name. One process at a time is an instance: SQLite's file is locked as
a whole, on PostgreSQL the name is. Each start raises the instance's incarnation, and each settlement checks it, so a
server that lost its lock without noticing, because the database was started again, cannot write.

A transaction on SQLite is as durable as `synchronous=FULL` makes it: SQLite commits it to its log without a sync
(NORMAL), and the log is synced before `writing` ends. But one sync is for all that were committed before it, and nobody
who waits for it holds up the next transaction.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, Engine, Table, inspect, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from tribute.digests import Chain
from tribute.errors import ServiceError
from tribute.ids import ID_IN_WORDS, is_id
from tribute.services.store import tables
from tribute.services.store.connections import answering, create
from tribute.services.store.times import as_text

WRITTEN_BACK = 1000
"""After so many transactions SQLite's log is written back to its file."""
_sync_file = getattr(os, "fdatasync", os.fsync)
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
        self._syncing, self._is_syncing = threading.Condition(), False
        self._commits, self._synced = 0, 0

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
        store = cls(create(url), instance, clock)
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
        store = cls(create(url), "", clock)
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
        with answering(), ExitStack() as turn:
            turn.enter_context(self._writer or nullcontext())
            with self.engine.connect() as connection:
                with connection.begin():
                    if not durable and self._writer is None:
                        connection.execute(_LATER)
                    yield connection
                if self._writer is not None:
                    self._commits = commit = self._commits + 1
                    turn.close()
                    if durable:
                        self._sync(commit)
                    if commit % WRITTEN_BACK == 0:
                        threading.Thread(target=self._write_back, name="tribute-store").start()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; on SQLite it waits for no writer. Raises ServiceError 503."""
        with answering(), self.engine.connect() as connection:
            yield connection.execution_options(reads=True)

    def sweep(self) -> None:
        """Let SQLite's log of recent changes forget what was deleted; a server that writes just now does it later."""
        if self._writer is not None:
            with self._writer, closing(self.engine.raw_connection()) as connection:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def sync(self) -> None:
        """Wait until everything that was committed before is on the disk. Raises ServiceError 503."""
        if self._writer is not None:
            self._sync(self._commits)

    def _sync(self, commit: int) -> None:
        """Wait until SQLite's log is on the disk up to this commit. Raises ServiceError 503.

        The log is opened each time, by who has a connection: so it is the one that the commit is in.
        """
        with self._syncing:
            self._syncing.wait_for(lambda: self._synced >= commit or not self._is_syncing)
            if self._synced >= commit:
                return
            self._is_syncing, synced, upto = True, self._synced, self._commits
        try:
            log = os.open(f"{self._file}-wal", os.O_RDONLY)
            try:
                _sync_file(log)
            finally:
                os.close(log)
            synced = upto
        except OSError as error:
            raise ServiceError(f"the usage store's disk failed ({error.strerror}); try again", 503) from error
        finally:
            with self._syncing:
                self._is_syncing, self._synced = False, synced
                self._syncing.notify_all()

    def _write_back(self) -> None:
        """Let SQLite's log begin anew, unless somebody reads it just now; what fails is tried again later.

        Most of it is written back while others write, and what these add in a turn of its own.
        """
        with suppress(DBAPIError, sqlite3.Error), closing(self.engine.raw_connection()) as connection:
            for turn in (nullcontext(), self._writer or nullcontext()):
                with turn:
                    connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")

    def insert(self, table: Table) -> "sqlite.Insert | postgresql.Insert":
        """An INSERT that knows `on_conflict_do_nothing`, in the database's dialect."""
        return sqlite.insert(table) if self.engine.dialect.name == "sqlite" else postgresql.insert(table)

    def now(self) -> str:
        """The time, never before a time that this store gave or recorded, even if the clock was set back."""
        with self._timing:
            self._latest = max(self._latest, as_text(self._clock()))
            return self._latest

    @cached_property
    def _file(self) -> Path:
        """SQLite's file itself: a link to it is the same store."""
        return Path(str(self.engine.url.database)).resolve()

    def _locked(self, suffix: str) -> "IO[str] | Connection":
        """What keeps other processes from being this instance, until it is closed."""
        if self._writer is not None:
            path = Path(f"{self._file}{suffix}")
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
        with answering():
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
