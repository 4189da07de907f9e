"""The double-entry ledger: accounts, entries, the journal, balances and corrections."""

from tribute.rewards.ledger.corrections import Cause
from tribute.rewards.ledger.entries import Entry
from tribute.rewards.ledger.journal import Posting
from tribute.rewards.ledger.ledger import Ledger

__all__ = [
    "Cause",
    "Entry",
    "Ledger",
    "Posting",
]
