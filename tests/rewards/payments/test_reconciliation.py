"""Theorem: what a bank did is in the ledger once, whatever it sends how often; everything else posts nothing."""

import errno
from pathlib import Path

import pytest

from tests.helpers.terminal import tree, tribute
from tests.rewards.helpers import banks
from tests.rewards.helpers.people import House
from tests.rewards.helpers.sheets import sheet
from tribute.errors import RewardError
from tribute.ids import parse_payee_ref
from tribute.money import format_amount
from tribute.rewards import close, tables
from tribute.rewards.ledger import accounts, ledger
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.payments.reconciliation import reconcile

DAY = "2027-01-05"


@pytest.fixture
def house(closed_house: House) -> House:
    return closed_house


@pytest.fixture
def payables(house):
    return tables.read_csv(house.workspace.rewards / "2026-12" / "payables.csv", tables.PAYABLES)


@pytest.fixture
def take(house, tmp_path):
    """Reconcile a text; returns the lines of recon.csv."""

    def take(text, name="answer"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tables.read_csv(reconcile(house.workspace, tmp_path / name, DAY)[0], tables.RECON)

    return take


def major(row):
    return format_amount(int(row["amount_minor"]), row["currency"])


def paid(*rows):
    return banks.statement(*((row["end_to_end_id"], major(row), "DBIT") for row in rows))


def events(house):
    return [row.event for row in ledger.load(house.workspace).postings if row.period == "2027-01"]


def owed(house, row):
    return house.balance(accounts.payable(parse_payee_ref(row["payee_ref"])))


def test_what_the_bank_paid_is_posted_once(house, payables, take):
    """PAY for each, from payable to bank; recon.csv names the entry."""
    lines = take(paid(*payables))

    total = sum(int(row["amount_minor"]) for row in payables)
    assert {line["outcome"] for line in lines} == {"paid"}
    assert house.balance(accounts.BANK) == total > 0
    assert {owed(house, row) for row in payables} == {0}
    entries = {row.entry_id: row for row in ledger.load(house.workspace).postings}
    assert all(entries[line["entry_id"]].event == "PAY" for line in lines)


def test_the_same_file_twice_is_refused(house, payables, take):
    """By its content, and by the bank's own id where the bytes differ; nothing is posted."""
    take(paid(*payables))
    before = tree(house.workspace.rewards)

    with pytest.raises(RewardError, match=r"reconciled before, see .*; a bank's file counts once"):
        take(paid(*payables), "copy")
    with pytest.raises(RewardError, match=r"camt\.053 CAMT-1 was reconciled before"):
        take(paid(*payables).replace("\n", "\n "), "spaced")

    assert tree(house.workspace.rewards) == before


def test_a_payment_in_two_files_is_paid_once(house, payables, take):
    """A status report and the statement both say so."""
    first = take(banks.report((payables[0]["end_to_end_id"], "ACSC", "")))
    second = take(paid(payables[0]), "statement")

    assert [line["outcome"] for line in first + second] == ["paid", "paid_before"]
    assert house.balance(accounts.BANK) == int(payables[0]["amount_minor"])


def test_a_payment_that_comes_back_is_owed_again(house, payables, take):
    """RETURN mirrors the payment and refers to it, also in one file with it."""
    row = payables[0]
    text = banks.statement((row["end_to_end_id"], major(row), "DBIT"), (row["end_to_end_id"], major(row), "CRDT"))

    lines = take(text)

    assert [line["outcome"] for line in lines] == ["paid", "returned"]
    assert lines[1]["bank_reason"] == "AC04"
    assert house.balance(accounts.BANK) == 0
    assert owed(house, row) == int(row["amount_minor"])
    entry = ledger.load(house.workspace).entry(lines[1]["entry_id"])[0]
    assert (entry.event, entry.ref) == ("RETURN", lines[0]["entry_id"])


def test_a_refused_payment_is_handed_over_anew(house, payables, take):
    """PAY and RETURN leave the balance as it was, and the next payables.csv has it again."""
    row = payables[0]
    lines = take(banks.report((row["end_to_end_id"], "RJCT", "AC01")))

    assert [line["outcome"] for line in lines] == ["rejected"]
    assert sorted(set(events(house))) == ["PAY", "RETURN"]
    assert owed(house, row) == int(row["amount_minor"])
    draft = house.pay("2027-01")
    again = tables.read_csv(draft.path / "payables.csv", tables.PAYABLES)
    names = [parse_payee_ref(one["payee_ref"]) for one in again]
    # Everybody gets what became payable in January; only this one gets December's once more.
    due = {parse_payee_ref(one["payee_ref"]): int(one["amount_minor"]) for one in again}
    assert parse_payee_ref(row["payee_ref"]) in names
    assert due[parse_payee_ref(row["payee_ref"])] > int(row["amount_minor"])


def test_what_is_not_final_or_does_not_fit_posts_nothing(house, payables, take):
    """Each with its reason in recon.csv, for a person to look at."""
    one, other, third = payables[:3]
    text = banks.table(
        (one["end_to_end_id"], "0.01", "paid"),
        (other["end_to_end_id"], major(other), "pending"),
        (third["end_to_end_id"], major(third), "returned"),
        ("202612-unknown", "5.00", "paid"),
    )

    lines = take(text)

    outcomes = {line["end_to_end_id"]: line["outcome"] for line in lines}
    assert outcomes == {
        one["end_to_end_id"]: "amount_differs",
        other["end_to_end_id"]: "pending",
        third["end_to_end_id"]: "returned_unpaid",
        "202612-unknown": "unknown_payment",
    }
    assert events(house) == []


def test_another_currency_is_said_to_be_one(house, payables, take):
    """The same number in dollars is no amount that differs; nothing is posted."""
    row = payables[0]

    (line,) = take(banks.table((row["end_to_end_id"], major(row), "paid")).replace(",EUR,", ",USD,"))

    assert line["outcome"] == "currency_differs"
    assert events(house) == []


@pytest.mark.parametrize(("name", "said"), [("", "Is a directory"), ("none", "No such file or directory")])
def test_what_is_no_file_is_refused_by_name(house, tmp_path, name, said):
    """A folder or a name that leads nowhere."""
    with pytest.raises(RewardError, match=rf"cannot be read \({said}\); give the file that the bank sent"):
        reconcile(house.workspace, tmp_path / name, DAY)


def test_who_may_not_write_may_look(house, monkeypatch):
    """On a read-only disk, where no lock can be taken, status and verify read what is there."""

    def read_only(*_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(ledger, "locked", read_only)

    status = tribute("period", "status", "-w", house.root)
    verified = tribute("verify", "period", "2026-12", "-w", house.root)

    assert (status.code, verified.code) == (0, 0), status.err + verified.err


def test_tax_is_withheld_with_the_payment_and_comes_back_with_it(house, payables, take, tmp_path):
    """WITHHOLD goes to the tax account; a return mirrors both."""
    row = payables[0] | {"withheld_minor": "100", "amount_minor": str(int(payables[0]["amount_minor"]) - 100)}
    path = house.workspace.rewards / "2026-12" / "payables.csv"
    path.chmod(0o644)
    tables.write_csv(path, tables.PAYABLES, [row, *payables[1:]])

    take(paid(row))
    taken = (house.balance(accounts.TAX), house.balance(accounts.BANK), owed(house, row))
    take(banks.statement((row["end_to_end_id"], major(row), "CRDT"), message="CAMT-2"), "back")

    assert taken == (100, int(row["amount_minor"]), 0)
    assert (house.balance(accounts.TAX), house.balance(accounts.BANK)) == (0, 0)
    assert owed(house, row) == int(payables[0]["amount_minor"])


def test_a_day_in_a_closed_month_is_refused(house, payables, tmp_path):
    """Nothing is posted or written."""
    (tmp_path / "answer").write_text(paid(*payables), encoding="utf-8")
    before = tree(house.workspace.rewards)

    with pytest.raises(RewardError, match="2026-12-31 lies in 2026-12, which is closed and sealed"):
        reconcile(house.workspace, tmp_path / "answer", "2026-12-31")

    assert tree(house.workspace.rewards) == before


def test_what_a_bank_writes_is_no_formula(house, take):
    """A spreadsheet shows it with an apostrophe, and runs nothing."""
    text = banks.table(("=cmd()", "5.00", "paid"))

    assert take(text)[0]["end_to_end_id"] == "'=cmd()"


def test_a_spreadsheet_runs_nothing_of_what_a_bank_writes(house, take, tmp_path):
    """LibreOffice opens recon.csv, with every beginning that could be a formula, and holds texts alone."""
    nasty = [f"{mark}WEBSERVICE(A1)" for mark in ("=", "+", "-", "@", "\t=", "\r=")]
    take(banks.table(*(('"' + text + '"', "5.00", "paid") for text in nasty)))
    (path,) = (house.workspace.rewards / "reconciliations").glob("*/recon.csv")

    opened = sheet(path, tmp_path)

    assert opened.count("WEBSERVICE(A1)") == len(nasty)
    assert "table:formula=" not in opened


def test_the_command_says_what_came_out(house, payables, tmp_path):
    """A rehearsal posts nothing; then it posts, and a second time it refuses in one line."""
    (tmp_path / "answer").write_text(paid(*payables), encoding="utf-8")
    arguments = ("pay", "reconcile", tmp_path / "answer", "--date", DAY, "-w", house.root)
    before = tree(house.workspace.rewards)

    rehearsed = tribute(*arguments, "--dry-run")
    unchanged = tree(house.workspace.rewards) == before
    done, again = tribute(*arguments), tribute(*arguments)

    assert (rehearsed.code, unchanged, done.code, again.code) == (0, True, 0, 2)
    assert f"{len(payables)} paid; nothing was posted" in rehearsed.out
    assert f"{len(payables)} paid; see" in done.out
    assert again.err.count("\n") == 1


def test_balances_tie_out_after_payments(house, payables, take):
    """The next close counts what was paid, and opening + accrued + adjusted − withheld − paid = closing."""
    take(paid(*payables))
    house.pay("2027-01")
    for name in ("anna", "ben"):
        close.close(house.workspace, "2027-01", name, house.key(name), "2027-02-01")

    balances = tables.read_csv(house.workspace.rewards / "2027-01" / "balances.csv", tables.BALANCES)

    assert sum(int(row["paid"]) for row in balances) == sum(int(row["amount_minor"]) for row in payables)
    for row in balances:
        opening, accrued, adjusted = (int(row[name]) for name in ("opening", "accrued", "adjusted"))
        assert opening + accrued + adjusted - int(row["withheld"]) - int(row["paid"]) == int(row["closing"])


@pytest.mark.parametrize("last", ["before the posting", "after it"])
def test_a_half_written_reconciliation_is_finished(house, payables, take, monkeypatch, last):
    """Whether a crash came before the posting or after it, recon.csv says what the file had posted."""

    def fail(*_):
        raise OSError("the power went out")

    with monkeypatch.context() as patch:
        patch.setattr(*((Ledger, "post", fail) if last == "before the posting" else (Path, "rename", fail)))
        with pytest.raises(OSError, match="the power went out"):
            take(paid(*payables))

    lines = take(paid(*payables))

    assert {line["outcome"] for line in lines} == {"paid"}
    assert house.balance(accounts.BANK) == sum(int(row["amount_minor"]) for row in payables)
    assert {path.name for path in (house.workspace.rewards / "reconciliations").glob("*/*")} == {
        "recon.csv",
        "source.json",
    }
    with pytest.raises(RewardError, match="reconciled before"):
        take(paid(*payables))


def test_a_refusal_that_was_wrong_is_paid_once(house, payables, take):
    """What the bank paid although it had refused it is posted as a payment, and is not handed over anew."""
    row = payables[0]
    take(banks.report((row["end_to_end_id"], "RJCT", "AC01")))

    first = take(paid(row), "statement")
    second = take(banks.table((row["end_to_end_id"], major(row), "paid")), "again")
    late = take(banks.report((row["end_to_end_id"], "RJCT", "AC01"), message="PAIN-2"), "late")

    assert [line["outcome"] for line in first + second + late] == [
        "paid_after_return",
        "paid_before",
        "rejected_before",
    ]
    assert (owed(house, row), house.balance(accounts.BANK)) == (0, int(row["amount_minor"]))
    assert first[0]["entry_id"] == second[0]["entry_id"] != ""
    back = take(banks.statement((row["end_to_end_id"], major(row), "CRDT"), message="CAMT-2"), "back")
    assert [line["outcome"] for line in back] == ["returned"]
    assert (owed(house, row), house.balance(accounts.BANK)) == (int(row["amount_minor"]), 0)


def test_a_refusal_that_was_wrong_after_it_was_handed_over_anew_is_for_a_person(house, payables, take, tmp_path):
    """Its money is in another payment by then, so nothing is posted and the command says to look."""
    row = payables[0]
    take(banks.report((row["end_to_end_id"], "RJCT", "AC01")))
    house.close("2027-01")
    before = ledger.load(house.workspace).head
    (tmp_path / "statement").write_text(paid(row), encoding="utf-8")

    ended = tribute("pay", "reconcile", tmp_path / "statement", "--date", "2027-02-05", "-w", house.root)

    assert ended.code == 0, ended.err
    assert "1 paid after return" in ended.out
    assert "1 answer needs your decision: see outcome in recon.csv, then `tribute pay settle`" in ended.out
    assert ledger.load(house.workspace).head == before


def test_a_payment_said_after_its_return_posts_nothing(house, payables, take):
    """A statement that repeats both says nothing new; one that says the payment alone is for a person."""
    id_, amount = payables[0]["end_to_end_id"], major(payables[0])
    both = ((id_, amount, "DBIT"), (id_, amount, "CRDT"))
    take(banks.statement(*both))
    before = ledger.load(house.workspace).head

    repeated = take(banks.statement(*both, message="CAMT-2"), "repeated")
    alone = take(banks.statement(both[0], message="CAMT-3"), "alone")

    assert [line["outcome"] for line in repeated + alone] == ["paid_before", "returned_before", "paid_after_return"]
    assert ledger.load(house.workspace).head == before


def test_two_banks_may_give_a_message_the_same_id(house, payables, take):
    """A message's id is unique for its sender alone."""
    take(paid(payables[0]))

    lines = take(
        banks.statement((payables[1]["end_to_end_id"], major(payables[1]), "DBIT"), account="DE89370400440532013000"),
        "other",
    )

    assert [line["outcome"] for line in lines] == ["paid"]


def test_a_line_of_no_money_of_ours_stops_nothing(house, payables, take):
    """A foreign line of nothing stands beside ours, as somebody else's."""
    lines = take(
        banks.statement(("another", "0.00", "DBIT"), (payables[0]["end_to_end_id"], major(payables[0]), "DBIT"))
    )

    assert {line["outcome"] for line in lines} == {"paid", "unknown_payment"}
