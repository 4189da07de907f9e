"""What a pool that pays queries pays: each payer's money within what the payer asked.

For row i and query q the attribution gives a_iq, signed nats (> 0 lowered the loss). With S_kq = Σ a_iq and
A_kq = Σ |a_iq| over the rows of contributor k, N_q = Σ_i max(a_iq, 0) over all rows, D_q = max(N_q, β · median of N
over the payer's queries), and the standard error SE_k of k's credit on the evaluation set as shares.parquet has it,

    Z_ku  = Σ_q m_uq/m_u · S_kq / D_q                   payer u paid m_uq for query q, m_u in all
    SE_ku = Σ_q m_uq/m_u · SE_k · A_kq / (A_k · D_q)    the error lies where the credit does, and does not average out
    v_ku  = max(0, Z_ku − κ · SE_ku)
    part  = m_u · v_ku / Σ_k v_ku                       by largest remainder in units of 1e-18; Σ_k part = m_u

so that no payer's money ever pays for what another asked: buying queries for one's own rows returns the contributors'
part of what they cost, at most. Money of a payer for whom every v is 0 is divided as the evaluation pool's is. Without
a file of usage the pool pays over the evaluation slices: each is a payer that paid 1 for itself.

Here S/D and the errors have 12 decimals; scores are cut down and errors rounded up, so that no split gains by rounding.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from math import gcd
from pathlib import Path
from statistics import median_low
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tribute.errors import RewardError
from tribute.ids import ID_IN_WORDS, is_id
from tribute.rewards import tables

SCORE_STEP = Decimal("1e-12")
"""Credits and standard errors are rounded to this many nats when they enter; exact from there on."""
STEPS = 10**12
"""12 decimals, as integers."""
PAID_STEPS = 10**18
"""What payers paid, as integers."""
_COLUMNS = list(tables.USAGE)
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")
Score = tuple[Decimal, Decimal]
"""Credit and its standard error."""


@dataclass(frozen=True)
class Payment:
    """What a user paid for one query; any unit, the same for all."""

    query: str
    user: str
    amount: Fraction


def read_usage(path: Path) -> list[Payment]:
    """A CSV with the columns query, user, amount. Raises RewardError naming the line."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header = next(reader, [])
            rows = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RewardError(f"{path}: cannot be read ({error}); give a CSV of {', '.join(_COLUMNS)}") from error
    if header != _COLUMNS:
        raise RewardError(f"{path}:1: columns {header}, expected {_COLUMNS}")
    return [_payment(row, f"{path}:{number}") for number, row in rows]


def _payment(row: Sequence[str], place: str) -> Payment:
    if len(row) != len(_COLUMNS):
        # A line without anything, too: the period's folder keeps the file, and its tables have none.
        raise RewardError(f"{place}: {len(row)} values, expected {len(_COLUMNS)}; write decimals with a point")
    query, user, amount = row
    if not _AMOUNT.fullmatch(amount):
        raise RewardError(f"{place}: amount {amount!r}, expected a plain decimal such as 0.25")
    if query[:1] in tables.FORMULAS:
        raise RewardError(f"{place}: a spreadsheet could run {query!r} as a formula; rename it")
    if not is_id(user):
        raise RewardError(
            f"{place}: user {user!r}, expected a pseudonym of {ID_IN_WORDS}; "
            "names and e-mail addresses stay out of a period's folder"
        )
    return Payment(query, user, Fraction(amount))


@dataclass(frozen=True)
class Basket:
    """What one payer paid: query → units of 1e-18."""

    payer: str
    paid: Mapping[str, int]

    @property
    def total(self) -> int:
        """Units of 1e-18 over all queries."""
        return sum(self.paid.values())


def baskets(usage: Iterable[Payment]) -> list[Basket]:
    """One for every user who paid more than nothing, in the order of their names."""
    paid: dict[str, dict[str, int]] = {}
    for payment in usage:
        if payment.amount:
            queries = paid.setdefault(payment.user, {})
            queries[payment.query] = queries.get(payment.query, 0) + int(payment.amount * PAID_STEPS)
    return [Basket(user, dict(sorted(queries.items()))) for user, queries in sorted(paid.items())]


