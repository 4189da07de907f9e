"""Theorem: every form in which banks answer ends in the ledger as what it means, or in recon.csv for a person."""

import io
import zipfile

import pytest

from tests.rewards.helpers import banks

BATCH = "<PmtInfId>{bank.batch}</PmtInfId>"
FILE = "<MsgId>{bank.message}</MsgId>"
RETURNED = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"


@pytest.mark.parametrize("kind", ["camt.052", "camt.053", "camt.054"])
@pytest.mark.parametrize(("version", "space"), [("02", None), ("08", None), ("13", None), ("", "")])
def test_account_messages_of_every_kind_say_the_same(bank, kind, version, space):
    """Debits are payments, credits returns; the namespace does not matter."""
    status = "BOOK" if version == "02" else "<Cd>BOOK</Cd>"
    about = {"kind": kind, "version": version, "namespace": space}
    debit = banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0]), status=status)
    credit = banks.entry(
        *(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0], more=RETURNED)),
        sign="CRDT", status=status, more="<RvslInd>true</RvslInd>", day="2027-01-05",
    )  # fmt: skip
    before = bank.state()

    assert bank.answer(banks.account(debit, **about)) == {"paid": 1}
    assert bank.state() == (int(bank.rows[0]["amount_minor"]), before[1] - int(bank.rows[0]["amount_minor"]))
    assert bank.answer(banks.account(credit, message="CAMT-2", **about)) == {"returned": 1}
    assert bank.state() == before
    assert bank.lines()[bank.ids[0]]["bank_reason"] == "AC04"


@pytest.mark.parametrize("status", ["<Cd>PDNG</Cd>", "<Cd>INFO</Cd>", "<Cd>FUTR</Cd>", "PDNG", "<Prtry>X</Prtry>", ""])
def test_what_is_not_booked_is_pending(bank, status):
    """Whatever else a bank says of an entry, only BOOK moved money."""
    entry = banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0]), status=status)

    assert bank.answer(banks.account(entry, kind="camt.052")) == {"pending": 1}
    assert bank.events() == []


@pytest.mark.parametrize(
    ("group", "outcome"),
    [("RJCT", "rejected"), ("CANC", "rejected"), ("ACSC", "paid"), ("ACCP", "pending"), ("RCVD", "pending")],
)
@pytest.mark.parametrize("level", ["file", "batch", "batch without group", "old"])
def test_a_status_of_the_whole_counts_for_every_payment(bank, group, outcome, level):
    """Of the file by our MsgId, of a batch by our PmtInfId; the reason is the whole's."""
    text = {
        "file": banks.status(bank.message, group=group, count=len(bank.rows)),
        "batch": banks.status(bank.message, banks.batch_status(bank.batch, state=group, count=len(bank.rows))),
        "batch without group": banks.status("NOTPROVIDED", banks.batch_status(bank.batch, state=group)),
        "old": banks.status(bank.message, group=group, version="02"),
    }[level]

    assert bank.answer(text) == {outcome: len(bank.rows)}
    if level in ("file", "old"):
        assert {line["bank_reason"] for line in bank.lines().values()} == {"FF01"}


def test_the_most_specific_status_counts(bank):
    """A payment's own goes before its batch's, and that before the file's."""
    own, without = banks.payment_status(bank.ids[0], "ACSC"), banks.payment_status(bank.ids[1], reason="AC04")
    text = banks.status(
        bank.message, banks.batch_status(bank.batch, own, without, state="RJCT"), group="ACCP", count=len(bank.rows)
    )

    assert bank.answer(text) == {"paid": 1, "rejected": len(bank.rows) - 1}
    assert bank.lines()[bank.ids[1]]["bank_reason"] == "AC04"


@pytest.mark.parametrize("where", ["batch", "group", "loose"])
def test_a_payment_without_a_status_has_that_of_what_is_above(bank, where):
    """Though neither batch nor file may carry an id of ours."""
    payment = banks.payment_status(bank.ids[0], reason="AC04")
    text = {
        "batch": banks.status("x", banks.batch_status("x", payment, state="RJCT")),
        "group": banks.status("x", banks.batch_status("x", payment), group="RJCT"),
        "loose": banks.status("x", group="RJCT", loose=payment, version="02"),
    }[where]

    assert bank.answer(text) == {"rejected": 1}
    assert bank.lines()[bank.ids[0]]["bank_reason"] == "AC04"


def test_a_part_says_nothing_of_those_that_are_not_named(bank):
    """PART of file and batch: the payment that is named is rejected, the others are still open."""
    rejected = banks.payment_status(bank.ids[0], "RJCT", "AC01")
    text = banks.status(
        bank.message, banks.batch_status(bank.batch, rejected, state="PART"), group="PART", version="03"
    )

    assert bank.answer(text) == {"rejected": 1}


