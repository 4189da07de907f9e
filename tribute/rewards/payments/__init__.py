"""Payment files for the bank, the bank's answers, their reconciliation, and what a person settles."""

from tribute.rewards.payments.bank_readers import CSV_COLUMNS
from tribute.rewards.payments.outcomes import FOR_A_PERSON, in_words
from tribute.rewards.payments.pain001 import by_bank, payment_file
from tribute.rewards.payments.reconciliation import reconcile
from tribute.rewards.payments.settlement import Settlement, settle

__all__ = [
    "CSV_COLUMNS",
    "FOR_A_PERSON",
    "Settlement",
    "by_bank",
    "in_words",
    "payment_file",
    "reconcile",
    "settle",
]
