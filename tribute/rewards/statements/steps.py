"""The steps from a credit or a count of tokens to an amount, as a statement shows them. Computes no amount."""

from fractions import Fraction

from tribute import formatting
from tribute.formatting import money, nats, percent
from tribute.money import format_amount
from tribute.rewards.allocation.allocate import AllocationLine
from tribute.rewards.allocation.weights import TOKENS, BlendParts, counted_credit

Step = tuple[str, str, str]
"""What was computed, how, and the number that came out."""


def steps(
    line: AllocationLine, *, pool: int, currency: str, kappa: str, seeds: int | None, total: Fraction
) -> list[Step]:
    """From what the rule counts to the amount; `seeds` is None for a contributor who was not trained on.

    `total` is the sum of all contributors' weights.
    """
    return [
        *_weighed(line, kappa, seeds, total),
        ("Quota", f"that part of {money(pool, currency)}", formatting.quota(line.quota, currency)),
        _rounding(line, currency),
        ("Amount", "what you earned in this period", money(line.amount, currency)),
    ]


def _weighed(line: AllocationLine, kappa: str, seeds: int | None, total: Fraction) -> list[Step]:
    """From what the rule counts to the part of the pool."""
    if line.parts:
        return [*_by_credit(line, kappa, seeds)[:-1], *_blended(line, line.parts, kappa)]
    return [
        *(_by_tokens(line) if line.rule == TOKENS else _by_credit(line, kappa, seeds)),
        ("All weights", "the sum of all contributors’ weights", _weight(line, total)),
        ("Part", "your weight ÷ all weights", percent(line.weight, total, digits=6)),
    ]


def _blended(line: AllocationLine, parts: BlendParts, kappa: str) -> list[Step]:
    by_payers = line.claim.by_payers is not None
    counted = nats(counted_credit(line.claim, Fraction(kappa)))
    credit, content = (percent(part, 1, digits=6) for part in (parts.credit, parts.content))
    reliability, rest = (percent(part, 1) for part in (parts.reliability, 1 - parts.reliability))
    return [
        ("Counted credit", "of each payer’s money, credit on what that payer asked", "payers.csv")
        if by_payers
        else ("Counted credit", _how(line, kappa), counted),
        ("Part of credit", "yours ÷ all contributors’ counted credit", credit),
        (
            "Distinct content",
            "runs of words no earlier row has; zero if the credit is surely below zero",
            f"{parts.counted:,}",
        ),
        ("Part of content", "yours ÷ all contributors’ distinct content", content),
        ("Reliability", "how far the measurement of credit counts: as its weakest check", reliability),
        ("Part", f"{reliability} × {credit} + {rest} × {content}", percent(parts.weight, 1, digits=6)),
    ]


def _by_credit(line: AllocationLine, kappa: str, seeds: int | None) -> list[Step]:
    if line.claim.by_payers is not None:
        how = "your part of all credit above zero on a payer’s answers, the mean by what payers paid"
        parts = [percent(part, 1, digits=6) for part in (line.claim.score, line.claim.score_se)]
        return [
            ("Credit on paid answers", how, parts[0]),
            ("Standard error", "of its measurement, and of drawing the answers that were measured", parts[1]),
            ("Weight", "of each payer’s money, credit on what that payer asked", percent(line.weight, 1, digits=6)),
        ]
    scatter = f"how much that varies over {seeds} trainings with different seeds" if seeds else "not trained on"
    return [
        (
            "Credit",
            "by how much your rows reduced the loss on the evaluation set, summed over rows and topics",
            nats(line.claim.score),
        ),
        ("Standard error", scatter, nats(line.claim.score_se)),
        ("Weight", _how(line, kappa), _weight(line, line.weight)),
    ]


def _how(line: AllocationLine, kappa: str) -> str:
    left = line.claim.netted
    beside = "the payee’s other names and rows left out as harmful"
    netted = f"; {percent(left, 1)} of it is left beside {beside}" if left < 1 else ""
    return f"credit − {kappa} × standard error, never below zero{netted}"


def _by_tokens(line: AllocationLine) -> list[Step]:
    return [
        (
            "Training tokens",
            "pieces of words that the model was trained on, duplicates left out",
            f"{line.claim.tokens:,} tokens",
        ),
        (
            "Upper end",
            "of the interval of your credit; below zero, the rows surely did harm",
            nats(line.claim.score_high),
        ),
        ("Weight", "your tokens, or zero where the upper end is below zero", _weight(line, line.weight)),
    ]


def _weight(line: AllocationLine, weight: Fraction) -> str:
    return f"{weight.numerator:,} tokens" if line.rule == TOKENS else nats(weight)


def _rounding(line: AllocationLine, currency: str) -> Step:
    if line.quota.denominator == 1:
        return "Rounding", "nothing to round", "exact"
    unit = format_amount(1, currency)
    how = f"to {unit}: every quota is rounded down, and the units left over go to the largest remainders"
    return "Rounding", how, "up" if line.amount > line.quota else "down"
