"""How pools that pay queries weighed before version 0.2.0: only to verify periods that were recorded then.

For row i and query q the attribution gives a_iq, signed nats (> 0 lowered the loss). With the sums S_kq over the
rows of contributor k and N_q = Σ_i max(a_iq, 0) over all rows,

    z_kq = S_kq / max(N_q, β · median of N_q)
    Z_k  = Σ_q w_q z_kq                                     Σ w = 1
    SE_k = √( n/(n−1) · Σ_q w_q² (z_kq − Z_k)² )            n queries with w_q > 0; n = 2 at least

w_q is what the query's user paid, without what one paid beyond `user_cap` of all payments, over what counts. Without a
file of usage every query weighs the same. z and Z are cut down and SE is rounded up to 12 decimals.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from statistics import median_low
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tribute.errors import RewardError
from tribute.rewards.policy.policy import Pool
from tribute.rewards.usage.queries import SCORE_STEP, STEPS, Payment

WEIGHT_STEPS = 10**18


def query_weights(payments: Sequence[Payment], user_cap: Fraction) -> dict[str, int]:
    """Query → w_q in units of 10^-18 of the whole, cut down; queries that nobody paid for are left out."""
    total = sum((payment.amount for payment in payments), Fraction(0))
    spent: dict[str, Fraction] = {}
    for payment in payments:
        spent[payment.user] = spent.get(payment.user, Fraction(0)) + payment.amount
    counted: dict[str, Fraction] = {}
    for payment in payments:
        scale = min(Fraction(1), user_cap * total / spent[payment.user]) if payment.amount else Fraction(0)
        counted[payment.query] = counted.get(payment.query, Fraction(0)) + payment.amount * scale
    whole = sum(counted.values(), Fraction(0))
    weights = {query: int(WEIGHT_STEPS * amount / whole) for query, amount in counted.items() if amount}
    return {query: weight for query, weight in sorted(weights.items()) if weight}


def credit_of_queries(
    scores: Any, pool: Pool, usage: Sequence[Payment] | None, name: str
) -> dict[str, tuple[Decimal, Decimal]]:
    """Contributor → (Z, SE), of everybody with a score. `scores`: contributor_id, query, credit (an Arrow table).

    Raises RewardError where queries are paid for that have no score, or fewer than two count.
    """
    signed, positive = _sums(scores)
    weights = (
        dict.fromkeys(sorted(positive), 1) if usage is None else query_weights(usage, Fraction(pool.user_cap or 1))
    )
    if strange := sorted(weights.keys() - positive.keys()):
        raise RewardError(
            f"pool {name}: query {strange[0]!r} was paid for and has no line in scores.parquet; attribute it first"
        )
    if len(weights) < 2:
        raise RewardError(
            f"pool {name}: {len(weights)} queries count, expected 2 or more, or credit has no standard error"
        )
    floor = Fraction(pool.beta) * median_low(positive.values())
    scale = {query: max(Fraction(positive[query]), floor) for query in weights}
    by_contributor: dict[str, dict[str, int]] = {}
    for (contributor_id, query), total in signed.items():
        own = by_contributor.setdefault(contributor_id, {})
        if query in weights and scale[query]:
            own[query] = total * STEPS * scale[query].denominator // scale[query].numerator
    return {name: _combined(own, weights) for name, own in sorted(by_contributor.items())}


def _combined(own: Mapping[str, int], weights: Mapping[str, int]) -> tuple[Decimal, Decimal]:
    """(Z, SE) from z in steps of 1e-12 per query; a query without a score of theirs has z = 0."""
    whole, n = sum(weights.values()), len(weights)
    total = sum(weights[query] * z for query, z in own.items()) // whole
    squares = {query: weight**2 for query, weight in weights.items()}
    elsewhere = sum(squares.values()) - sum(squares[query] for query in own)
    spread = sum(squares[query] * (z - total) ** 2 for query, z in own.items()) + elsewhere * total**2
    error = _root_up(-(-n * spread // (n - 1))) if spread else 0
    return _decimal(total), _decimal(-(-error // whole))


def _sums(scores: Any) -> tuple[dict[tuple[str, str], int], dict[str, int]]:
    """S_kq and N_q in steps of 1e-12 nats."""
    table = pa.table(
        {
            "contributor_id": scores["contributor_id"],
            "query": scores["query"],
            "credit": pc.cast(scores["credit"], pa.decimal128(38, 12)),
        }
    )
    table = table.append_column(
        "positive", pc.max_element_wise(table["credit"], pa.scalar(Decimal(0), pa.decimal128(38, 12)))
    )
    signed = table.group_by(["contributor_id", "query"]).aggregate([("credit", "sum")])
    positive = table.group_by("query").aggregate([("positive", "sum")])
    pairs = zip(*(signed[column].to_pylist() for column in ("contributor_id", "query", "credit_sum")), strict=True)
    return (
        {(contributor_id, query): _steps(total) for contributor_id, query, total in pairs},
        dict(zip(positive["query"].to_pylist(), map(_steps, positive["positive_sum"].to_pylist()), strict=True)),
    )


def _steps(value: Decimal) -> int:
    return int(value.scaleb(12))


def _decimal(steps: int) -> Decimal:
    return Decimal(steps) * SCORE_STEP


def _root_up(value: int) -> int:
    root = math.isqrt(value)
    return root + (root * root < value)
