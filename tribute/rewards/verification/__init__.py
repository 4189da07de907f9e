"""Checks of a period: files, money, the chain of periods, and recomputation from evidence."""

from tribute.rewards.verification.recompute import verify_deep
from tribute.rewards.verification.tie_out import History, Month, history, totals
from tribute.rewards.verification.verify import verified, verify_period
from tribute.rewards.verification.workspace_checks import verify_in_workspace

__all__ = [
    "History",
    "Month",
    "history",
    "totals",
    "verified",
    "verify_deep",
    "verify_in_workspace",
    "verify_period",
]
