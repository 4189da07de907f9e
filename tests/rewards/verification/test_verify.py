"""Theorem: one flipped bit anywhere is found and its file named; so is a lie that carries fresh hashes."""

import random
import re

import pyarrow.parquet as pq
import pytest

from tests.rewards.helpers.forging import chained, edit, other_weight, rehash
from tribute.artifacts import read_artifact, write_manifest
from tribute.errors import IntegrityError
from tribute.rewards import tables
from tribute.rewards.ledger import exports
from tribute.rewards.period import package
from tribute.rewards.period.draft import REWARDS
from tribute.rewards.verification.verify import verify_period


@pytest.fixture
def closed(closed_house):
    """A closed period that a test may spoil."""
    folder = closed_house.workspace.rewards / "2026-12"
    for path in folder.iterdir():
        path.chmod(0o644)
    return folder


def test_a_good_period_is_described_check_by_check(paid):
    """Verification returns one sentence for each check."""
    checks = verify_period(paid.path)

    assert checks[0] == "20 files have the sha256 that the manifest lists"
    assert any("sum to the pool of 1000.00 EUR" in check for check in checks)
    assert "the attribution card passes, judged anew by the policy's gate: paid by credit" in checks
    assert "every weight is max(0, score − 1·score_se)" in checks
    assert "it is a draft: nobody has signed it, and it may be made again" in checks
    assert len(checks) == 14


def test_one_flipped_bit_names_its_file(closed):
    """In every file, signatures included, at several places, one flipped bit is an error that names the file."""
    chance, before = random.Random(1), verify_period(closed)
    for path in sorted(path for path in closed.rglob("*") if path.is_file()):
        good = path.read_bytes()
        for place in {0, len(good) - 1, *(chance.randrange(len(good)) for _ in range(6))}:
            bad = bytearray(good)
            bad[place] ^= 1 << chance.randrange(8)
            path.write_bytes(bytes(bad))
            with pytest.raises(IntegrityError, match=re.escape(path.name)):
                verify_period(closed)
        path.write_bytes(good)

    assert verify_period(closed) == before


def test_every_bit_of_the_manifest_counts(folder):
    """The manifest cannot hash itself; its bytes are held by the id and the one way of writing it."""
    path = folder / "manifest.json"
    good = path.read_bytes()
    chance = random.Random(2)
    for _ in range(400):
        bad = bytearray(good)
        bad[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
        path.write_bytes(bytes(bad))

        with pytest.raises(IntegrityError, match=r"manifest\.json|2026-11"):
            verify_period(folder)


@pytest.mark.parametrize("name", ["journal.csv", "gate.json", "payables.parquet"])
def test_a_missing_or_additional_file_is_named(folder, name):
    """A file that went, or one that came, is named."""
    moved = folder / name
    moved.rename(moved.with_name("stranger.txt"))

    with pytest.raises(IntegrityError, match=r"missing|not in the manifest"):
        verify_period(folder)


def shift_money(rows):
    rows[5]["amount_minor"] = str(int(rows[5]["amount_minor"]) + 1)
    rows[6]["amount_minor"] = str(int(rows[6]["amount_minor"]) - 1)


def take_money(rows):
    rows[5]["amount_minor"] = str(int(rows[5]["amount_minor"]) - 1)


def other_status(rows):
    rows[0]["status"] = "accrued"


def other_count(rows):
    rows[1]["rows_excluded"] = "15"


def other_evidence(rows):
    rows[5]["evidence_sha256"] = "0" * 64


def other_order(rows):
    return rows[::-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shift_money, r"allocation\.csv: numpy: amount 294\.97 EUR, the weights say 294\.96 EUR"),
        (take_money, r"allocation\.csv: the lines sum to 999\.99 EUR, the pool is 1,000\.00 EUR"),
        (other_weight, r"allocation\.csv: numpy: the weight is not max\(0, score − 1·score_se\)"),
        (other_status, r"allocation\.csv: absent: status accrued does not fit the line"),
        (other_count, r"exclusions\.csv: 14 rows of copycat, allocation\.csv says 15"),
        (other_evidence, r"evidence\.parquet: numpy: not the evidence whose sha256 allocation\.csv carries"),
        (other_order, r"allocation\.csv: expected one line per contributor, in their order"),
    ],
)
def test_a_changed_allocation_is_found_behind_fresh_hashes(folder, change, message):
    """Amounts, weights and counts are recomputed, so that new hashes hide nothing."""
    edit(folder, "allocation", change)

    with pytest.raises(IntegrityError, match=message):
        verify_period(folder)


