"""Theorem: every form in which banks answer ends in the ledger as what it means, or in recon.csv for a person."""

import io
import zipfile

import pytest

from tests.rewards.helpers import banks

BATCH = "<PmtInfId>{bank.batch}</PmtInfId>"
FILE = "<MsgId>{bank.message}</MsgId>"
RETURNED = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"
FEE = "<Chrgs><TtlChrgsAndTaxAmt Ccy='EUR'>3.70</TtlChrgsAndTaxAmt></Chrgs>"


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


@pytest.mark.parametrize("where", ["payment", "entry"])
def test_an_account_in_another_currency_pays_what_was_ordered(bank, where):
    """InstdAmt is what was ordered; what the account's currency makes of it is the bank's rate."""
    ordered = banks.ordered(bank.amounts[0])
    if where == "payment":
        entry = banks.entry("71.45 CHF", banks.detail(bank.ids[0], "71.45 CHF", more=ordered))
    else:
        entry = banks.entry("71.45 CHF", banks.detail(bank.ids[0]), more=ordered)

    assert bank.answer(banks.account(entry)) == {"paid": 1}
    assert bank.state()[0] == int(bank.rows[0]["amount_minor"])


@pytest.mark.parametrize(
    ("more", "outcome"),
    [("", "currency_differs"), ("5.00 USD", "currency_differs"), ("0.01 EUR", "amount_differs")],
)
def test_another_currency_without_what_was_ordered_is_for_a_person(bank, more, outcome):
    """Nothing says that it is our payment as we ordered it."""
    entry = banks.entry("71.45 CHF", banks.detail(bank.ids[0], "71.45 CHF", more=more and banks.ordered(more)))

    assert bank.answer(banks.account(entry)) == {outcome: 1}
    assert bank.events() == []


@pytest.mark.parametrize(
    "charges",
    [
        FEE,
        "<Chrgs><Rcrd><Amt Ccy='EUR'>3.00</Amt></Rcrd><Rcrd><Amt Ccy='EUR'>0.70</Amt></Rcrd></Chrgs>",
        "<Chrgs><Amt Ccy='EUR'>3.70</Amt></Chrgs>",
    ],
)
def test_what_the_bank_took_is_a_fee(bank, charges):
    """On top of a payment, off a return: the payee's money is whole, and the fee is the payer's expense."""
    more = banks.detail(bank.ids[0], bank.shifted(370), more=charges)
    less = banks.detail(bank.ids[0], bank.shifted(-370), more=charges + RETURNED)
    before = bank.state()

    assert bank.answer(banks.account(banks.entry(bank.shifted(370), more))) == {"paid": 1}
    assert bank.state()[1] == before[1] - int(bank.rows[0]["amount_minor"])
    credit = banks.entry(bank.shifted(-370), less, sign="CRDT")
    assert bank.answer(banks.account(credit, message="CAMT-2")) == {"returned": 1}
    assert bank.state() == (740, before[1])
    assert bank.house.balance("Expenses:BankFees") == -740
    assert bank.events() == ["PAY", "FEE", "RETURN", "FEE"]


def test_a_fee_that_the_statement_tells_later_is_posted_once(bank):
    """A report had said that it is paid; the statement says what it cost, however often."""
    entry = banks.entry(bank.shifted(370), banks.detail(bank.ids[0], bank.shifted(370), more=FEE))
    bank.answer(banks.status("x", banks.batch_status("x", banks.payment_status(bank.ids[0], "ACSC"))))

    assert bank.answer(banks.account(entry)) == {"paid_before": 1}
    assert bank.answer(banks.account(entry, kind="camt.054", message="CAMT-2")) == {"paid_before": 1}
    assert bank.events() == ["PAY", "FEE"]


@pytest.mark.parametrize(
    "more", ["", FEE.replace("3.70", "3.69"), FEE.replace("EUR", "USD"), FEE.replace("3.70", "0.00")]
)
def test_a_difference_that_no_charge_explains_is_for_a_person(bank, more):
    """Neither less nor more than what the bank says that it took."""
    entry = banks.entry(bank.shifted(370), banks.detail(bank.ids[0], bank.shifted(370), more=more))

    assert bank.answer(banks.account(entry)) == {"amount_differs": 1}
    assert bank.events() == []


