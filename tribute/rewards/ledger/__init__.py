"""The double-entry ledger: accounts, entries, the journal, balances and corrections."""

from tribute.rewards.ledger.accounts import payer_of, stage
from tribute.rewards.ledger.balances import handed_over
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.calendar import read_calendar, set_time_zone, simulate
from tribute.rewards.ledger.corrections import Cause
from tribute.rewards.ledger.entries import Entry
from tribute.rewards.ledger.exports import EXPORTS
from tribute.rewards.ledger.journal import Posting, account_balances
from tribute.rewards.ledger.ledger import load, reading, set_first, writing
from tribute.rewards.ledger.metered import Payment, invoice, invoice_paid, topped_up
from tribute.rewards.ledger.postings import due

__all__ = [
    "EXPORTS",
    "Cause",
    "Entry",
    "Ledger",
    "Payment",
    "Posting",
    "account_balances",
    "due",
    "handed_over",
    "invoice",
    "invoice_paid",
    "load",
    "payer_of",
    "read_calendar",
    "reading",
    "set_first",
    "set_time_zone",
    "simulate",
    "stage",
    "topped_up",
    "writing",
]
