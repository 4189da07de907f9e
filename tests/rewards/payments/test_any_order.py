"""Theorem: whatever a bank says in whatever order, a payment has left the account once or not at all.

Why it is adequate: the ledger is the real one, in memory; only the files around it are left out.
"""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tribute.ids import end_to_end_id, payee_ref
from tribute.rewards.bank_formats.messages import Answer, BankMessage
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.entries import move
from tribute.rewards.payments.bookings import Bookings
from tribute.rewards.payments.orders import Orders
from tribute.rewards.payments.outcomes import FOR_A_PERSON, judge
from tribute.rewards.payments.payment_entries import entries_of

NAMES = ("ada", "bob")
AMOUNT = {"ada": 1000, "bob": 30}
DAY = "2027-01-05"


def payable(name):
    id_ = f"2026-12-{name}-EUR"
    return {
        "payment_id": id_,
        "payee_ref": payee_ref(name),
        "currency": "EUR",
        "exponent": "2",
        "amount_minor": str(AMOUNT[name]),
        "value_date": "2027-01-01",
        "end_to_end_id": end_to_end_id(id_),
        "statement_id": f"2026-12-{name}",
        "idempotency_key": f"2026-12/PAY/EUR/{name}",
        "withheld_minor": "0",
    }


ORDERS = Orders(payable(name) for name in NAMES)
said = st.builds(
    lambda name, outcome, reference, minor: Answer(
        end_to_end_id(f"2026-12-{name}-EUR"), outcome, "EUR", AMOUNT[name] + minor, DAY, "", references=reference
    ),
    st.sampled_from(NAMES),
    st.sampled_from(["paid", "returned", "rejected", "pending"]),
    st.sampled_from(["", "AcctSvcrRef=A", "AcctSvcrRef=B", "NtryRef=1"]),
    st.sampled_from([0, 0, 0, 1]),
)
messages = st.lists(
    st.builds(
        lambda kind, name, answers: BankMessage(kind, "bank", name, tuple(answers)),
        st.sampled_from(["camt.053", "camt.054", "pain.002", "csv"]),
        st.sampled_from("123"),
        st.lists(said, min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=3,
)


def books():
    """A ledger in which both have what December pays, and something beside it."""
    new = Ledger(Path("nowhere"), [], [], "2027-01")
    new.extend(
        move(
            *("ACCRUE", AMOUNT[name] + 7, accounts.EXPENSE, accounts.payable(name)),
            posted_at="2027-01-01",
            currency="EUR",
            idempotency_key=f"start/{name}",
            contributor_id=name,
        )
        for name in NAMES
    )
    return new


def take(ledger, earlier, file):
    """Take a file in, as `reconcile` does; returns the outcomes."""
    answers = [(message, answer) for message in file for answer in message.answers]
    verdicts, postings = judge(ledger, ORDERS, answers, earlier, lambda _: True)
    ledger.extend(entries_of(ledger, postings, DAY))
    return sorted(verdict.outcome for verdict in verdicts)


def known():
    return defaultdict(Bookings, {id_: Bookings() for id_ in ORDERS.payments})


@given(st.lists(messages, max_size=4))
def test_a_payment_has_left_the_account_once_or_not_at_all(files):
    """After every file: what a contributor is paid and is still owed is together what it was owed."""
    ledger, earlier = books(), known()
    for file in files:
        take(ledger, earlier, file)

        left = {name: AMOUNT[name] + 7 - ledger.balance(accounts.payable(name), "EUR") for name in NAMES}
        assert all(left[name] in (0, AMOUNT[name]) for name in NAMES)
        assert ledger.balance(accounts.BANK, "EUR") == sum(left.values())


@given(st.lists(messages, max_size=3))
def test_the_same_files_again_post_nothing(files):
    """Under another name of the message, so that nothing but the answers tells that they are the same."""
    ledger, earlier = books(), known()
    for number, file in enumerate(files):
        take(ledger, earlier, renamed(file, f"{number}"))
        head = ledger.head
        take(ledger, earlier, renamed(file, f"{number}, sent again"))
        assert ledger.head == head


def renamed(file, name):
    """The messages of a file under names that no other file has."""
    return [replace(message, message=f"{message.message} of {name}") for message in file]


@given(messages, st.randoms())
def test_the_order_in_a_file_does_not_matter(file, random):
    """Messages of a ZIP stand in any order."""
    shuffled = random.sample(file, len(file))
    ledgers = books(), books()

    outcomes = [take(ledger, known(), order) for ledger, order in zip(ledgers, (file, shuffled), strict=True)]

    assert ledgers[0].head == ledgers[1].head
    assert outcomes[0] == outcomes[1]


@given(messages)
def test_whatever_does_not_fit_is_for_a_person(file):
    """An amount that differs posts nothing, alone or beside others."""
    odd = tuple(message for message in file if message.kind == "camt.053")
    ledger = books()
    head = ledger.head

    outcomes = take(
        ledger,
        known(),
        [BankMessage(one.kind, "bank", one.message, tuple(shifted(answer) for answer in one.answers)) for one in odd],
    )

    assert ledger.head == head
    assert set(outcomes) <= set(FOR_A_PERSON)


def shifted(answer):
    return replace(answer, amount_minor=answer.amount_minor + 100)