@pytest.mark.parametrize("kind", ["camt.053", "camt.054", "csv", "pain.002"])
@pytest.mark.parametrize("whole", [False, True])
def test_what_was_booked_stands_whatever_a_report_says(bank, kind, whole):
    """A rejection after it, older or not, of the payment or of the file, is for a person and posts no RETURN."""
    first = {
        "csv": banks.table((bank.ids[0], bank.amounts[0], "paid")),
        "pain.002": banks.report((bank.ids[0], "ACSC", "")),
    }.get(kind) or banks.account(banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0])), kind=kind)
    late = banks.report((bank.ids[0], "RJCT", "AC01"), message="PAIN-2")
    if whole:
        late = banks.status(bank.message, group="RJCT", id_="PAIN-2")
    assert bank.answer(first) == {"paid": 1}
    paid = bank.state()

    assert bank.answer(late)["rejected_after_paid"] == 1
    assert bank.lines()[bank.ids[0]]["entry_id"] == ""
    assert bank.state()[1] == paid[1]


def test_a_report_and_a_statement_in_one_file_agree_on_the_statement(bank):
    """The rejection is for a person, in whatever order they stand."""
    booked = banks.account(banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0])))
    refused = banks.report((bank.ids[0], "RJCT", "AC01")).partition("\n")[2]

    assert bank.answer(refused + booked) == {"paid": 1, "rejected_after_paid": 1}
    assert bank.events() == ["PAY"]


def booking(bank, kind="camt.053", message="CAMT-1", day="2027-01-04", sign="DBIT", **refs):
    """A booking with the bank's references of the payment (tx), the entry (ntry) and its number (no)."""
    more = "".join(
        f"<{tag}>{refs[name]}</{tag}>" for name, tag in (("no", "NtryRef"), ("ntry", "AcctSvcrRef")) if name in refs
    )
    own = f"<AcctSvcrRef>{refs['tx']}</AcctSvcrRef>" if "tx" in refs else ""
    entry = banks.entry(
        bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0], refs=own), sign=sign, day=day, more=more
    )
    return banks.account(entry, kind=kind, message=message)


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ({"tx": "A"}, {"tx": "B"}, "paid_twice"),
        ({"ntry": "A"}, {"ntry": "B"}, "paid_twice"),
        ({"tx": "A"}, {"tx": "B", "kind": "camt.054"}, "paid_twice"),
        ({"no": "1"}, {"no": "2"}, "paid_twice"),
        ({}, {"day": "2027-01-06"}, "paid_twice"),
        ({"tx": "A", "ntry": "E"}, {"tx": "B", "ntry": "E"}, "paid_twice"),
        ({"tx": "A"}, {"tx": "A"}, "paid_before"),
        ({"ntry": "A", "no": "1"}, {"ntry": "A", "no": "7", "day": "2027-01-06"}, "paid_before"),
        ({"tx": "A"}, {"tx": "A", "kind": "camt.054"}, "paid_before"),
        ({"kind": "camt.052", "no": "1"}, {"kind": "camt.052", "no": "9"}, "paid_before"),
        ({"kind": "camt.054"}, {"day": "2027-01-06"}, "paid_before"),
        ({"kind": "camt.054", "tx": "A"}, {"ntry": "E"}, "paid_before"),
        ({}, {}, "paid_before"),
    ],
)
def test_a_second_booking_is_a_second_payment(bank, first, second, outcome):
    """By the bank's references, the most specific first; else by number and day of one kind of message."""
    assert bank.answer(booking(bank, **first)) == {"paid": 1}
    paid = bank.state()

    text = booking(bank, **{"message": "CAMT-2", **second})
    rehearsed = bank.run("reconcile", bank.file(text), "--dry-run")

    assert bank.answer(text) == {outcome: 1}
    assert bank.state() == paid
    assert ("1 answer needs your decision" in rehearsed.out) == (outcome == "paid_twice")


