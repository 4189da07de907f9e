"""From shares, a policy and a pool to amounts that add up exactly."""

from tribute.rewards.allocation.allocate import largest_remainder
from tribute.rewards.allocation.card_figures import Card
from tribute.rewards.allocation.gate import Verdict, fallback_note, read_verdict

__all__ = [
    "Card",
    "Verdict",
    "fallback_note",
    "largest_remainder",
    "read_verdict",
]
