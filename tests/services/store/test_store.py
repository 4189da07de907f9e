"""Theorem: one process is an instance; what a transaction writes is there whole or not at all; time never runs back."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from sqlalchemy import select, text

from tests.services.helpers.postgres import server
from tribute.errors import ServiceError
from tribute.services.store import Store, as_text, parse_time, tables

OPEN = "import sys; from tribute.services.store import Store; Store.open(*sys.argv[1:]); print('open')"


def add_account(connection, name):
    """A row to look for."""
    values = {"id": name, "kind": "payer", "affiliated": False, "credit": 0, "held": 0, "spent": 0}
    connection.execute(tables.account.insert().values(values))


def refuse():
    """What goes wrong in mid-transaction."""
    raise ServiceError("no", 422)


def write_twice(store, between=refuse):
    """A transaction of two writes."""
    with store.writing() as connection:
        add_account(connection, "bob")
        between()
        add_account(connection, "cyd")


def fail(_):
    """What a disk does that is broken."""
    raise OSError(5, "Input/output error")


def names(store):
    """The accounts that are there."""
    with store.reading() as connection:
        return list(connection.execute(select(tables.account.c.id)).scalars())


def test_a_second_server_is_refused_until_the_first_ends(url):
    """Another process cannot be the same instance; after a close it can."""
    command = [sys.executable, "-c", OPEN, url, "one"]
    with Store.open(url, "one"):
        refused = subprocess.run(command, capture_output=True, text=True)

    accepted = subprocess.run(command, capture_output=True, text=True)

    assert "another server" in refused.stderr.splitlines()[-1]
    assert accepted.stdout == "open\n"


def test_a_month_can_be_sealed_where_no_server_ever_ran(url):
    """Payers and prices alone make a whole store: what the seal asks for is there."""
    with Store.attach(url) as store, store.reading() as connection:
        assert connection.execute(select(tables.book.c.sealed)).scalar_one() == ""


def test_a_link_to_a_store_is_the_same_store(tmp_path):
    """A second server that reaches SQLite's file by another path is refused as well."""
    (tmp_path / "link.db").symlink_to("usage.db")
    refused = pytest.raises(ServiceError, match="another server has this store open")

    with Store.open(f"sqlite:///{tmp_path / 'usage.db'}", "one"), refused:
        Store.open(f"sqlite:///{tmp_path / 'link.db'}", "two")


def test_a_time_is_spelled_in_one_way():
    """Times are compared as text, so another spelling of one is refused: it would end a key at another time."""
    for spelled in ("2026-12-01T5:05:05.100000Z", "2026-12-01T05:05:05.1Z", "0001-12-01T05:05:05.000001Z"):
        with pytest.raises(ValueError, match="expected it written as"):
            parse_time(spelled)

    assert as_text(parse_time("2026-12-01T05:05:05.100000Z")) == "2026-12-01T05:05:05.100000Z"


def test_a_store_of_another_version_is_refused_in_one_line(url):
    """Neither opened nor changed: the column that differs is named, and what to do."""
    with Store.open(url, "one") as store, store.writing() as connection:
        connection.execute(text("ALTER TABLE explanation DROP COLUMN part"))

    for opened in (lambda: Store.open(url, "one"), lambda: Store.attach(url)):
        with pytest.raises(ServiceError, match=r"another version of Tribute \(column explanation\.part\)"):
            opened()


def test_postgresql_takes_several_servers(postgres):
    """Instances of different names share one database."""
    url = postgres.url("shared")

    with Store.open(url, "one") as first, Store.open(url, "two") as second:
        with first.writing() as connection:
            add_account(connection, "ada")

        assert names(second) == ["ada"]


def test_each_start_is_another_incarnation(url):
    """So a server that was replaced can be told from its successor."""
    incarnations = []
    for _ in range(3):
        with Store.open(url, "one") as store:
            incarnations.append(store.incarnation)

    assert incarnations == [1, 2, 3]


def test_a_failed_transaction_leaves_nothing(url):
    """What was written before the failure is gone with it."""
    with Store.open(url, "one") as store:
        with pytest.raises(ServiceError):
            write_twice(store)

        assert names(store) == []


