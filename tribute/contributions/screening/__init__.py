"""Which rows of a version may not be learned from, and which wait for a person."""

from tribute.contributions.screening.findings import Decision, Encoder, Finding, Reason, Screening
from tribute.contributions.screening.policy import BASIC, ScreeningPolicy, load_policy
from tribute.contributions.screening.screen import (
    ACTIONS,
    BY_CODE,
    FOLLOWS,
    REASONS,
    excluded,
    find,
    find_exact,
    find_single,
    waiting,
)

__all__ = [
    "ACTIONS",
    "BASIC",
    "BY_CODE",
    "FOLLOWS",
    "REASONS",
    "Decision",
    "Encoder",
    "Finding",
    "Reason",
    "Screening",
    "ScreeningPolicy",
    "excluded",
    "find",
    "find_exact",
    "find_single",
    "load_policy",
    "waiting",
]
