"""From shares, a policy and a pool to money, with evidence and a statement for every contributor."""

ROOMS = (
    "tables",
    "policy",
    "usage",
    "allocation",
    "ledger",
    "period",
    "second_name",
    "bank_formats",
    "payments",
    "disputes",
    "verification",
    "statements",
    "close",
    "correct",
)
"""In order: each knows only those before it."""
