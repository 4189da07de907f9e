"""Who moved a paid answer: which answers wait to be explained, and the signed addendum that says it."""

from tribute.services.explaining.pending import PendingAnswer, draw, pending
from tribute.services.explaining.training import (
    FAILED,
    NO_PROBABILITY,
    NOT_DRAWN,
    UNPAID,
    Explained,
    explained,
    unexplained,
)

__all__ = [
    "FAILED",
    "NOT_DRAWN",
    "NO_PROBABILITY",
    "UNPAID",
    "Explained",
    "PendingAnswer",
    "draw",
    "explained",
    "pending",
    "unexplained",
]
