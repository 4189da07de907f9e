"""What payers paid for which answers: handed in as a file, or metered and sealed."""

from tribute.rewards.usage.sealed_usage import SealedUsage

__all__ = ["SealedUsage"]
