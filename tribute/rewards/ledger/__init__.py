"""The double-entry ledger: accounts, entries, the journal, balances and corrections."""

from tribute.rewards.ledger.corrections import Cause
from tribute.rewards.ledger.entries import Entry, Row
from tribute.rewards.ledger.ledger import Ledger

__all__ = [
    "Cause",
    "Entry",
    "Ledger",
    "Row",
]
