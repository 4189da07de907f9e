"""Theorem: a period continues the ledger before it, and nothing around it was changed since."""

import json
import random

import pytest

from tests.helpers.terminal import tribute
from tests.rewards.helpers.forging import chained, rehash
from tests.rewards.helpers.people import House
from tribute.errors import IntegrityError, RewardError
from tribute.rewards import tables
from tribute.rewards.period import leaves
from tribute.rewards.period.folder import PeriodFolder
from tribute.rewards.verification.workspace_checks import verify_in_workspace


@pytest.fixture
def house(writable_house: House) -> House:
    return writable_house


def check(house, period="2026-12", **options):
    read = PeriodFolder(house.workspace.rewards / period)
    return verify_in_workspace(house.workspace, read, **options)


def found(house, said, period="2026-12"):
    with pytest.raises(IntegrityError, match=said):
        check(house, period)


def test_two_closed_months_hold_together(two_closed):
    """One chain, balances and payments from the ledger, proofs, second names, policy and keys."""
    checks = check(two_closed)

    assert len(checks) == 5
    assert checks[0].endswith("lines up to here are one chain over 2 months, none changed since")
    assert checks[2].startswith("10 statements' proofs lead to the root")
    assert checks[3] == "0 files of second names are signed with keys in the registry, and no correction lacks one"
    assert check(two_closed, "2026-11")


def test_a_draft_holds_too(house):
    """Before it is signed, so that nothing wrong is."""
    house.pay("2027-01")

    assert len(check(house, "2027-01")) == 4


def test_a_month_that_changed_since_is_found(house):
    """One bit in a sealed month's file, of this period or an earlier one."""
    for month in ("2026-11", "2026-12"):
        path = house.workspace.rewards / "journal" / f"{month}.csv"
        good = path.read_bytes()
        path.write_bytes(good.replace(b"numpy", b"numpz", 1))
        found(house, rf"{month}\.csv: not the month that {month} was closed with")
        path.write_bytes(good)


def test_a_month_that_is_missing_is_found(house):
    """Named, with what to do."""
    (house.workspace.rewards / "journal" / "2026-11.csv").unlink()

    found(house, r"journal/2026-11\.csv: not the month that 2026-11 was closed with; restore the file")


def test_a_ledger_that_was_rewritten_from_its_beginning_is_found(house):
    """Even with fresh hashes, month and folder alike: the next period's manifest names the old head."""
    rewards = house.workspace.rewards
    rows = tables.read_csv(rewards / "journal" / "2026-11.csv", tables.JOURNAL)
    rows[0]["reason_code"] = "gift"
    for path in (rewards / "journal" / "2026-11.csv", rewards / "2026-11" / "journal.csv"):
        tables.write_csv(path, tables.JOURNAL, chained(rows))

    found(house, r"journal\.csv: with the months before it, line \d+ is not chained to the line before it")


def test_a_cause_that_an_earlier_month_posted_is_found(house):
    """An idempotency key counts once over the whole ledger, also behind fresh hashes."""
    rewards = house.workspace.rewards
    before, rows = (tables.read_csv(rewards / f"2026-{month}" / "journal.csv", tables.JOURNAL) for month in (11, 12))
    for row in rows[-2:]:
        row["idempotency_key"] = before[0]["idempotency_key"]
    made = chained(before + rows)[len(before) :]
    for path in (rewards / "journal" / "2026-12.csv", rewards / "2026-12" / "journal.csv"):
        tables.write_csv(path, tables.JOURNAL, made)

    found(house, r"journal\.csv: with the months before it, line \d+ repeats an idempotency key")


def test_another_predecessor_is_found(house):
    """The manifest names the one before it by its id."""
    rehash(house.workspace.rewards / "2026-11", more="0" * 64)

    found(house, r"manifest\.json: another previous manifest")


@pytest.mark.parametrize("table", ["balances", "payables"])
def test_money_that_the_ledger_does_not_know_is_found(house, table):
    """An opening balance or a payment that only the period's own folder could not refute."""
    path, columns = house.workspace.rewards / "2026-12" / f"{table}.csv", getattr(tables, table.upper())
    rows = tables.read_csv(path, columns)
    for name in ("opening", "closing") if table == "balances" else ("amount_minor",):
        rows[5][name] = str(int(rows[5][name]) + 100)
    tables.write_csv(path, columns, rows)

    found(house, rf"{table}\.csv: not what the ledger")


def test_statements_are_held_against_the_folder(house):
    """One that was made and then changed is named; the sample is as large as asked for."""
    folder = house.workspace.statements / "2026-12"
    folder.mkdir(parents=True)
    proof = leaves.Proofs.read(house.workspace.rewards / "2026-12")("numpy")
    document = {"contributor_id": "numpy", "period": "2026-12", "proof": proof}
    (folder / "numpy.json").write_text(json.dumps(document), encoding="utf-8")
    good = check(house, every=True)
    for change in ({"contributor_id": "scipy"}, {"period": "2026-11"}):
        (folder / "numpy.json").write_text(json.dumps(document | change), encoding="utf-8")
        found(house, r"numpy\.json: its name, period or proof are not those of")
    proof["figures"]["balances"][0]["closing"] = "1"
    (folder / "numpy.json").write_text(json.dumps(document), encoding="utf-8")

    assert good[2] == "10 statements' proofs lead to the root, and 1 that were made carry theirs"
    found(house, r"numpy\.json: its name, period or proof are not those of")


def test_a_policy_that_is_not_published_is_found(house):
    """A manifest made by another policy file than the registry's."""
    policy = house.workspace.registry / "policies" / "tiny" / "v1.0.0.yaml"
    assert policy.exists()
    rehash(house.workspace.rewards / "2026-12", policy="0" * 64)

    with pytest.raises(RewardError, match="was made by another policy than the published tiny"):
        check(house)


def test_the_command_checks_a_period_by_name_and_by_path(two_closed, tmp_path):
    """`tribute verify period 2026-12` and `tribute verify rewards/2026-12` are the same; a copy has no workspace."""
    by_name = tribute("verify", "period", "2026-12", "-w", two_closed.root)
    by_path = tribute("verify", two_closed.workspace.rewards / "2026-12", "--all")
    deep = tribute("verify", tmp_path, "--deep")

    assert (by_name.code, by_path.code) == (0, 0)
    assert by_name.out == by_path.out
    assert by_name.out.count("✓") == 19
    assert (deep.code, "is nothing to verify" in deep.err) == (2, True)


def test_the_command_names_the_file_of_a_flipped_bit(house):
    """Every file of the closed folder in turn, and the sealed months of the ledger: one bit, anywhere in it."""
    folder = house.workspace.rewards / "2026-12"
    chance = random.Random(5)
    for path in sorted([*folder.iterdir(), *folder.with_name("journal").iterdir()]):
        good = path.read_bytes()
        bad = bytearray(good)
        bad[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(bad))

        ended = tribute("verify", folder)

        assert (ended.code, path.name in ended.err) == (2, True), (path, ended.err)
        path.write_bytes(good)
    assert tribute("verify", folder).code == 0
