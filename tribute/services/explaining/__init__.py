"""Who moved a paid answer: which answers wait to be explained, and the signed addendum that says it."""

from tribute.services.explaining.pending import PendingAnswer, draw, pending, retrieved_of
from tribute.services.explaining.training import (
    FAILED,
    NO_PROBABILITY,
    NOT_DRAWN,
    NOTHING_RETRIEVED,
    UNPAID,
    Explained,
    Retrieved,
    explained,
    unexplained,
)

__all__ = [
    "FAILED",
    "NOTHING_RETRIEVED",
    "NOT_DRAWN",
    "NO_PROBABILITY",
    "UNPAID",
    "Explained",
    "PendingAnswer",
    "Retrieved",
    "draw",
    "explained",
    "pending",
    "retrieved_of",
    "unexplained",
]