def test_what_was_written_is_on_the_disk_before_it_counts(tmp_path, monkeypatch):
    """Every durable transaction ends after a sync that began after its commit; those that wait together share one."""
    began = []

    def slow(_):
        began.append(store._synced)
        time.sleep(0.1)

    def write(number):
        with store.writing() as connection:
            add_account(connection, f"n{number}")
            commits = store._commits
        return commits < store._synced

    with Store.open(f"sqlite:///{tmp_path}/usage.db", "one") as store, ThreadPoolExecutor(16) as pool:
        monkeypatch.setattr("tribute.services.store.store._sync_file", slow)
        on_disk = list(pool.map(write, range(64)))
        with store.writing(durable=False) as connection:
            add_account(connection, "waits-for-no-disk")

    assert all(on_disk)
    assert 4 <= len(began) < 32
    assert began == sorted(set(began))


def test_a_failed_disk_is_told_and_trying_again_is_safe(tmp_path, monkeypatch):
    """The caller hears 503; nobody is told that what was written is there before a sync has succeeded."""
    with Store.open(f"sqlite:///{tmp_path}/usage.db", "one") as store:
        with monkeypatch.context() as broken:
            broken.setattr("tribute.services.store.store._sync_file", fail)
            for wait in (partial(write_twice, store, lambda: None), store.sync):
                with pytest.raises(ServiceError, match="the usage store's disk failed") as refused:
                    wait()
                assert refused.value.status == 503
        store.sync()

        assert names(store) == ["bob", "cyd"]


def test_the_log_begins_anew_beside_the_transactions(tmp_path, monkeypatch):
    """So it does not grow for ever."""
    monkeypatch.setattr("tribute.services.store.store.WRITTEN_BACK", 20)
    log = tmp_path / "usage.db-wal"
    with Store.open(f"sqlite:///{tmp_path}/usage.db", "one") as store:
        for number in range(200):
            with store.writing(durable=False) as connection:
                add_account(connection, f"n{number}")
            if number == 40:
                early = log.stat().st_size
            time.sleep(0.002)
        late = log.stat().st_size

        assert len(names(store)) == 200
    assert late < 3 * early


def test_time_never_runs_back(url):
    """If the clock is set back, the store stays at the latest time that it gave."""
    moment = datetime(2026, 11, 30, tzinfo=UTC)
    moments = [moment, moment - timedelta(days=3), moment + timedelta(seconds=1)]
    with Store.open(url, "one", clock=iter(moments).__next__) as store:
        times = [store.now() for _ in moments]

    assert times == [as_text(moments[0]), as_text(moments[0]), as_text(moments[2])]
    assert parse_time(times[2]) == moments[2]


@pytest.mark.parametrize(
    ("url", "instance", "fault"),
    [
        ("nothing", "one", "the store's URL is none"),
        ("sqlite://", "one", "expected sqlite:///PATH"),
        ("mysql://ada:secret@host/db", "one", r"mysql://ada:\*\*\*@host/db: expected"),
        ("postgresql://ada:secret@host:port/db", "one", "the store's URL is none"),
        ("postgresql://host/db", "one", "expected postgresql://USER@HOST/NAME"),
        ("postgresql://ada@host/db?password=secret", "one", "with no options but application_name, unix_sock"),
        ("sqlite:///x.db", "../one", "expected 1 to 40"),
    ],
)
def test_what_cannot_be_opened_is_refused_without_the_password(url, instance, fault):
    """The message says what was expected."""
    with pytest.raises(ServiceError, match=fault) as refused:
        Store.open(url, instance)

    assert "secret" not in str(refused.value)
    assert refused.value.status == 500


def test_a_database_that_goes_away_is_an_error_and_not_a_loss():
    """PostgreSQL gone in mid-transaction is a 503; after its return the store works, without what was not committed."""
    with server() as postgres, Store.open(postgres.url("gone"), "one") as store:
        with store.writing() as connection:
            add_account(connection, "ada")
        with pytest.raises(ServiceError) as refused:
            write_twice(store, postgres.stop)
        postgres.start()

        assert refused.value.status == 503
        assert names(store) == ["ada"]
