"""Theorem: one flipped bit anywhere is found and its file named; so is a lie that carries fresh hashes."""

import random

import pytest

from tests.rewards.forging import edit, other_weight, rehash
from tribute.errors import IntegrityError
from tribute.rewards import journal, tables, verify_period


def test_a_good_period_is_described_check_by_check(paid):
    """Verification returns one sentence for each check."""
    checks = verify_period(paid.path)

    assert checks[0] == "18 files have the sha256 that the manifest lists"
    assert any("sum to the pool of 1000.00 EUR" in check for check in checks)
    assert "the attribution card passes, judged anew by the policy's gate: paid by credit" in checks
    assert "every weight is max(0, score − 1·score_se)" in checks
    assert len(checks) == 9


def test_one_flipped_bit_names_its_file(paid, folder):
    """In every file, at several places, one flipped bit is an error that names the file."""
    chance = random.Random(1)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        good = path.read_bytes()
        for place in {0, len(good) - 1, *(chance.randrange(len(good)) for _ in range(6))}:
            bad = bytearray(good)
            bad[place] ^= 1 << chance.randrange(8)
            path.write_bytes(bytes(bad))
            with pytest.raises(IntegrityError, match=path.name):
                verify_period(folder)
        path.write_bytes(good)

    assert verify_period(folder) == verify_period(paid.path)


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


@pytest.mark.parametrize("name", ["journal.csv", "control.json", "statements/numpy.html"])
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
        (shift_money, r"allocation\.csv: numpy: amount 29497, the weights say 29496"),
        (take_money, r"allocation\.csv: the lines sum to 99999 minor units, the pool is 100000"),
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
        return journal.chain(rows)

    edit(folder, "journal", redirect)

    with pytest.raises(IntegrityError, match=r"journal\.csv: Liabilities:Contributor:numpy:Accrued stands at None"):
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


def test_a_missing_statement_is_found_behind_fresh_hashes(folder):
    """Everybody on the allocation has a page."""
    (folder / "statements" / "sympy.html").unlink()
    rehash(folder)

    with pytest.raises(IntegrityError, match=r"sympy\.html: missing"):
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