@pytest.mark.parametrize(
    "text",
    [
        lambda bank: banks.status("somebody-elses", group="RJCT"),
        lambda bank: banks.status("", group="RJCT"),
        lambda bank: banks.status(bank.message),
        lambda bank: banks.account(),
        lambda bank: banks.account(kind="camt.052"),
        lambda bank: banks.account(banks.entry("3.00")),
        lambda bank: banks.account(banks.entry("9.00", batch="<PmtInfId>SALARIES-12</PmtInfId><NbOfTxs>3</NbOfTxs>")),
        lambda bank: banks.account("<Ntry/>"),
    ],
)
def test_a_day_without_a_payment_of_ours_is_no_error(bank, text):
    """A nightly job takes in every statement; nothing is posted, and nothing asks for a person."""
    rehearsed = bank.run("reconcile", bank.file(text(bank)), "--dry-run")

    assert bank.answer(text(bank)) == {}
    assert bank.events() == []
    assert "no payment of ours; nothing was posted" in rehearsed.out


def test_payments_of_others_are_no_findings(bank):
    """Ids of another form are somebody else's; one of our form that nobody ordered is for a person."""
    foreign = [banks.detail(id_, "5.00") for id_ in ("INV-2026-17", "202612-unknown", "NOTPROVIDED")]
    forged = banks.detail("202611-0123456789abcdef01234567", "5.00")
    text = banks.account(banks.entry("20.00", *foreign, forged))

    ended = bank.run("reconcile", bank.file(text), "--dry-run")

    assert bank.answer(text) == {"unknown_payment": 2, "never_ordered": 1}
    assert "1 never ordered, 2 not ours" in ended.out
    assert "1 answer needs your decision" in ended.out


@pytest.mark.parametrize(
    "text",
    [
        lambda bank: banks.status("2026-12-0123456789abcdef0123", group="RJCT"),
        lambda bank: banks.status(bank.message, banks.batch_status(f"{bank.message}-2", state="RJCT")),
        lambda bank: banks.status(bank.message, banks.batch_status("lost", state="RJCT")),
        lambda bank: banks.account(banks.entry("9.00", batch="<PmtInfId>2026-12-0123456789abcdef0123-1</PmtInfId>")),
    ],
)
def test_a_file_or_batch_that_nobody_made_is_for_a_person(bank, text):
    """An id of our form, or a batch of our file that it does not have."""
    assert bank.answer(text(bank)) == {"never_ordered": 1}
    assert bank.events() == []


@pytest.mark.parametrize("sign", ["DBIT", "CRDT"])
@pytest.mark.parametrize(
    "batch",
    [
        BATCH,
        FILE,
        FILE + BATCH,
        BATCH + "<NbOfTxs>{count}</NbOfTxs>",
        BATCH + "<NbOfTxs>{count}</NbOfTxs><TtlAmt Ccy='EUR'>{bank.total}</TtlAmt>",
    ],
)
def test_one_sum_of_a_batch_is_all_its_payments(bank, batch, sign):
    """By our batch's or file's id, with or without number; a credit of the sum brings all of it back."""
    if sign == "CRDT":
        bank.answer(banks.status(bank.message, group="ACSC"))
    entry = banks.entry(
        bank.total, "<TxDtls><Purp><Cd>SALA</Cd></Purp></TxDtls>", sign=sign,
        batch=batch.format(bank=bank, count=len(bank.rows)),
    )  # fmt: skip

    assert bank.answer(banks.account(entry)) == {"paid" if sign == "DBIT" else "returned": len(bank.rows)}
    assert bank.state()[0] == (sum(int(row["amount_minor"]) for row in bank.rows) if sign == "DBIT" else 0)


@pytest.mark.parametrize(
    "details",
    [
        lambda bank: [banks.detail(id_) for id_ in bank.ids],
        lambda bank: [banks.detail("NOTPROVIDED", refs=f"<PmtInfId>{bank.batch}</PmtInfId>") for _ in bank.ids],
        lambda bank: [banks.detail("NOTPROVIDED", refs=f"<MsgId>{bank.message}</MsgId>")],
    ],
)
def test_a_sum_may_name_its_payments_without_their_amounts(bank, details):
    """Or only the batch that they belong to, once or for each."""
    assert bank.answer(banks.account(banks.entry(bank.total, *details(bank)))) == {"paid": len(bank.rows)}


def test_a_sum_may_leave_out_what_was_refused(bank):
    """The bank books what is left, whether it told of the refusal before or in the same ZIP."""
    left = bank.sum_of(bank.rows[1:])
    refusal = banks.status("x", banks.batch_status("x", banks.payment_status(bank.ids[0], "RJCT")))
    entry = banks.entry(left, batch=f"<PmtInfId>{bank.batch}</PmtInfId><NbOfTxs>{len(bank.rows) - 1}</NbOfTxs>")

    assert bank.answer(refusal) == {"rejected": 1}
    assert bank.answer(banks.account(entry)) == {"paid": len(bank.rows) - 1}


