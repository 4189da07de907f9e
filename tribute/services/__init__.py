"""Paid calls of released models: who may call, what it costs, a receipt per answer, and the seal of a month's usage."""

ROOMS = (
    "store",
    "accounts",
    "prices",
    "receipts",
    "meter",
    "seal",
    "catalogue",
    "engines",
    "retrieval",
    "explaining",
    "opening",
    "erasure",
)
"""In order: each knows only those before it."""
