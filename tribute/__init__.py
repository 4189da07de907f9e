"""Tribute: contribute, attribute, distribute."""

from typing import Any

from tribute.version import __version__

__all__ = ["__version__"]


def __getattr__(name: str) -> Any:
    """`tribute.read_rewards`, imported when it is asked for: a light command must not wait for pandas."""
    if name == "read_rewards":
        from tribute.rewards.period import read_rewards

        return read_rewards
    raise AttributeError(f"module tribute has no attribute {name}")
