"""One entry of the ledger before it has its place there. Knows no files.

FUND      debit Expenses:DataRewards, Assets:Payers
                                          credit Liabilities:Pool, Income:Platform, Liabilities:ModelOwner
RESERVE   debit Expenses:DataRewards, Assets:Payers
                                          credit Liabilities:Reserve
ACCRUE    debit Liabilities:Pool          credit :Accrued
HOLD      debit :Accrued                  credit :Held             the holdback, or money in dispute
PAYABLE   debit :Accrued                  credit :Payable          the time to dispute is over
RELEASE   debit :Held                     credit :Payable, or :Accrued after a dispute
WITHHOLD  debit :Payable                  credit Liabilities:Tax
PAY       debit :Payable                  credit Assets:Bank
RETURN    a PAY that the bank sent back: its mirror
ADJUST    a late correction of :Accrued against Liabilities:Reserve
CLAWBACK  debit :Held, :Accrued or Assets:Claims, credit Liabilities:Reserve; and debit :Accrued, credit
          Assets:Claims where a later accrual nets the claim
REVERSE   the exact mirror of one entry
TOPUP     debit Assets:Bank               credit Assets:Payers, or Assets:Invoices where it pays an invoice
INVOICE   debit Assets:Invoices           credit Assets:Payers
MARGIN    debit Assets:Payers             credit Assets:Payers     what an agent keeps: from who paid to who owns it
INCOME    debit Assets:Payers             credit Income:Platform   what affiliated payers used
DEFER     debit Assets:Payers             credit Liabilities:Datasets  what payers used of other datasets
DRAW      debit Liabilities:Datasets      credit Assets:Payers     the mirror of a DEFER, where it funds a period
FEE       debit Expenses:BankFees         credit Assets:Bank      what a bank kept of a payment or return
ROUND     what rounding left over; largest remainder leaves nothing
"""

from dataclasses import dataclass
from typing import Literal

from tribute.errors import RewardError
from tribute.money import exponent

Event = Literal[
    "FUND",
    "RESERVE",
    "ACCRUE",
    "HOLD",
    "PAYABLE",
    "RELEASE",
    "WITHHOLD",
    "PAY",
    "RETURN",
    "ADJUST",
    "CLAWBACK",
    "REVERSE",
    "TOPUP",
    "INVOICE",
    "MARGIN",
    "INCOME",
    "DEFER",
    "DRAW",
    "FEE",
    "ROUND",
]

LONGEST_REASON = 200


@dataclass(frozen=True)
class Entry:
    """Lines that are posted together or not at all.

    `lines` maps an account to minor units, debit > 0, credit < 0; they sum to 0. `idempotency_key` names the
    entry's cause: whatever is posted twice with it has one effect. `ref_entry_id` is the entry that this one
    follows from or corrects. `posted_at` is a day, YYYY-MM-DD; its month is the entry's period.
    """

    event: Event
    lines: tuple[tuple[str, int], ...]
    posted_at: str
    currency: str
    idempotency_key: str
    contributor_id: str = ""
    ref_entry_id: str = ""
    reason_code: str = ""

    def __post_init__(self) -> None:
        exponent(self.currency)
        if not self.reason_code.isprintable() or len(self.reason_code) > LONGEST_REASON:
            raise RewardError(
                f"reason {self.reason_code[:40]!r}: expected one line of at most {LONGEST_REASON} printable characters"
            )
        amounts = [amount for _, amount in self.lines]
        if len(amounts) < 2 or sum(amounts) != 0 or 0 in amounts:
            raise RewardError(
                f"entry {self.idempotency_key}: amounts {amounts}, expected two or more other than 0 that sum to 0"
            )

    @property
    def period(self) -> str:
        """The month in which it is posted."""
        return self.posted_at[:7]


def move(event: Event, amount: int, debit: str, credit: str, **about: str) -> Entry:
    """An entry of two lines: `amount` minor units > 0 from the account `credit` to the account `debit`."""
    return Entry(event, ((debit, amount), (credit, -amount)), **about)
