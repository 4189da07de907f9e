"""Disputes: opened, reviewed, resolved."""

from tribute.rewards.disputes.dispute import Dispute, all_disputes

__all__ = [
    "Dispute",
    "all_disputes",
]