def test_two_bookings_in_one_statement_are_two_payments(bank):
    """A statement lists every booking once, so two without any reference are two; with the same they are one."""
    entry = banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0]))
    same = banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0], refs="<TxId>T</TxId>"))

    assert bank.answer(banks.account(entry, entry)) == {"paid": 1, "paid_twice": 1}
    assert bank.events() == ["PAY"]
    again = banks.account(same, same, message="CAMT-2", kind="camt.054")
    assert bank.answer(again) == {"paid_before": 2}


def test_the_second_payment_may_come_back(bank):
    """Its return posts nothing: the first one stands. The next return is that of the first."""
    bank.answer(booking(bank, tx="A"))
    bank.answer(booking(bank, tx="B", message="CAMT-2"))
    paid = bank.state()

    assert bank.answer(booking(bank, tx="C", sign="CRDT", message="CAMT-3")) == {"second_returned": 1}
    assert bank.state() == paid
    assert bank.answer(booking(bank, tx="C", sign="CRDT", message="CAMT-4")) == {"returned_before": 1}
    assert bank.answer(booking(bank, tx="D", sign="CRDT", message="CAMT-5")) == {"returned": 1}
    assert bank.answer(booking(bank, tx="E", sign="CRDT", message="CAMT-6")) == {"returned_twice": 1}
    assert bank.state()[0] == 0


def test_a_booking_that_contradicts_itself_is_for_a_person(bank):
    """A debit whose only payment is a credit, or the reversal of a credit that was never seen."""
    inner = "<CdtDbtInd>CRDT</CdtDbtInd>"
    contradiction = banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0], more=inner))
    reversal = banks.entry(bank.amounts[1], banks.detail(bank.ids[1], bank.amounts[1]), more="<RvslInd>true</RvslInd>")

    assert bank.answer(banks.account(contradiction, reversal)) == {"sign_differs": 2}
    assert bank.events() == []


def test_a_batch_with_payments_both_ways_is_read_by_each(bank):
    """The entry is what is left of them: a payment and a return under one debit."""
    bank.answer(banks.account(banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0]))))
    back = banks.detail(bank.ids[0], bank.amounts[0], more="<CdtDbtInd>CRDT</CdtDbtInd>")
    out = banks.detail(bank.ids[1], bank.amounts[1], more="<CdtDbtInd>DBIT</CdtDbtInd>")

    assert bank.answer(banks.account(banks.entry("1.00", back, out), message="CAMT-2")) == {"paid": 1, "returned": 1}


def test_amounts_may_be_padded(bank):
    """As in a batch of an old system: eighteen digits, zeros first."""
    details = [
        banks.detail(id_, more=f"<AmtDtls><TxAmt><Amt Ccy='EUR'>{amount.zfill(18)}</Amt></TxAmt></AmtDtls>")
        for id_, amount in zip(bank.ids, bank.amounts, strict=True)
    ]
    entry = banks.entry(bank.total, *details, batch=f"<NbOfTxs>{len(details)}</NbOfTxs>")

    assert bank.answer(banks.account(entry)) == {"paid": len(bank.rows)}


def test_messages_that_were_taken_in_before_are_left_out(bank):
    """A collection that overlaps with yesterday's counts its new messages, and says which it knew."""
    first = banks.account(banks.entry(bank.amounts[0], banks.detail(bank.ids[0], bank.amounts[0])))
    second = banks.account(banks.entry(bank.amounts[1], banks.detail(bank.ids[1], bank.amounts[1])), message="CAMT-2")
    bank.answer(first)

    assert bank.answer(first + second) == {"paid": 1}
    assert bank.last.skipped_messages == ["camt.053 CAMT-1"]
    assert "was reconciled before" in bank.run("reconcile", bank.file(second + first)).err


def test_the_pages_of_a_message_share_its_id(bank):
    """MsgPgntn tells them apart."""
    pages = [
        banks.account(banks.entry(amount, banks.detail(id_, amount))).replace(
            "</GrpHdr>", f"<MsgPgntn><PgNb>{number}</PgNb></MsgPgntn></GrpHdr>"
        )
        for number, (id_, amount) in enumerate(zip(bank.ids[:2], bank.amounts, strict=False), start=1)
    ]

    assert [bank.answer(page) for page in pages] == [{"paid": 1}, {"paid": 1}]
