"""Disputes: opened, reviewed, resolved."""

from tribute.rewards.disputes.dispute import DECIDED, OPEN, Dispute, Event, Step, all_disputes, read_dispute
from tribute.rewards.disputes.resolution import Receipt, add_evidence, add_recheck, appeal, decide, open_dispute

__all__ = [
    "DECIDED",
    "OPEN",
    "Dispute",
    "Event",
    "Receipt",
    "Step",
    "add_evidence",
    "add_recheck",
    "all_disputes",
    "appeal",
    "decide",
    "open_dispute",
    "read_dispute",
]
