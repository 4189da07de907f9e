"""Attacks on the rewards: what an attacker contributes, what screening lets through, and what it is paid for it."""
