"""Which rows of a version may not be learned from, and which wait for a person."""

from tribute.contributions.screening.exact_duplicates import duplicates
from tribute.contributions.screening.findings import REASONS, Finding
from tribute.contributions.screening.policy import load_policy

__all__ = [
    "REASONS",
    "Finding",
    "duplicates",
    "load_policy",
]
