"""Theorem: whatever form a bank answers in, the same answer is read; what cannot be read is refused by name."""

import re

import pytest

from tests.rewards.helpers import banks
from tribute.errors import RewardError
from tribute.rewards.bank_formats.formats import read_bank_file
from tribute.rewards.bank_formats.messages import Answer

ID = "202612-0123456789abcdef01234567"


@pytest.fixture
def read(tmp_path):
    def read(text):
        (tmp_path / "answer").write_text(text, encoding="utf-8")
        (message,) = read_bank_file(tmp_path / "answer", {ID, "202612-b"})
        return message

    return read


@pytest.mark.parametrize("version", ["02", "04", "08", "12"])
def test_every_version_of_a_statement_is_read(read, version):
    """A booked debit is a payment; its amount is in minor units, its day the booking's."""
    found = read(banks.statement((ID, "12.50", "DBIT"), version=version))

    assert (found.kind, found.message) == ("camt.053", "CAMT-1")
    assert found.answers == (Answer(ID, "paid", "EUR", 1250, "2027-01-04", ""),)


def test_money_that_comes_back_is_a_return_with_its_reason(read):
    """A booked credit with our id, such as of a closed account."""
    found = read(banks.statement((ID, "12.50", "CRDT")))

    assert found.answers == (Answer(ID, "returned", "EUR", 1250, "2027-01-04", "AC04"),)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [("ACSC", "paid"), ("ACCC", "paid"), ("RJCT", "rejected"), ("CANC", "rejected"), ("ACSP", "pending")],
)
def test_a_status_report_says_how_far_a_payment_is(read, status, outcome):
    """Only settled is paid; accepted and in process is not."""
    found = read(banks.report((ID, status, "AC01")))

    assert found.answers == (Answer(ID, outcome, "", None, "2027-01-04", "AC01"),)


def test_csv_says_the_same(read):
    """For banks, and people, without XML."""
    assert read(banks.table((ID, "12.50", "paid"))).answers == (Answer(ID, "paid", "EUR", 1250, "2027-01-04", ""),)


def test_an_entry_that_is_not_booked_is_pending(read):
    """A bank shows what it will do before it does it."""
    text = banks.statement((ID, "12.50", "DBIT")).replace(">BOOK<", ">PDNG<")

    assert read(text).answers[0].outcome == "pending"


def test_five_decimals_of_nothing_are_the_same_amount(read):
    """12.5 and 12.50000 are 1250 cents."""
    text = banks.statement((ID, "12.50000", "DBIT"), ("202612-b", " +012.5 ", "DBIT"))

    assert [answer.amount_minor for answer in read(text).answers] == [1250, 1250]


def test_an_amount_is_never_rounded(read):
    """Thirty digits of ETH are read to the last one."""
    text = banks.statement((ID, "123456789012.123456789012345678", "DBIT"), currency="ETH")

    assert read(text).answers[0].amount_minor == 123456789012123456789012345678


def test_what_concerns_no_payment_of_ours_is_left_out(read):
    """An entry without an end-to-end id, such as the bank's fee."""
    text = banks.statement((ID, "1.00", "DBIT"), ("NOTPROVIDED", "3.00", "DBIT"))

    assert [answer.end_to_end_id for answer in read(text).answers] == [ID]


@pytest.mark.parametrize(
    "text",
    [
        banks.statement(("another", "0.00", "CRDT")),
        banks.statement(("another", "1.00", "DBIT"), currency="XYZ"),
        banks.statement(("another", "", "DBIT")),
        re.sub("<Amt Ccy.*?</Amt>", "", banks.statement(("another", "", "DBIT"))),
        banks.table(("another", "n/a", "paid")),
    ],
)
def test_another_payments_amount_is_not_read(read, text):
    """Nothing, an unknown currency or no number: what is not ours makes no file unreadable."""
    (answer,) = read(text).answers

    assert (answer.end_to_end_id, answer.amount_minor) == ("another", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<Document><Other/></Document>", "neither camt.052, camt.053, camt.054, mt940 nor pain.002"),
        ("<Document>", "not a bank's answer that can be read"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><Document/>", "holds a DOCTYPE"),
        ("<!doctype html><html><body>Sign in</body></html>", "is a web page"),
        (banks.statement((ID, "1.005", "DBIT")), "has 3 decimals, EUR has 2"),
        (banks.statement((ID, "NaN", "DBIT")), f"payment {ID}: amount 'NaN' is not a plain positive decimal"),
        (banks.statement((ID, "", "DBIT")), "amount '' is not a plain positive decimal"),
        (re.sub("<Amt Ccy.*?</Amt>", "", banks.statement((ID, "", "DBIT"))), f"payment {ID}: the message has no Amt"),
        ("", "the file is empty; give the file that the bank sent"),
        ("a,b\n1,2\n", "columns 'a,b', expected 'end_to_end_id,currency,"),
        (banks.table(), "holds no payment, only the header"),
        (banks.table((ID, "13,24", "paid")), "line 2: 7 fields, expected 6"),
        (banks.table((ID, '"13,24"', "paid")), "amount '13,24' is not a plain positive decimal"),
        (banks.table((ID, "1.00", "paid")) + f"{ID},EUR,1.00,paid\n", "line 3: 4 fields, expected 6"),
        (banks.table((ID, "1" * 140_000, "paid")), "field larger than field limit"),
        (banks.table((ID, "1e999999999", "paid")), "amount '1e999999999' is not a plain positive decimal"),
        (banks.table((ID, "1.00", "done")), "line 2: status 'done', expected one of paid, returned"),
        (banks.table((ID, "-1.00", "paid")), "amount '-1' is not a plain positive decimal"),
    ],
)
def test_what_cannot_be_read_is_refused_in_one_line(read, text, said):
    """The message names the file and what is wrong in it."""
    with pytest.raises(RewardError) as error:
        read(text)

    assert said in str(error.value)
    assert "answer" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_doctype_is_found_in_utf_16_too(tmp_path):
    """Entities expand in any encoding that the parser guesses."""
    path = tmp_path / "answer.xml"
    path.write_bytes("<!DOCTYPE a [<!ENTITY b 'c'>]><Document>&b;</Document>".encode("utf-16-le"))

    with pytest.raises(RewardError, match="holds a DOCTYPE"):
        read_bank_file(path, {ID})


def test_another_encoding_is_named(tmp_path):
    """A spreadsheet's "Unicode text" is UTF-16; the message says what to save instead."""
    path = tmp_path / "answer.csv"
    path.write_bytes(banks.table((ID, "1.00", "paid")).encode("utf-16"))

    with pytest.raises(RewardError, match=r"answer\.csv: not UTF-8; save it as CSV in UTF-8"):
        read_bank_file(path, {ID})