def test_a_journal_that_pays_another_is_found(folder):
    """A journal that is chained and balanced, but posts to another account, is found."""

    def redirect(rows):
        for row in rows:
            row["account"] = row["account"].replace("numpy", "scrambler")
        return chained(rows)

    edit(folder, "journal", redirect)

    with pytest.raises(IntegrityError, match=r"journal\.csv: line 8 moves money of another contributor than numpy"):
        verify_period(folder)


def test_a_journal_that_pays_another_in_their_name_is_found(folder):
    """The same, with the contributor's id exchanged, too: then it is not what balances.csv says."""

    def redirect(rows):
        for row in rows:
            row["account"] = row["account"].replace("numpy", "scrambler")
            row["contributor_id"] = row["contributor_id"].replace("numpy", "scrambler")
        return chained(rows)

    edit(folder, "journal", redirect)

    with pytest.raises(IntegrityError, match=r"balances\.csv: numpy: EUR does not move as journal\.csv says"):
        verify_period(folder)


def test_a_broken_chain_is_found(folder):
    """A journal line changed without its hash is found."""
    edit(folder, "journal", lambda rows: rows[2].update(reason_code="gift"))

    with pytest.raises(IntegrityError, match=r"journal\.csv: line 3 does not have the hash that it carries"):
        verify_period(folder)


def test_changed_evidence_is_found(folder):
    """Evidence that sums to another score is found."""
    table = tables.read_evidence(folder / "evidence.parquet")
    tables.write_evidence(folder / "evidence.parquet", table.slice(1))
    rehash(folder)

    with pytest.raises(IntegrityError, match=r"evidence\.parquet: .* evidence sums to"):
        verify_period(folder)


def pay_more(rows):
    rows[3]["credit_minor"] = str(int(rows[3]["credit_minor"]) + 1)
    rows[2]["debit_minor"] = str(int(rows[2]["debit_minor"]) + 1)
    return chained(rows)


def post_twice(rows):
    rows[4]["idempotency_key"] = rows[5]["idempotency_key"] = rows[2]["idempotency_key"]
    return chained(rows)


def one_sided(rows):
    rows[2]["debit_minor"] = str(int(rows[2]["debit_minor"]) + 1)
    return chained(rows)


def break_in(rows):
    for row in rows:
        row["seq"] = str(int(row["seq"]) + 7)
    return chained(rows)


@pytest.mark.parametrize(
    ("table", "change", "message"),
    [
        ("journal", pay_more, r"journal\.csv: 2026-11/ACCRUE/evaluation/EUR/\w+ posts \d+ minor units, expected \d+"),
        ("journal", post_twice, r"journal\.csv: line 5 repeats the idempotency key"),
        ("journal", one_sided, r"journal\.csv: entry 2026-11-000002 debits and credits differ by 1 EUR"),
        ("journal", break_in, r"journal\.csv: does not follow on line 0 of the ledger"),
        ("balances", lambda rows: rows[5].update(closing="1"), r"balances\.csv: numpy: opening \+ accrued"),
        ("balances", lambda rows: rows[:5] + rows[6:], r"balances\.csv: no line for numpy in EUR"),
        (
            "leaves",
            lambda rows: rows[5].update(salt="00" * 32),
            r"leaves\.csv: not the leaves of the statements' figures",
        ),
        ("tokens", lambda rows: rows[5].update(tokens="0"), r"tokens\.csv: numpy has trained rows and no tokens"),
    ],
)
def test_a_changed_table_is_found_behind_fresh_hashes(folder, table, change, message):
    """Journal, balances, leaves and tokens are held against each other."""
    edit(folder, table, change)

    with pytest.raises(IntegrityError, match=message):
        verify_period(folder)


