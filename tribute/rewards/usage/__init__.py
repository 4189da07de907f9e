"""What payers paid for which answers: handed in as a file, or metered and sealed."""

from tribute.rewards.usage.queries import Payment, QueryCredits, baskets
from tribute.rewards.usage.sealed_usage import SealedUsage

__all__ = ["Payment", "QueryCredits", "SealedUsage", "baskets"]
