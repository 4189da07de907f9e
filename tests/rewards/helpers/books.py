"""Ledgers in memory, and what is posted in them, for tests that need no folder."""

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from hypothesis import settings

from tribute.rewards.allocation.allocate import AllocationLine, PoolAllocation
from tribute.rewards.allocation.funding import divide
from tribute.rewards.allocation.weights import ContributorScore
from tribute.rewards.ledger import postings
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.policy.policy import Policy

proved = settings(max_examples=1000)
"""What the notes list as a property holds on a thousand examples, not on a hundred."""

POLICY = Policy.model_validate(
    {
        "id": "p",
        "version": "v1.0.0",
        "description": "d",
        "holdback": {"part": "0.2", "days": 60},
        "dispute_days": 30,
        "threshold": {"EUR": "10.00"},
        "withholding": "0.15",
        "split": {"platform": "0.1", "model_owner": "0.1", "reserve": "0.05", "contributors": "0.75"},
    }
)


def empty():
    """A ledger without a line, which is in no folder."""
    return Ledger(Path("journal"), [], [])


def line(name, amount):
    """A line that pays `amount`; what it was calculated from does not matter here."""
    claim = ContributorScore(name, Decimal(1), Decimal(0), 1, 1, 0, Decimal(1), 1)
    return AllocationLine(claim, "credit", Fraction(1), Fraction(amount), amount, "accrued")


def closed(books, period, amounts, policy=POLICY, currency="EUR"):
    """The ledger after a period that pays these amounts is closed; its fee is what the policy makes them of."""
    contributors = sum(amounts.values())
    net = next(
        net
        for net in (contributors * 4 // 3 + more for more in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5))
        if net > 0 and divide(net, currency, policy, period).contributors == contributors
    )
    funding = divide(net, currency, policy, period)
    paid = [PoolAllocation("evaluation", currency, [line(name, amount) for name, amount in sorted(amounts.items())])]
    terms = dict.fromkeys([*books.closed, period], policy)
    after = postings.closing(books, period, [funding], paid, terms)
    return Ledger(after.folder, after.postings, [*books.closed, period])
