"""Theorem: what a bank books counts once, with its currency and its fees; what contradicts itself is for a person."""

import pytest

from tests.rewards.helpers import banks

RETURNED = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"
FEE = "<Chrgs><TtlChrgsAndTaxAmt Ccy='EUR'>3.70</TtlChrgsAndTaxAmt></Chrgs>"


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
        ({}, {"day": "2027-01-03"}, "paid_twice"),
        ({"tx": "A", "ntry": "E"}, {"tx": "B", "ntry": "E"}, "paid_twice"),
        ({"tx": "A"}, {"tx": "A"}, "paid_before"),
        ({"ntry": "A", "no": "1"}, {"ntry": "A", "no": "7", "day": "2027-01-03"}, "paid_before"),
        ({"tx": "A"}, {"tx": "A", "kind": "camt.054"}, "paid_before"),
        ({"kind": "camt.052", "no": "1"}, {"kind": "camt.052", "no": "9"}, "paid_before"),
        ({"kind": "camt.054"}, {"day": "2027-01-03"}, "paid_before"),
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
