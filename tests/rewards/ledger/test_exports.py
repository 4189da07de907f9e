"""Theorem: beancount and hledger keep the same books from the exports as the ledger does."""

import os
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from tribute.money import format_amount
from tribute.rewards.ledger import accounts, exports, journal, ledger
from tribute.rewards.ledger.entries import move


@pytest.fixture
def rows(two_closed):
    return ledger.load(two_closed.workspace).postings


def bean_check():
    """Beancount is under the GPL, so it is never imported: only its program is run, wherever it is installed."""
    found = os.environ.get("BEAN_CHECK") or shutil.which("bean-check")
    if found is None:
        pytest.skip("bean-check is not installed; it may lie in another environment, named by BEAN_CHECK")
    return found


def hledger(*arguments):
    if shutil.which("hledger") is None:
        pytest.skip("hledger is not installed")
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    ended = subprocess.run(["hledger", *arguments], capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_bean_check_accepts_every_export(rows, two_closed, tmp_path):
    """Of a month and of the whole ledger."""
    program = bean_check()
    whole = tmp_path / "ledger.beancount"
    whole.write_text(exports.beancount(rows), encoding="utf-8")

    for path in (whole, *two_closed.workspace.rewards.glob("*/journal.beancount")):
        ended = subprocess.run([program, path], capture_output=True, text=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, "")


def test_bean_check_finds_an_export_that_does_not_balance(rows, tmp_path):
    """The check would notice: a cent more on one side is an error."""
    program = bean_check()
    text = exports.beancount(rows).replace("Liabilities:Pool  -", "Liabilities:Pool  -1", 1)
    (tmp_path / "wrong.beancount").write_text(text, encoding="utf-8")

    assert subprocess.run([program, tmp_path / "wrong.beancount"], capture_output=True, check=False).returncode != 0


def test_hledger_accepts_every_export(rows, two_closed, tmp_path):
    """Strictly: accounts and commodities are declared."""
    whole = tmp_path / "ledger.hledger"
    whole.write_text(exports.hledger(rows), encoding="utf-8")

    for path in (whole, *two_closed.workspace.rewards.glob("*/journal.hledger")):
        hledger("-f", str(path), "check", "--strict")


def test_hledger_finds_the_ledgers_balances(rows, tmp_path):
    """Account by account, to the cent."""
    whole = tmp_path / "ledger.hledger"
    whole.write_text(exports.hledger(rows), encoding="utf-8")

    told = hledger("-f", str(whole), "balance", "--flat", "--no-total", "-O", "csv").splitlines()[1:]
    found = {account: Decimal(amount.split()[0]) for account, amount in (line.strip('"').split('","') for line in told)}

    expected = {
        account: Decimal(format_amount(-minor, currency))
        for (account, currency), minor in journal.account_balances(rows).items()
        if minor
    }
    assert found == expected


@pytest.mark.parametrize(("currency", "text"), [("JPY", "7"), ("KWD", "0.007"), ("ETH", "0.000000000000000007")])
def test_every_currency_keeps_its_decimals(currency, text, tmp_path):
    """From none to 18, in both programs."""
    about = {"posted_at": "2026-11-30", "currency": currency, "idempotency_key": "k", "contributor_id": "ada_l-1"}
    entry = move("ACCRUE", 7, accounts.POOL, accounts.accrued("ada_l-1"), **about)
    rows = journal.append([], [entry])

    for export, name in ((exports.beancount, "a.beancount"), (exports.hledger, "a.hledger")):
        assert f"  {text} {currency}\n" in export(rows)
        (tmp_path / name).write_text(export(rows), encoding="utf-8")
    hledger("-f", str(tmp_path / "a.hledger"), "check", "--strict")
    assert subprocess.run([bean_check(), tmp_path / "a.beancount"], check=False).returncode == 0


@pytest.mark.parametrize(
    "reason", ['say "no" \\', "a ; entry:other", 'x"\\" | (y) *', "ünï ☃ ^link #tag {cost} @ 1 EUR"]
)
def test_a_reason_is_text_and_nothing_else(reason, tmp_path):
    """What somebody wrote as the reason of a correction closes no quote and begins no comment."""
    about = {"posted_at": "2026-11-30", "currency": "EUR", "idempotency_key": "k", "reason_code": reason}
    rows = journal.append([], [move("ADJUST", 7, accounts.RESERVE, accounts.accrued("ada"), **about)])
    for name, export in exports.EXPORTS.items():
        (tmp_path / name).write_text(export(rows), encoding="utf-8")

    told = hledger("-f", str(tmp_path / "journal.hledger"), "print", "tag:entry=other")

    assert told == ""
    hledger("-f", str(tmp_path / "journal.hledger"), "check", "--strict")
    assert subprocess.run([bean_check(), tmp_path / "journal.beancount"], check=False).returncode == 0


def test_two_contributors_never_share_a_beancount_account():
    """Hyphen, underscore and letters stay apart, whatever ids there are."""
    ids = ["a-b", "a_b", "aub", "a", "b", "0", "accrued", "held", "contributor"]

    names = {exports._beancount_account(accounts.accrued(id_)) for id_ in ids}

    assert len(names) == len(ids)
    assert "Liabilities:Contributor:Id-aUb:Accrued" in names


def test_exports_carry_the_entry_that_a_line_comes_from(two_closed):
    """So that whoever looks at the books finds the journal again."""
    folder: Path = two_closed.workspace.rewards / "2026-12"
    text = (folder / "journal.beancount").read_text(encoding="utf-8")

    assert '2026-12-31 * "ACCRUE" "share_of_pool numpy" ^2026-12-' in text
    assert '"PAYABLE" "dispute_window_over numpy" ^2026-12-' in text
