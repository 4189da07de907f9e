"""Theorem: same inputs, same bytes, wherever, whenever, in whatever order; a period is whole or not there."""

import locale
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tribute.artifacts import file_digests
from tribute.errors import ConfigError, RewardError
from tribute.rewards import period as module
from tribute.rewards import read_rewards, verify_period

BAD = Path(__file__).parents[1] / "bad" / "rewards" / "policies"


def inodes(folder):
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in sorted(folder.rglob("*"))}


def test_the_planted_contributors_earn_nothing_by_the_calculation(paid):
    """Excluded copies, harmful rows and noise earn 0, each with its own status; no one is known by name."""
    lines = read_rewards(paid.path).set_index("contributor_id")

    zero = lines[lines["amount_minor"] == 0]["status"].to_dict()
    assert zero == {
        "absent": "zero_no_training_row",
        "copycat": "zero_all_excluded",
        "faint": "zero_not_distinguishable",
        "scrambler": "zero_credit_below_zero",
    }
    assert lines["amount_minor"].sum() == 100_000


def test_the_folder_holds_what_the_notes_say(paid):
    """Allocation, journal, exclusions, evidence, card, verdict, tokens, control, manifest, a page for everybody."""
    names = {path.name for path in paid.path.iterdir()}

    assert names == {
        *("allocation.csv", "journal.csv", "exclusions.csv", "evidence.parquet"),
        *("card.json", "gate.json", "tokens.csv", "control.json", "manifest.json", "statements"),
    }
    assert len(list((paid.path / "statements").iterdir())) == 10


def test_a_second_run_finds_the_first(world, tmp_path):
    """The same inputs touch no file and say so."""
    first = world.pay(tmp_path)
    before = inodes(first.path)

    second = world.pay(tmp_path)

    assert (first.found, second.found) == (False, True)
    assert inodes(second.path) == before
    assert second == first


def test_the_order_of_the_inputs_does_not_matter(make, world, paid, tmp_path):
    """Permuting every table, the adapters and the runs gives identical bytes, but for the inputs' own ids."""
    shuffled = make(tmp_path / "world", shuffle=3)
    runs = {"2": "c" * 32, "0": "a" * 32, "1": "b" * 32}

    again = shuffled.pay(tmp_path / "workspace", adapters=shuffled.adapters[::-1], mlflow_runs=runs)

    for path in (path for path in paid.path.rglob("*.*") if path.name != "manifest.json"):
        found = (again.path / path.relative_to(paid.path)).read_bytes()
        for old, new in ((shuffled.dataset, world.dataset), (shuffled.attribution, world.attribution)):
            found = found.replace(old.id.encode(), new.id.encode())
        assert found == path.read_bytes(), path.name


def test_time_zone_and_locale_do_not_matter(world, paid, tmp_path, monkeypatch):
    """Another time zone and locale give identical bytes."""
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    before = locale.setlocale(locale.LC_ALL)
    for name in ("de_DE.UTF-8", "tr_TR.UTF-8", "C.UTF-8"):
        try:
            locale.setlocale(locale.LC_ALL, name)
            break
        except locale.Error:
            continue

    again = world.pay(tmp_path)

    locale.setlocale(locale.LC_ALL, before)
    monkeypatch.undo()
    time.tzset()
    assert file_digests(again.path) == file_digests(paid.path)
    assert again.id == paid.id


def test_another_process_with_other_hashes_writes_the_same(world, paid, tmp_path):
    """Another interpreter, hash seed, encoding and time zone give the same artifact id."""
    code = (
        "import sys; from pathlib import Path; from tribute.artifacts import read_artifact as read\n"
        "from tribute.rewards import write_period; from tribute.workspace import Workspace\n"
        "root, dataset, attribution, policy, *adapters = map(Path, sys.argv[1:])\n"
        "print(write_period(workspace=Workspace.create(root), dataset=read(dataset),\n"
        "    attribution=read(attribution),\n"
        "    adapters=[read(a) for a in adapters], mlflow_runs={str(n): 'abc'[n] * 32 for n in range(3)},\n"
        "    policy=policy, period='2026-11', pool_amount='1000.00', currency='EUR').id)"
    )
    policy = Path(__file__).parents[2] / "configs" / "policy.yaml"
    paths = [tmp_path / "w", world.dataset.path, world.attribution.path, policy]
    paths += [adapter.path for adapter in world.adapters]
    settings = {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONHASHSEED": "77", "PYTHONUTF8": "0"}

    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, paths)],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == paid.id


def test_a_changed_pool_makes_the_period_again(world, tmp_path):
    """An open period may be made again; the old one is gone and nothing else is left."""
    world.pay(tmp_path)

    again = world.pay(tmp_path, pool_amount="2500.01")

    assert not again.found
    assert read_rewards(again.path)["amount_minor"].sum() == 250_001
    assert [path.name for path in (tmp_path / "rewards").iterdir()] == ["2026-11"]


@pytest.mark.parametrize(("amount", "currency", "minor"), [("1000", "JPY", 1000), ("0.5", "ETH", 5 * 10**17)])
def test_every_exponent_adds_up(world, tmp_path, amount, currency, minor):
    """Currencies without and with 18 decimals sum exactly and verify."""
    done = world.pay(tmp_path, pool_amount=amount, currency=currency)

    assert read_rewards(done.path)["amount_minor"].sum() == minor
    assert verify_period(done.path)


def test_a_damaged_period_is_made_again(world, tmp_path):
    """A folder that lost a file is not served from the cache."""
    first = world.pay(tmp_path)
    (first.path / "journal.csv").unlink()

    again = world.pay(tmp_path)

    assert not again.found
    assert again.id == first.id


def test_a_crash_while_filling_leaves_the_old_period(world, tmp_path, monkeypatch):
    """Whatever fails before the swap, the old period stands untouched and nothing lies beside it."""
    first = world.pay(tmp_path)
    before = inodes(first.path)
    monkeypatch.setattr(module, "_write_statements", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        world.pay(tmp_path, pool_amount="5.00")

    assert inodes(first.path) == before
    assert [path.name for path in (tmp_path / "rewards").iterdir()] == ["2026-11"]


def test_a_crash_between_the_renames_is_undone(world, tmp_path, monkeypatch):
    """Between the two renames only the old period stands, under another name; the next run brings it back."""
    first = world.pay(tmp_path)
    rename = Path.rename

    def fail_second(path, target):
        if path.name.startswith(".making-"):
            raise OSError("the power went out")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_second)
    with pytest.raises(OSError, match="the power went out"):
        world.pay(tmp_path, pool_amount="5.00")
    monkeypatch.undo()

    again = world.pay(tmp_path)

    assert again.found
    assert again == first
    assert [path.name for path in (tmp_path / "rewards").iterdir()] == ["2026-11"]


@pytest.mark.parametrize(
    "change",
    [
        {"pool_amount": "1e3"},
        {"currency": "DM"},
        {"period": "2026-11/.."},
        {"policy": BAD / "unknown_key.yaml"},
    ],
)
def test_bad_orders_leave_nothing_behind(world, tmp_path, change):
    """A bad amount, currency, period or policy is refused before a folder is made."""
    with pytest.raises((RewardError, ConfigError)):
        world.pay(tmp_path, **change)

    assert not (tmp_path / "rewards").exists()
