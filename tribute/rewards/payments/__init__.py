"""Payment files for the bank, the bank's answers, and their reconciliation."""

from tribute.rewards.payments.bank_answers import CSV_COLUMNS
from tribute.rewards.payments.reconciliation import reconcile

__all__ = [
    "CSV_COLUMNS",
    "reconcile",
]
