"""Theorem: same inputs, same bytes, in whatever order, wherever, whenever and by whichever process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.terminal import tree
from tests.rewards.allocation.test_allocate import PERIOD, POOLS, allocated, claim_lists, weighing
from tests.rewards.helpers.books import POLICY, empty, proved
from tests.rewards.helpers.people import House, make_house
from tribute.artifacts import read_artifact
from tribute.rewards import tables
from tribute.rewards.allocation import allocate
from tribute.rewards.allocation.allocation_table import allocation_rows
from tribute.rewards.allocation.funding import divide
from tribute.rewards.ledger import balances, postings
from tribute.rewards.verification.verify import verify_period

CLOSE = """
import locale, sys
from contextlib import suppress
from pathlib import Path
from tests.rewards.helpers.world import World
from tests.rewards.helpers.people import House
from tribute.artifacts import read_artifact
with suppress(locale.Error):
    locale.setlocale(locale.LC_ALL, "")
root, *folders = map(Path, sys.argv[1:])
dataset, attribution, *adapters = map(read_artifact, folders)
house = House(root, World(dataset, adapters, attribution))
for period in ("2026-11", "2026-12"):
    house.close(period)
"""
ZONE = {"TZ": "Pacific/Kiritimati", "LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"}
BARE = {"TZ": "America/Anchorage", "LC_ALL": "C", "PYTHONHASHSEED": "77", "PYTHONUTF8": "0"}


def written(claims, pool):
    """allocation.csv, journal.csv, balances.csv and payables.csv of a period that pays these claims."""
    funding = divide(pool, "EUR", POLICY, PERIOD)
    lines = allocated(claims, funding.pools["evaluation"])
    paid = [allocate.PoolAllocation("evaluation", "EUR", lines)]
    after = postings.closing(empty(), PERIOD, [funding], paid, {PERIOD: POLICY})
    rows = (
        (tables.ALLOCATION, allocation_rows(PERIOD, paid, tables.EVIDENCE.empty_table())),
        (tables.JOURNAL, [tables.JournalRow(**posting.texts()) for posting in after.postings]),
        (tables.BALANCES, balances.balance_rows(after, PERIOD, [])),
        (tables.PAYABLES, balances.payable_rows(after, PERIOD, POLICY, {})),
    )
    return [tables.csv_bytes(table, map(tables.texts, found)) for table, found in rows]


@proved
@given(st.data(), claim_lists(), POOLS.filter(lambda pool: pool > 20))
def test_the_order_of_the_claims_is_in_no_byte(data, claims, pool):
    """Permuting inputs gives identical bytes, and so is a rerun byte-identical."""
    if not weighing(claims):
        return
    permuted = data.draw(st.permutations(claims))

    assert written(permuted, pool) == written(claims, pool) == written(claims, pool)


def test_the_order_of_the_tables_is_in_no_byte(make, world, paid, tmp_path):
    """With every table, the adapters and the runs permuted, the files differ in the inputs' own ids alone."""
    shuffled = make(tmp_path / "world", shuffle=3)
    runs = {"2": "c" * 32, "0": "a" * 32, "1": "b" * 32}

    again = shuffled.pay(tmp_path / "workspace", adapters=shuffled.adapters[::-1], mlflow_runs=runs)

    for path in (path for path in paid.path.rglob("*.*") if path.name != "manifest.json"):
        found = (again.path / path.relative_to(paid.path)).read_bytes()
        for old, new in ((shuffled.dataset, world.dataset), (shuffled.attribution, world.attribution)):
            found = found.replace(old.id.encode(), new.id.encode())
        assert found == path.read_bytes(), path.name


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A registry and a policy, and no period yet; read only."""
    return make_house(tmp_path_factory.mktemp("house") / "workspace")


def closed_elsewhere(house: House, root: Path, settings: dict[str, str]) -> House:
    """Two months, drafted and closed in a process of its own under these settings."""
    shutil.copytree(house.root, root)
    world = house.world
    folders = [one.path for one in (world.dataset, world.attribution, *world.adapters)]
    command = [sys.executable, "-c", CLOSE, *map(str, (root, *folders))]
    subprocess.run(command, env=os.environ | settings, check=True, cwd=Path(__file__).parents[2])
    return House(root, world)


def test_time_zone_locale_and_process_are_in_no_byte(fresh: House, tmp_path: Path):
    """Two months drafted and closed here, in Kiritimati in German and in Anchorage in C: one folder, byte for byte.

    Of manifest.json it is the identity, since provenance says when it was made.
    """
    here = House(shutil.copytree(fresh.root, tmp_path / "here"), fresh.world)
    for period in ("2026-11", "2026-12"):
        here.close(period)

    there = [closed_elsewhere(fresh, tmp_path / str(n), settings) for n, settings in enumerate((ZONE, BARE))]

    for other in there:
        found, expected = (
            {name: digest for name, digest in tree(one.workspace.rewards).items() if "manifest.json" not in name}
            for one in (other, here)
        )
        assert found == expected
        for period in ("2026-11", "2026-12"):
            one, two = (read_artifact(house.workspace.rewards / period) for house in (other, here))
            assert one.identity == two.identity
        assert verify_period(other.workspace.rewards / "2026-12")


def test_a_second_run_writes_nothing(world, tmp_path):
    """Rerun byte-identical: the same inputs touch no file and say so."""
    first = world.pay(tmp_path)
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in first.path.rglob("*")}

    second = world.pay(tmp_path)

    assert (first.found, second.found) == (False, True)
    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in second.path.rglob("*")} == before
    assert second == first


def test_permuted_fees_change_nothing(world, tmp_path):
    """The order in which currencies are named does not matter."""
    fees = [("10.00", "EUR"), ("7.00", "USD")]

    one, two = world.pay(tmp_path / "1", fees=fees), world.pay(tmp_path / "2", fees=fees[::-1])

    assert one.id == two.id
