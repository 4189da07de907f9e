"""A period's folder: draft, package, signatures, leaves and reading it back."""

from tribute.rewards.period.closed import keys_of, policy_of, terms_of
from tribute.rewards.period.draft import find_period, write_period
from tribute.rewards.period.draft_spec import PaidFrom, PeriodRequest
from tribute.rewards.period.folder import PeriodFolder
from tribute.rewards.period.read import read_rewards
from tribute.rewards.period.signatures import NEEDED

__all__ = [
    "NEEDED",
    "PaidFrom",
    "PeriodFolder",
    "PeriodRequest",
    "find_period",
    "keys_of",
    "policy_of",
    "read_rewards",
    "terms_of",
    "write_period",
]
