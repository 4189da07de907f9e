"""Theorem: a draft holds what the notes say, of every pool and currency; it is whole or not there."""

import json
from pathlib import Path

import pytest

from tribute.digests import file_sha256
from tribute.errors import RewardError
from tribute.rewards import tables
from tribute.rewards.ledger import accounts, journal, ledger
from tribute.rewards.ledger.entries import move
from tribute.rewards.period import draft as module
from tribute.rewards.period.read import read_rewards
from tribute.rewards.verification.verify import verify_period
from tribute.workspace import Workspace

BAD = Path(__file__).parents[2] / "bad" / "rewards" / "policies"


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
    """Every table with its Parquet twin, evidence, card, verdict, exports, data package and manifest."""
    names = {path.name for path in paid.path.iterdir()}

    tables = ("allocation", "journal", "balances", "payables", "exclusions", "tokens", "leaves")
    assert names == {
        *(f"{name}.{kind}" for name in tables for kind in ("csv", "parquet")),
        *("evidence.parquet", "card.json", "gate.json", "journal.beancount", "journal.hledger"),
        *("datapackage.json", "manifest.json"),
    }


def test_the_draft_says_how_everybody_would_stand(paid):
    """Balances and payables are those after the close that has not happened: nothing is posted yet."""
    amounts = {row["contributor_id"]: row["amount_minor"] for row in rows_of(paid, "allocation")}

    balances = {row["contributor_id"]: row for row in rows_of(paid, "balances")}
    assert {name: row["closing"] for name, row in balances.items()} == amounts
    assert {row["opening"] for row in balances.values()} == {"0"}
    assert rows_of(paid, "payables") == []
    assert not (paid.path.parent / "journal").exists()


def rows_of(artifact, name):
    return tables.read_csv(artifact.file(f"{name}.csv"), getattr(tables, name.upper()))


def test_a_changed_pool_makes_the_period_again(world, tmp_path):
    """An open period may be made again; the old one is gone and nothing else is left."""
    world.pay(tmp_path)

    again = world.pay(tmp_path, fees=[("2500.01", "EUR")])

    assert not again.found
    assert read_rewards(again.path)["amount_minor"].sum() == 250_001
    assert sorted(path.name for path in (tmp_path / "rewards").iterdir()) == ["2026-11"]


@pytest.mark.parametrize(("amount", "currency", "minor"), [("1000", "JPY", 1000), ("0.5", "ETH", 5 * 10**17)])
def test_every_exponent_adds_up(world, tmp_path, amount, currency, minor):
    """Currencies without and with 18 decimals sum exactly and verify."""
    done = world.pay(tmp_path, fees=[(amount, currency)])

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
    monkeypatch.setattr(module.package, "finish", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        world.pay(tmp_path, fees=[("5.00", "EUR")])

    assert inodes(first.path) == before
    assert sorted(path.name for path in (tmp_path / "rewards").iterdir()) == ["2026-11"]


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
        world.pay(tmp_path, fees=[("5.00", "EUR")])
    monkeypatch.undo()

    again = world.pay(tmp_path)

    assert again.found
    assert again == first
    assert sorted(path.name for path in (tmp_path / "rewards").iterdir()) == ["2026-11"]


def policy_file(tmp_path, **changes):
    path = tmp_path / "policy.yaml"
    plain = {"id": "p", "version": "v1.0.0", "description": "d", "effective_from": "2026-01-01"}
    path.write_text(json.dumps(plain | changes), encoding="utf-8")
    return path


def test_a_period_before_its_policy_is_refused(world, tmp_path):
    """A policy pays no period that begins before it is effective."""
    policy = policy_file(tmp_path, effective_from="2026-11-02")

    with pytest.raises(RewardError, match=r"p v1\.0\.0 is effective from 2026-11-02, 2026-11 begins before"):
        world.pay(tmp_path / "w", policy=policy)
    assert world.pay(tmp_path / "w", policy=policy, period="2026-12")


POOLS = {
    "answers": {"part": "0.25", "pays": "queries"},
    "evaluation": {"part": "0.75", "pays": "shares"},
}


def test_several_pools_and_currencies(world, tmp_path):
    """Each pool divides its part of each currency exactly; a payee has a line for each, and verify follows."""
    fees = [("1000.00", "EUR"), ("3", "JPY"), ("0.000001000000000001", "ETH")]

    done = world.pay(tmp_path / "w", policy=policy_file(tmp_path, pools=POOLS), fees=fees)

    totals = {}
    for row in rows_of(done, "allocation"):
        key = row["pool"], row["currency"]
        totals[key] = totals.get(key, 0) + int(row["amount_minor"])
    assert totals == {
        ("answers", "EUR"): 25_000,
        ("evaluation", "EUR"): 75_000,
        ("answers", "JPY"): 1,
        ("evaluation", "JPY"): 2,
        ("answers", "ETH"): 250_000_000_000,
        ("evaluation", "ETH"): 750_000_000_001,
    }
    assert {row["currency"] for row in rows_of(done, "balances") if row["contributor_id"] == "numpy"} == {
        "ETH",
        "EUR",
        "JPY",
    }
    assert verify_period(done.path)


def test_usage_decides_what_queries_weigh(world, tmp_path):
    """What users paid moves the pool of answers and no other, and its file is kept in the folder."""
    usage = tmp_path / "usage.csv"
    usage.write_text("query,user,amount\nplotting,u,9\nstatistics,v,1\n", encoding="utf-8")
    policy = policy_file(tmp_path, pools=POOLS)

    plain, used = (world.pay(tmp_path / str(n), policy=policy, usage=one) for n, one in enumerate((None, usage)))

    by_pool = [
        [row["amount_minor"] for row in rows_of(one, "allocation") if row["pool"] == pool]
        for pool in ("evaluation", "answers")
        for one in (plain, used)
    ]
    assert by_pool[0] == by_pool[1]
    assert by_pool[2] != by_pool[3]
    assert used.inputs["usage"] == file_sha256(usage)
    assert used.file("usage.csv").read_bytes() == usage.read_bytes()
    assert verify_period(used.path)


def test_the_ledger_is_part_of_what_a_draft_is_made_from(world, tmp_path):
    """After a posting the draft is made anew, with the posting in its month."""
    first = world.pay(tmp_path)
    about = {"posted_at": "2026-11-03", "currency": "EUR", "idempotency_key": "k", "reason_code": "gift"}
    home = Workspace.open(tmp_path)

    posted = ledger.post(home, [move("RESERVE", 5, accounts.EXPENSE, accounts.RESERVE, **about)])
    second = world.pay(tmp_path)

    assert (second.found, second.id == first.id) == (False, False)
    assert rows_of(second, "journal")[:2] == [posting.texts() for posting in posted]
    assert verify_period(second.path)


def test_the_fee_is_split_before_the_pools(world, tmp_path):
    """Platform, model owner and reserve are credited their parts, contributors the rest."""
    split = {"platform": "0.3", "model_owner": "0.2", "reserve": "0.1", "contributors": "0.4"}

    done = world.pay(tmp_path / "w", policy=policy_file(tmp_path, split=split))

    found = journal.account_balances(journal.read_journal(done.file("journal.csv")))
    assert [found[account, "EUR"] for account in (accounts.PLATFORM, accounts.MODEL_OWNER, accounts.RESERVE)] == [
        30_000,
        20_000,
        10_000,
    ]
    assert found[accounts.EXPENSE, "EUR"] == -100_000
    assert sum(int(row["amount_minor"]) for row in rows_of(done, "allocation")) == 40_000
    assert verify_period(done.path)
