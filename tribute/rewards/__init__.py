"""Rewards: from shares, a policy and a pool to money, with evidence and a statement for everybody."""

from tribute.money import EXPONENTS, exponent, format_amount, parse_amount
from tribute.rewards.allocation import Claim, Line, allocate, largest_remainder
from tribute.rewards.gate import fallback_note, judge
from tribute.rewards.period import write_period
from tribute.rewards.policy import Gate, Policy, load_policy
from tribute.rewards.read import read_rewards
from tribute.rewards.statements import write_early, write_statements
from tribute.rewards.verify import verify_period

__all__ = [
    "EXPONENTS",
    "Claim",
    "Gate",
    "Line",
    "Policy",
    "allocate",
    "exponent",
    "fallback_note",
    "format_amount",
    "judge",
    "largest_remainder",
    "load_policy",
    "parse_amount",
    "read_rewards",
    "verify_period",
    "write_early",
    "write_period",
    "write_statements",
]