def test_a_changed_payment_is_found(closed):
    """Another amount than gross less what the policy withholds, or one below the threshold."""
    edit(closed, "payables", lambda rows: rows[0].update(amount_minor="999"))
    (closed / "manifest.dsse.json").unlink()

    with pytest.raises(IntegrityError, match=r"payables\.csv: 2026-12-\w+-EUR: does not fit the policy"):
        verify_period(closed)


def other_twin(folder):
    table = pq.read_table(folder / "balances.parquet")
    pq.write_table(table.slice(1), folder / "balances.parquet")


def other_export(folder):
    path = folder / "journal.beancount"
    path.write_text(path.read_text(encoding="utf-8").replace("numpy", "scipy"), encoding="utf-8")


def other_types(folder):
    path = folder / "datapackage.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"integer"', '"string"'), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_twin, r"balances\.parquet: not the rows of balances\.csv"),
        (other_export, r"journal\.beancount: not the entries of journal\.csv"),
        (other_types, r"datapackage\.json: does not describe these tables"),
    ],
)
def test_what_lies_beside_the_tables_says_the_same(folder, change, message):
    """A twin, an export or the description that says something else is found behind fresh hashes."""
    change(folder)
    rehash(folder)

    with pytest.raises(IntegrityError, match=message):
        verify_period(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config["control"]["EUR"].update(debit_minor="1"), "row counts or control totals differ"),
        (lambda config: config["rows"].update({"leaves.csv": 11}), "row counts or control totals differ"),
        (lambda config: config["merkle"].update(root="0" * 64), "the Merkle root is not"),
        (lambda config: config["funding"][0].update(reserve_minor="5"), "not divided as the policy's split"),
        (lambda config: config["ledger"].update(head="1" * 64), "does not follow on line 0 of the ledger"),
    ],
)
def test_a_manifest_that_says_something_else_is_found(folder, change, message):
    """Totals, root, split and the ledger's head are recomputed from the tables."""
    identity = read_artifact(folder).identity
    change(identity["config"])
    (folder / "manifest.json").unlink()
    write_manifest(folder, REWARDS, identity["inputs"], identity["config"], {})

    with pytest.raises(IntegrityError, match=message):
        verify_period(folder)


def test_what_is_no_number_is_an_integrity_error(folder):
    """A cell that cannot be read is an error of the folder, not a crash."""
    edit(folder, "allocation", lambda rows: rows[5].update(weight_den="0"))

    with pytest.raises(IntegrityError, match="holds a value that cannot be read"):
        verify_period(folder)


def test_another_kind_of_folder_is_refused(world):
    """A dataset is not a period."""
    with pytest.raises(IntegrityError, match="kind dataset, expected rewards"):
        verify_period(world.dataset.path)


def test_a_better_export_fails_no_sealed_month(two_closed, folder, monkeypatch):
    """What was sealed keeps its hashes; only a draft has to be what today's code writes."""
    monkeypatch.setitem(exports.EXPORTS, "journal.beancount", lambda rows: "; better")
    monkeypatch.setattr(package, "datapackage", lambda *_: b"{}")

    checks = verify_period(two_closed.workspace.rewards / "2026-12")

    assert checks[-1] == "7 Parquet twins fit the tables; exports and data package are as they were sealed"
    with pytest.raises(IntegrityError, match=r"journal\.beancount: not the entries of journal\.csv"):
        verify_period(folder)
