"""A period's folder as statements read it: sorted by contributor. Computes no amount and writes nothing."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tribute import ids
from tribute.artifacts import check_files
from tribute.rewards.allocation.allocate import AllocationLine
from tribute.rewards.allocation.evidence import sums
from tribute.rewards.allocation.weights import BlendParts, ContributorScore, summed, weight_of
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.journal import Posting, read_journal
from tribute.rewards.period.folder import PeriodFolder
from tribute.rewards.statements.comparison import PeriodInputs
from tribute.rewards.tables import AllocationRow, Balance, ExclusionRow, PayableRow

Key = tuple[str, str]
"""Pool and currency."""


@dataclass
class ContributorRecords:
    """What the folder holds of one contributor; hashes and slices come with the highest credit first."""

    lines: list[AllocationRow] = field(default_factory=list)
    balances: list[Balance] = field(default_factory=list)
    exclusions: list[ExclusionRow] = field(default_factory=list)
    entries: list[Posting] = field(default_factory=list)
    payments: list[PayableRow] = field(default_factory=list)
    rows: list[tuple[str, Decimal]] = field(default_factory=list)
    slices: list[tuple[str, Decimal]] = field(default_factory=list)


class PeriodRecords:
    """`rewards/<period>/`, open or closed. `only` names those whose evidence is read; None reads everybody's."""

    tag: str
    """The dataset version that the evidence is of; only where any was read."""

    def __init__(self, path: Path, only: Collection[str] | None = None) -> None:
        self.path, self.period, self.folder = path, path.name, PeriodFolder(path)
        self.artifact = self.folder.artifact
        self.policy, self.verdict = self.folder.policy, self.folder.verdict
        by_shares = any(pool.pays == "shares" for pool in self.policy.pools.values())
        with_evidence = only is None or bool(only) or not by_shares
        check_files(self.artifact, lambda name: with_evidence or name != "evidence.parquet")
        self.card, self.tokens = self.folder.card, self.folder.tokens
        self.contributors: dict[str, ContributorRecords] = {}
        for line in self.folder.allocation:
            self._of(line.contributor_id).lines.append(line)
        for balance in self.folder.balances:
            self._of(balance.contributor_id).balances.append(balance)
        for exclusion in self.folder.exclusions:
            self._of(exclusion.contributor_id).exclusions.append(exclusion)
        for posting in self.folder.journal:
            if posting.contributor_id:
                self._of(posting.contributor_id).entries.append(posting)
        for payable in self.folder.payables:
            self._of(ids.parse_payee_ref(payable.payee_ref)).payments.append(payable)
        if with_evidence:
            self._read_evidence(self.contributors if only is None else only)

    @cached_property
    def evaluated(self) -> dict[str, Decimal]:
        """Contributor → credit on the evaluation, nats; of those who have rows in the training, or none."""
        lines = [line for line in self.folder.allocation if self.policy.pools[line.pool].pays == "shares"]
        # A pool that pays queries has scores of its own, so the evidence says what the evaluation does.
        return {line.contributor_id: line.score for line in lines} or sums(self.folder.evidence)

    def claim(self, row: AllocationRow) -> ContributorScore:
        """What a line of allocation.csv was calculated from."""
        return self.folder.claim(row)

    def line(self, row: AllocationRow) -> AllocationLine:
        """A line of allocation.csv as the allocation made it."""
        key, weight = (row.pool, row.currency), weight_of(row)
        quota = self.pools[key] * weight / self.weights[key]
        rule, parts = self.verdict.rule, self.parts[key].get(row.contributor_id)
        return AllocationLine(self.claim(row), rule, weight, quota, row.amount_minor, row.status, parts)

    @cached_property
    def pools(self) -> dict[Key, int]:
        """What each pool paid, in minor units."""
        return {key: sum(row.amount_minor for row in rows) for key, rows in self._by_pool.items()}

    @cached_property
    def weights(self) -> dict[Key, Fraction]:
        """Everybody's weights in each pool, added up."""
        return {key: summed(map(weight_of, rows)) for key, rows in self._by_pool.items()}

    @cached_property
    def parts(self) -> dict[Key, dict[str, BlendParts]]:
        """What each pool's weights join, by contributor; nothing but by the rule `blend`."""
        terms = self.folder.terms
        return {key: terms.weights([self.claim(row) for row in rows])[1] for key, rows in self._by_pool.items()}

    @cached_property
    def counts(self) -> dict[Key, int]:
        """How many contributors each pool was allocated among."""
        return {key: len(rows) for key, rows in self._by_pool.items()}

    @cached_property
    def currencies(self) -> list[str]:
        """The currencies of its pools."""
        return sorted({currency for _, currency in self._by_pool})

    def amount(self, contributor_id: str, currency: str) -> int:
        """What the period owes somebody, over all pools of a currency, in minor units; 0 for a stranger."""
        records = self.contributors.get(contributor_id, ContributorRecords())
        return sum(row.amount_minor for row in records.lines if row.currency == currency)

    def side(self, currency: str) -> PeriodInputs:
        """The period as a comparison with another one needs it."""
        pools = {pool: minor for (pool, code), minor in self.pools.items() if code == currency}
        claims = {
            pool: {row.contributor_id: self.claim(row) for row in self._by_pool[pool, currency]} for pool in pools
        }
        return PeriodInputs(pools, claims, self.folder.terms)

    @cached_property
    def standing(self) -> dict[str, dict[str, dict[str, int]]]:
        """Contributor → currency → stage (Accrued, Held, Payable, Claim) → minor units at the end of the period."""
        months = sorted(self.path.with_name("journal").glob("*.csv"))
        earlier = [posting for file in months if file.stem < self.period for posting in read_journal(file)]
        standing: dict[str, dict[str, dict[str, int]]] = {}
        for posting in (*earlier, *self.folder.journal):
            if stage := accounts.stage(posting.account):
                stages = standing.setdefault(posting.contributor_id, {}).setdefault(posting.currency, {})
                stages[stage] = stages.get(stage, 0) + posting.credit
        return standing

    @cached_property
    def _by_pool(self) -> dict[Key, list[AllocationRow]]:
        pools: dict[Key, list[AllocationRow]] = {}
        for row in self.folder.allocation:
            pools.setdefault((row.pool, row.currency), []).append(row)
        return pools

    def _of(self, contributor_id: str) -> ContributorRecords:
        return self.contributors.setdefault(contributor_id, ContributorRecords())

    def _read_evidence(self, only: Iterable[str]) -> None:
        table = self.folder.evidence
        self.tag = str(table["dataset_tag"][0].as_py())
        owner = table["contributor_id"].cast(pa.string())
        evidence = table.filter(pc.is_in(owner, pa.array(only, pa.string())))
        for column, name in (("row_hash", "rows"), ("query", "slices")):
            by = evidence.group_by(["contributor_id", column]).aggregate([("score", "sum")])
            for group in by.to_pylist():
                getattr(self.contributors[group["contributor_id"]], name).append((group[column], group["score_sum"]))
        for records in self.contributors.values():
            records.rows.sort(key=lambda pair: (-pair[1], pair[0]))
            records.slices.sort(key=lambda pair: (-pair[1], pair[0]))
