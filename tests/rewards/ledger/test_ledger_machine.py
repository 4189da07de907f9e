"""A machine that drives the ledger through random lives and checks every balance after every step.

It keeps books of its own, by other means: who is owed how much in all, what the bank paid, what tax and reserve
hold. The ledger has to agree with them whatever happens in whatever order, and never to change what it said.
"""

import os

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.rewards.helpers.books import POLICY, closed, empty
from tests.rewards.ledger.test_postings import stages
from tribute import months
from tribute.errors import RewardError
from tribute.rewards.ledger import accounts, balances, corrections, journal, postings
from tribute.rewards.ledger.corrections import Cause
from tribute.rewards.ledger.entries import move
from tribute.rewards.ledger.journal import mirror

NAMES = st.sampled_from("abc")
AMOUNTS = st.integers(1, 200_000)


class Books(RuleBasedStateMachine):
    """The ledger and, beside it, what it has to say."""

    @initialize()
    def begin(self):
        self.books = empty()
        self.period = "2026-01"
        self.owed = dict.fromkeys("abc", 0)
        self.bank = self.tax = self.number = 0
        self.seen = []

    @rule(amounts=st.dictionaries(NAMES, AMOUNTS.filter(lambda amount: amount > 20), min_size=1))
    def close(self, amounts):
        self.books = closed(self.books, self.period, amounts)
        for name, amount in amounts.items():
            self.owed[name] += amount
        assert self.books.balance(accounts.POOL, "EUR") == 0
        self.period = months.next_period(self.period)

    @precondition(lambda self: self.books.closed)
    @rule()
    def release(self):
        """Time alone changes nobody's total."""
        self.post(postings.due(self.books, self.day, dict.fromkeys(self.books.closed, POLICY)))

    @precondition(lambda self: self.books.closed)
    @rule(name=NAMES, amount=st.integers(-5000, 5000))
    def correct(self, name, amount):
        if (cause := self.cause(name)) is None:
            return
        try:
            entries = corrections.adjusted(self.books, cause, amount)
        except RewardError:
            assert amount < 0
            return
        self.post(entries)
        self.owed[name] += amount

    @precondition(lambda self: self.books.closed)
    @rule(name=NAMES, amount=AMOUNTS)
    def claw_back(self, name, amount):
        if (cause := self.cause(name)) is not None:
            before = stages(self.books, name)[2]
            try:
                entries = corrections.clawed_back(self.books, cause, amount)
            except RewardError:
                assert amount > 0
                return
            self.post(entries)
            self.owed[name] -= amount
            assert stages(self.books, name)[2] == before

    @precondition(lambda self: self.books.closed)
    @rule(name=NAMES, amount=AMOUNTS, settle=st.booleans())
    def dispute(self, name, amount, settle):
        """Holding money and letting it go changes nobody's total."""
        if (cause := self.cause(name)) is None:
            return
        made = self.post(corrections.disputed(self.books, cause, amount))
        holds = list(dict.fromkeys(row.entry_id for row in made))
        if settle:
            self.post(corrections.settled(self.books, holds, "settled", self.day))

    @precondition(lambda self: self.books.closed)
    @rule(sent_back=st.booleans())
    def pay(self, sent_back):
        """All that is payable from the threshold on, less tax; the bank may send it back."""
        for row in balances.payable_rows(self.books, self.books.closed[-1], POLICY, {}):
            if self.books.find(row.idempotency_key):
                continue
            name, key = row.payee_ref.removeprefix("payee:"), row.idempotency_key
            amount, withheld = row.amount_minor, row.withheld_minor
            about = {"posted_at": self.day, "currency": "EUR", "contributor_id": name}
            pair = [
                move("PAY", amount, accounts.payable(name), accounts.BANK, idempotency_key=key, **about),
                move(
                    "WITHHOLD",
                    withheld,
                    accounts.payable(name),
                    accounts.TAX,
                    idempotency_key=f"{key}/withhold",
                    **about,
                ),
            ]
            self.post(pair)
            self.owed[name] -= amount + withheld
            self.bank, self.tax = self.bank + amount, self.tax + withheld
            if sent_back:
                paid, kept = self.books.find(key), self.books.find(f"{key}/withhold")
                back = [
                    mirror("RETURN", paid, posted_at=self.day, key=f"{key}/return", reason_code="returned"),
                    mirror("REVERSE", kept, posted_at=self.day, key=f"{key}/untax", reason_code="returned"),
                ]
                self.post(back)
                self.owed[name] += amount + withheld
                self.bank, self.tax = self.bank - amount, self.tax - withheld

    @precondition(lambda self: len(self.books.postings) > 4)
    @rule(place=st.integers(0, 10**6))
    def reverse(self, place):
        """Whatever entry: it is mirrored exactly, or refused and nothing is posted."""
        entry = self.books.postings[place % len(self.books.postings)].entry_id
        rows = self.books.entry(entry)
        before = len(self.books.postings)
        try:
            made = self.post(corrections.reversed_entry(self.books, entry, "slip", self.day, {}))
        except RewardError:
            assert len(self.books.postings) == before
            return
        for row in rows if made else ():
            change = row.credit
            name = accounts.owner(row.account)[0]
            if name:
                self.owed[name] -= change
            self.tax -= change if row.account == accounts.TAX else 0

    @precondition(lambda self: self.books.postings)
    @rule(place=st.integers(0, 10**6))
    def again(self, place):
        """An entry that comes twice, as a crash or an eager hand makes it, has no second effect."""
        rows = self.books.entry(self.books.postings[place % len(self.books.postings)].entry_id)
        twice = mirror(rows[0].event, rows, posted_at=self.day, key=rows[0].key, reason_code="")
        same = type(twice)(
            twice.event,
            tuple((account, -amount) for account, amount in twice.lines),
            self.day,
            twice.currency,
            twice.idempotency_key,
            twice.contributor_id,
            rows[0].ref,
            rows[0].reason,
        )
        assert self.post([same]) == []

    @invariant()
    def the_ledger_agrees(self):
        rows, known = self.books.postings, len(self.seen)
        assert rows[:known] == self.seen
        previous = rows[known - 1].hash if known else journal.GENESIS
        assert journal.faults(rows[known:], previous, known) == []
        self.seen = list(rows)
        for name, owed in self.owed.items():
            assert sum(stages(self.books, name)) + self.books.balance(accounts.claim(name), "EUR") == owed
            assert min(stages(self.books, name)) >= 0
        assert self.books.balance(accounts.BANK, "EUR") == self.bank
        assert self.books.balance(accounts.TAX, "EUR") == self.tax
        assert self.books.balance(accounts.RESERVE, "EUR") >= 0
        assert sum(self.books.balances().values()) == 0

    @invariant()
    def the_lots_are_the_accounts(self):
        found = self.books.lots
        for name in "abc":
            lots = [lot.left for lot in found.lots.values() if lot.contributor_id == name]
            holds = [hold.left for hold in found.holds.values() if hold.lot.contributor_id == name]
            assert (sum(lots), sum(holds)) == stages(self.books, name)[:2]
            assert all(left >= 0 for left in lots + holds)

    @invariant()
    def the_balances_add_up(self):
        if not self.books.closed:
            return
        for row in balances.balance_rows(self.books, self.period, [(name, "EUR") for name in "abc"]):
            n = row._asdict()
            assert n["opening"] + n["accrued"] + n["adjusted"] - n["withheld"] - n["paid"] == n["closing"]
            assert n["closing"] == self.owed[row.contributor_id]

    @property
    def day(self):
        """A day of the open period; all that is posted in it falls on its last one or before."""
        return f"{self.period}-15"

    def cause(self, name):
        """A new reason that goes back to something of theirs, or None."""
        refs = [row.entry_id for row in self.books.postings if row.contributor_id == name]
        self.number += 1
        return Cause(name, "EUR", refs[self.number % len(refs)], f"reason {self.number}", self.day) if refs else None

    def post(self, entries):
        after = self.books.with_entries(entries)
        made, self.books = after.postings[len(self.books.postings) :], after
        return made


LIVES = 1000 if os.environ.get("TRIBUTE_NIGHTLY") else 200
Books.TestCase.settings = settings(max_examples=LIVES, stateful_step_count=20, deadline=None)
TestBooks = Books.TestCase
