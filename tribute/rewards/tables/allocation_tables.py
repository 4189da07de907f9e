"""allocation.csv and what it is made from: tokens, payers, usage, and the rows that do not count."""

from decimal import Decimal
from typing import Annotated, NamedTuple

from tribute.rewards.tables.table_format import (
    Amount,
    Blank,
    Column,
    Contributor,
    Count,
    Exact,
    LaterCount,
    MaybeContributor,
    Measured,
    Minor,
    Table,
    Text,
)


class AllocationRow(NamedTuple):
    """What one contributor gets from one pool in one currency."""

    period: Text
    pool: Text
    contributor_id: Contributor
    payee_ref: Text
    currency: Text
    exponent: Count
    rows_submitted: Count
    rows_canonical: Count
    rows_excluded: Count
    score: Exact
    """Nats, or without unit in a pool that pays queries."""
    score_se: Exact
    weight_num: Minor
    """weight = weight_num / weight_den, exact: a part of the pool by the rule `blend`, the score's unit by `credit`,
    tokens by `tokens`."""
    weight_den: Minor
    quota_minor: Exact
    """Cut (not rounded) to 12 decimals; the exact one follows from the weights."""
    amount_minor: Amount
    rounding_minor: Exact
    """amount − quota, signed."""
    status: Text
    evidence_sha256: Text
    score_high: Exact
    """The upper end of the interval of the credit on the evaluation set, nats."""
    rule: Text
    reliability: Measured = None
    """By the rule `blend`: weight = reliability · credit_share + (1 − reliability) · content_share. Other rules leave
    this column and those after it out."""
    credit_share: Measured = None
    """The part of all counted credit, cut to 12 decimals."""
    content: LaterCount = None
    """Distinct word shingles that count: 0 where the whole interval of the credit is below 0."""
    content_share: Measured = None
    """The part of all content that counts, cut to 12 decimals."""


class TokenRow(NamedTuple):
    """Training tokens after deduplication, by which the rule `tokens` pays, and distinct word shingles."""

    contributor_id: Contributor
    tokens: Count
    content: LaterCount = None


class PayerRow(NamedTuple):
    """What one payer's money pays a contributor, in a pool that pays queries; who gets nothing of it has no row."""

    pool: Text
    payer: Text
    """The pseudonym in usage.csv or in the sealed usage, where `operator` is who funds the rest; or without either the
    evaluation slice."""
    basis: Text
    """What the money is divided by: `answers`; `evaluation` where no answer's credit exceeds its uncertainty; `content`
    where that of the evaluation does not either."""
    paid: Minor
    """What the payer paid of what goes by this basis, in units of 1e-18 of the currency."""
    contributor_id: Contributor
    score: Exact
    """Without unit by `answers`, nats by `evaluation`, shingles by `content`; part ∝ score − κ · score_se."""
    score_se: Exact
    part: Minor
    """Of `paid`, by largest remainder."""
    currency: Annotated[str | None, Column(required=False)] = None
    """Where use was metered; other periods leave it out, since the same parts hold in every currency."""


class ExclusionRow(NamedTuple):
    """A row that was not counted, and why."""

    row_hash: Blank
    """content_sha256"""
    contributor_id: MaybeContributor
    reason_code: Blank
    cluster_id: Blank
    """The content_sha256 of the cluster's first row."""
    canonical_row_hash: Blank
    canonical_contributor_id: Blank
    detector: Blank
    detector_version: Blank
    similarity: Measured
    threshold: Measured
    decided_at: Annotated[str, Column("date", required=False)]
    """The last day of the period, since no file depends on a clock."""


class UsageRow(NamedTuple):
    """What users paid for which query, as it was handed in."""

    query: Text
    user: Text
    amount: Annotated[Decimal, Column("number", decimals=18)]
    """In any unit, up to 18 decimals."""


ALLOCATION = Table("allocation", AllocationRow, ("pool", "currency", "contributor_id"))
TOKENS = Table("tokens", TokenRow, ("contributor_id",))
PAYERS = Table("payers", PayerRow, ("pool", "currency", "payer", "basis", "contributor_id"))
EXCLUSIONS = Table("exclusions", ExclusionRow)
USAGE = Table("usage", UsageRow)
USAGE_FILE = "usage.csv"
PAYERS_FILE = "payers.csv"
