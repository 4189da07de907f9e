"""journal.csv and what follows from it: balances, payables, a bank's answers, and the leaves of the statements."""

from typing import Annotated, NamedTuple

from tribute.rewards.tables.table_format import (
    Amount,
    Blank,
    Column,
    Contributor,
    Count,
    Day,
    MaybeContributor,
    Minor,
    Table,
    Text,
)


class JournalRow(NamedTuple):
    """A line of the journal as the file has it; `ledger.Posting` is the same in memory."""

    entry_id: Text
    seq: Count
    posted_at: Day
    period: Text
    event_type: Text
    account: Text
    debit_minor: Amount
    credit_minor: Amount
    currency: Text
    contributor_id: MaybeContributor
    ref_entry_id: Blank
    reason_code: Blank
    idempotency_key: Text
    prev_hash: Text
    entry_hash: Text


class Balance(NamedTuple):
    """How a contributor stands after a period in one currency, in minor units."""

    contributor_id: Contributor
    currency: Text
    opening: Minor
    """All that is owed: accrued, held and payable, less claims."""
    accrued: Minor
    adjusted: Minor
    released: Minor
    """How much became payable; moves nothing of what is owed."""
    held: Minor
    """How much was held; moves nothing of what is owed."""
    withheld: Minor
    paid: Minor
    closing: Minor

    @property
    def adds_up(self) -> bool:
        """opening + accrued + adjusted − withheld − paid = closing."""
        return self.opening + self.accrued + self.adjusted - self.withheld - self.paid == self.closing


class PayableRow(NamedTuple):
    """A payment that a closed period hands over."""

    payment_id: Text
    payee_ref: Text
    currency: Text
    exponent: Count
    amount_minor: Amount
    """What the payee gets."""
    value_date: Day
    end_to_end_id: Annotated[str, Column(constraints=(("maxLength", 35),))]
    statement_id: Text
    idempotency_key: Text
    """Of the PAY entry that records the payment; its WITHHOLD entry has the same with `/withhold`."""
    withheld_minor: Amount
    """What is kept back for tax beside the amount."""


class ReconRow(NamedTuple):
    """An answer of a bank, and what became of it."""

    end_to_end_id: Text
    payment_id: Text
    statement_id: Text
    currency: Text
    amount_minor: Annotated[int | None, Column("integer", required=False)]
    expected_minor: Annotated[int | None, Column("integer", required=False)]
    booked_at: Text
    outcome: Text
    """paid, returned, rejected (posted as `entry_id`); the same with `_before` (posted from an earlier line); pending
    (nothing to post yet); unknown_payment (somebody else's); second_returned (of a payment that was paid twice; nothing
    to post); and those for a person, `payments.outcomes.FOR_A_PERSON`, of which paid_after_return is posted where
    `entry_id` says so. A batch that differs stands under its own id."""
    entry_id: Text
    bank_reason: Text
    kind: Text
    bank_message: Text
    bank_references: Text
    """The bank's names of the booking, as a query string."""


class LeafRow(NamedTuple):
    """A leaf of the Merkle tree over the statements, in the order of the tree; see leaves.py."""

    contributor_id: Contributor
    statement_id: Text
    salt: Text
    leaf_sha256: Text


JOURNAL = Table("journal", JournalRow, ("seq",))
BALANCES = Table("balances", Balance, ("contributor_id", "currency"))
PAYABLES = Table("payables", PayableRow, ("payment_id",))
RECON = Table("recon", ReconRow)
LEAVES = Table("leaves", LeafRow, ("statement_id",))
