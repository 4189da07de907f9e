"""What a bank's answers do: compared with the payables, posted, and settled by a person."""

from tribute.rewards.payments.outcomes import FOR_A_PERSON, in_words
from tribute.rewards.payments.reconciliation import reconcile
from tribute.rewards.payments.settlement import Settlement, settle

__all__ = [
    "FOR_A_PERSON",
    "Settlement",
    "in_words",
    "reconcile",
    "settle",
]
