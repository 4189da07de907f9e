"""Reward policies: read, compared, published in the registry."""

from tribute.rewards.policy.policy import load_policy

__all__ = [
    "load_policy",
]