def test_a_zip_is_judged_as_a_whole(bank):
    """In whatever order its messages stand."""
    left = bank.sum_of(bank.rows[1:])
    refusal = banks.status("x", banks.batch_status("x", banks.payment_status(bank.ids[0], "RJCT")))
    booked = banks.account(banks.entry(left, batch=f"<PmtInfId>{bank.batch}</PmtInfId>"))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("1-statement.xml", booked)
        archive.writestr("2-report.xml", refusal)

    assert bank.answer(content.getvalue()) == {"paid": len(bank.rows) - 1, "rejected": 1}
    assert bank.state()[0] == sum(int(row["amount_minor"]) for row in bank.rows[1:])


@pytest.mark.parametrize(
    "batch",
    [
        lambda bank: banks.entry(bank.shifted(1), batch=f"<PmtInfId>{bank.batch}</PmtInfId>"),
        lambda bank: banks.entry(bank.total, batch=f"<PmtInfId>{bank.batch}</PmtInfId><NbOfTxs>1</NbOfTxs>"),
        lambda bank: banks.entry(f"{bank.total} USD", batch=f"<PmtInfId>{bank.batch}</PmtInfId>"),
        lambda bank: banks.entry(bank.total, *(banks.detail(id_) for id_ in bank.ids[1:])),
    ],
)
def test_a_sum_that_is_not_the_batchs_is_for_a_person(bank, batch):
    """Another sum, number or currency: nothing is posted, and recon.csv has both sums."""
    assert bank.answer(banks.account(batch(bank))) == {"batch_differs": 1}
    assert bank.events() == []


def test_another_number_of_payments_is_for_a_person(bank):
    """A report on a file of three is no report on ours of more."""
    assert bank.answer(banks.status(bank.message, group="RJCT", count=99)) == {"batch_differs": 1}
    assert bank.events() == []


@pytest.mark.parametrize("kind", ["camt.053", "pain.002", "batch"])
def test_a_bank_that_writes_capitals_means_our_ids(bank, kind):
    """Some programs turn all letters into capitals; ids of others stay what they are."""
    text, count = {
        "camt.053": (banks.account(banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0]))), 1),
        "pain.002": (banks.status("x", banks.batch_status("x", banks.payment_status(bank.ids[0], "ACSC"))), 1),
        "batch": (banks.account(banks.entry(bank.total, batch=BATCH.format(bank=bank))), len(bank.rows)),
    }[kind]
    for id_ in (bank.ids[0], bank.batch):
        text = text.replace(id_, id_.upper())

    assert bank.answer(text) == {"paid": count}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b" \r\n", "the file is empty"),
        (b"\x1f\x8b\x08", "compressed with gzip"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
    ],
)
def test_what_is_no_message_is_named(bank, content, message):
    """By its first bytes, as contributed files are."""
    ended = bank.run("reconcile", bank.file(content))

    assert ended.code == 2
    assert message in ended.err


def test_a_workbook_is_no_zip_of_messages(bank):
    """An .xlsx is a ZIP, too."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.writestr("[Content_Types].xml", "<Types/>")
    ended = bank.run("reconcile", bank.file(packed.getvalue()))

    assert "the file is an Office document" in ended.err


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_as_spreadsheets_save_it(bank, separator):
    """Where columns are not separated by commas, decimals may be; days are written in one form."""
    columns = ("end_to_end_id", "currency", "amount", "status", "booked_at", "reason")
    amount = bank.amounts[0] if separator == "," else bank.amounts[0].replace(".", ",")

    def table(day):
        rows = (columns, (bank.ids[0], "EUR", amount, "paid", day, ""))
        return "\ufeff" + "".join(separator.join(row) + "\r\n" for row in rows)

    faulty = bank.run("reconcile", bank.file(table("04.01.2027")))

    assert "line 2: booked_at: '04.01.2027' is not a day" in faulty.err
    assert bank.answer(table("2027-01-04")) == {"paid": 1}


@pytest.mark.parametrize("kind", ["camt.052", "camt.053", "camt.054"])
def test_a_booking_is_not_posted_before_its_day(bank, kind):
    """The posting's day is a later one, or the bank's file is wrong."""
    entry = banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0]), day="2027-01-06")
    ended = bank.run("reconcile", bank.file(banks.account(entry, kind=kind)))

    assert ended.code == 2
    assert "was booked on 2027-01-06, after 2027-01-05" in ended.err
    assert bank.events() == []