@dataclass(frozen=True)
class QueryCredits:
    """S_kq, A_kq and N_q of scores.parquet in steps of 1e-12 nats; `errors`: contributor → SE_k."""

    signed: Mapping[str, Mapping[str, int]]
    """Query → contributor → S."""
    absolute: Mapping[tuple[str, str], int]
    """(Contributor, query) → A."""
    positive: Mapping[str, int]
    """Query → N."""
    errors: Mapping[str, Decimal]

    @classmethod
    def of(cls, scores: Any, errors: Mapping[str, Decimal]) -> "QueryCredits":
        """From `contributor_id, query, credit` (an Arrow table)."""
        steps = pa.decimal128(38, 12)
        credit = pc.cast(scores["credit"], steps)
        table = pa.table(
            {
                "contributor_id": scores["contributor_id"],
                "query": scores["query"],
                "signed": credit,
                "absolute": pc.abs(credit),
                "positive": pc.max_element_wise(credit, pa.scalar(Decimal(0), steps)),
            }
        )
        sums = [(name, "sum") for name in ("signed", "absolute", "positive")]
        signed: dict[str, dict[str, int]] = {}
        absolute: dict[tuple[str, str], int] = {}
        positive: dict[str, int] = {}
        for row in table.group_by(["contributor_id", "query"]).aggregate(sums).to_pylist():
            name, query = row["contributor_id"], row["query"]
            signed.setdefault(query, {})[name] = _steps(row["signed_sum"])
            absolute[name, query] = _steps(row["absolute_sum"])
            positive[query] = positive.get(query, 0) + _steps(row["positive_sum"])
        return cls(signed, absolute, positive, errors)

    @cached_property
    def everywhere(self) -> dict[str, int]:
        """Contributor → A over all queries."""
        totals: dict[str, int] = {}
        for (name, _), value in self.absolute.items():
            totals[name] = totals.get(name, 0) + value
        return totals

    def slices(self) -> list[Basket]:
        """Every query of the scores as a payer that paid 1 for itself."""
        return [Basket(query, {query: PAID_STEPS}) for query in sorted(self.positive)]

    def of_basket(self, paid: Mapping[str, int], beta: Fraction) -> dict[str, Score]:
        """Contributor → (Z, SE) over one payer's queries; who has no score there is left out."""
        floor = beta * median_low(self.positive[query] for query in paid)
        whole, scores, errors = sum(paid.values()), dict[str, Fraction](), dict[str, Fraction]()
        for query, amount in paid.items():
            divisor = max(Fraction(self.positive[query]), floor)
            if not divisor:
                continue
            part = Fraction(amount, whole) / divisor
            for name, total in self.signed[query].items():
                scores[name] = scores.get(name, Fraction(0)) + part * total
                errors[name] = errors.get(name, Fraction(0)) + part * self.absolute[name, query]
        return {name: (cut(score), self._error(name, errors[name])) for name, score in sorted(scores.items())}

    def _error(self, name: str, reach: Fraction) -> Decimal:
        """SE · A_kq / (A_k · D_q), weighed over the queries; `reach` is all of it but SE / A_k."""
        everywhere = self.everywhere[name]
        if not everywhere:
            return _decimal(0)
        exact = Fraction(self.errors.get(name, Decimal(0))) * STEPS * reach / everywhere
        return _decimal(-(-exact.numerator * STEPS // exact.denominator))


def shape(basket: Basket) -> tuple[tuple[str, int], ...]:
    """What alone decides a basket's scores: two payers who split their money alike have the same."""
    common = gcd(*basket.paid.values())
    return tuple((query, amount // common) for query, amount in basket.paid.items())


def refuse_unknown(baskets_: Sequence[Basket], credits: QueryCredits, pool: str) -> None:
    """Raise RewardError for a query that was paid for and has no score, and where nobody paid anything."""
    if not baskets_:
        raise RewardError(f"pool {pool}: no payment in {tables.USAGE_FILE}, expected one above 0, or no such file")
    for basket in baskets_:
        if strange := sorted(basket.paid.keys() - credits.positive.keys()):
            raise RewardError(
                f"pool {pool}: query {strange[0]!r} was paid for and has no line in scores.parquet; attribute it first"
            )


def _steps(value: Decimal) -> int:
    return int(value.scaleb(12))


def cut(value: Fraction) -> Decimal:
    """A score, rounded down to 12 decimals."""
    return _decimal(value.numerator * STEPS // value.denominator)


def _decimal(steps: int) -> Decimal:
    return Decimal(steps) * SCORE_STEP
