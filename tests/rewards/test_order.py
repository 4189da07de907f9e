"""Theorem: whatever contributors are called, what is written stands in the order that is checked.

An id may begin with another. In longer texts, like accounts and payments, what follows the shorter one decides.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.rewards.helpers.books import POLICY, empty, proved
from tests.rewards.helpers.forging import edit
from tests.rewards.helpers.people import House, make_house
from tests.rewards.helpers.world import STRENGTHS, make_world
from tests.rewards.verification.test_standalone_verifiers import refused, run
from tribute.artifacts import SEAL
from tribute.errors import IntegrityError
from tribute.rewards import tables
from tribute.rewards.ledger import accounts, balances, postings
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.entries import move
from tribute.rewards.period.leaves import Proofs
from tribute.rewards.verification import money_checks
from tribute.rewards.verification.verify import verified
from tribute.rewards.verification.workspace_checks import verify_in_workspace

PAID = [*STRENGTHS, "copycat", "absent"]
"""All of the small world's people, those who are paid most first."""
PACKAGES = ["python", "python-dateutil", "python_dateutil", "python3", "user1", "user10", "user-1", "c-4", "c-41", "c"]

MONTHS = 100 if os.environ.get("TRIBUTE_NIGHTLY") else 5
"""So many workspaces close two months."""


@st.composite
def families(draw, least, most):
    """Different ids, of which most begin with another."""
    count = draw(st.integers(least, most))
    ids = draw(st.lists(st.sampled_from(["a", "a0", "c-4", "python"]), min_size=1, max_size=2, unique=True))
    tails = st.text("-_09az", min_size=1, max_size=3)
    while len(ids) < count:
        longer = draw(st.sampled_from(ids)) + draw(tails)
        while longer in ids:
            longer += draw(st.sampled_from("-_09az"))
        if len(longer) <= 40:
            ids.append(longer)
    return draw(st.permutations(ids))


def _accrual(name, currency):
    about = {"posted_at": "2026-11-30", "currency": currency, "idempotency_key": f"{name}/{currency}"}
    return move("ACCRUE", 10000, accounts.EXPENSE, accounts.accrued(name), contributor_id=name, **about)


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    """A workspace in which policy and keys are published, and nothing was paid; read only."""
    return make_house(tmp_path_factory.mktemp("founded") / "workspace")


@proved
@given(families(2, 8), st.sets(st.sampled_from(["EUR", "JPY", "USD"]), min_size=1))
@example(PACKAGES, {"EUR", "JPY"})
def test_what_is_payable_is_written_as_it_is_checked(ids, currencies):
    """In every currency, among ids of which one begins with another."""
    books = empty().with_entries(_accrual(name, currency) for name in ids for currency in currencies)
    books = Ledger(books.folder, books.postings, ["2026-11"])
    books = books.with_entries(postings.due(books, "2026-12-31", {"2026-11": POLICY}))

    owed = balances.balance_rows(books, "2026-12", [])
    payables = balances.payable_rows(books, "2026-12", POLICY, {})

    assert len(payables) == len(ids) * len(currencies)
    for table, rows in ((tables.BALANCES, owed), (tables.PAYABLES, payables)):
        assert table.in_order(rows)
        assert not table.in_order([*rows, rows[-1]])
        assert table.ordered(reversed(rows)) == rows
    read = SimpleNamespace(policy=POLICY, period="2026-12", balances=owed, payables=payables)
    assert money_checks.check_payables(read).startswith(f"{len(payables)} payments")


@settings(max_examples=MONTHS)
@given(families(len(PAID), len(PAID)))
@example(PACKAGES)
def test_two_months_close_and_verify(founded, ids):
    """From the tables through both closes to everything that checks them, Tribute or not."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        world = make_world(root / "world", names=dict(zip(PAID, ids, strict=True)))
        house = House(shutil.copytree(founded.root, root / "workspace", symlinks=True), world)
        for period in ("2026-11", "2026-12"):
            house.close(period)

            folder = house.workspace.rewards / period
            read, _ = verified(folder)
            verify_in_workspace(house.workspace, read, every=True)
            outside = run("verify_rewards.py", folder)
            assert (outside.returncode, outside.stderr) == (0, "")
        assert len(read.payables) > 1
        proof = Proofs.read(folder)
        for contributor in sorted(ids)[:2]:
            said = {"contributor_id": contributor, "period": period, "proof": proof(contributor)}
            (root / "statement.json").write_text(json.dumps(said), encoding="utf-8")
            assert run("verify_statement.py", root / "statement.json", folder / "manifest.json").returncode == 0


def test_another_order_is_found(two_closed, tmp_path):
    """With fresh hashes, in a copy that nobody signed."""
    folder = shutil.copytree(two_closed.workspace.rewards / "2026-12", tmp_path / "2026-12")
    for path in folder.iterdir():
        path.chmod(0o644)
    (folder / SEAL).unlink()
    for change in (lambda rows: [rows[1], rows[0], *rows[2:]], lambda rows: [rows[0], *rows]):
        before = (folder / "payables.csv").read_bytes()
        edit(folder, "payables", change)

        refused(folder, "payables.csv: ")
        with pytest.raises(IntegrityError, match=r"payables\.csv: expected one line per payment, in their order"):
            verified(folder)
        (folder / "payables.csv").write_bytes(before)
