"""Reward policies: read, compared, published in the registry."""

from tribute.rewards.policy.compare import differences
from tribute.rewards.policy.policy import load_policy
from tribute.rewards.policy.published import publish

__all__ = [
    "differences",
    "load_policy",
    "publish",
]
