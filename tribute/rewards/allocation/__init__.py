"""From shares, a policy and a pool to amounts that add up exactly."""

from tribute.rewards.allocation.allocate import largest_remainder
from tribute.rewards.allocation.card_figures import NOT_MEASURED, Card, figures, made_by, measured, rank
from tribute.rewards.allocation.gate import Verdict, fallback_note, judge, read_verdict
from tribute.rewards.allocation.payers import PayerDivision, by_contributor
from tribute.rewards.allocation.simulate import simulate_period
from tribute.rewards.allocation.weights import (
    BLEND,
    HARMFUL,
    TOKENS,
    BlendParts,
    ContributorScore,
    blend_parts,
    exact_score,
    harm_by_name,
    net,
)

__all__ = [
    "BLEND",
    "HARMFUL",
    "NOT_MEASURED",
    "TOKENS",
    "BlendParts",
    "Card",
    "ContributorScore",
    "PayerDivision",
    "Verdict",
    "blend_parts",
    "by_contributor",
    "exact_score",
    "fallback_note",
    "figures",
    "harm_by_name",
    "judge",
    "largest_remainder",
    "made_by",
    "measured",
    "net",
    "rank",
    "read_verdict",
    "simulate_period",
]
