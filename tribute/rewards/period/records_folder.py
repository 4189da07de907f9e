"""A period's folder as statements read it: once, sorted by contributor. Computes no amount and writes nothing."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tribute import ids
from tribute.artifacts import check_files, read_artifact
from tribute.rewards import tables
from tribute.rewards.allocation.allocate import CREDIT, TOKENS, AllocationLine, ContributorScore, claim_of, weight_of
from tribute.rewards.allocation.gate import read_verdict
from tribute.rewards.ledger import accounts, journal
from tribute.rewards.ledger.journal import Posting
from tribute.rewards.period.closed import policy_of
from tribute.rewards.statements.comparison import PeriodInputs, summed

Row = dict[str, str]
Key = tuple[str, str]
"""Pool and currency."""


@dataclass
class ContributorRecords:
    """What the folder holds of one contributor; hashes and slices come with the highest credit first."""

    lines: list[Row] = field(default_factory=list)
    balances: list[Row] = field(default_factory=list)
    exclusions: list[Row] = field(default_factory=list)
    entries: list[Posting] = field(default_factory=list)
    payments: list[Row] = field(default_factory=list)
    rows: list[tuple[str, Decimal]] = field(default_factory=list)
    slices: list[tuple[str, Decimal]] = field(default_factory=list)


class Folder:
    """`rewards/<period>/`, open or closed. `only` names those whose evidence is read; None reads everybody's."""

    tag: str
    """The dataset version that the evidence is of; only where any was read."""

    def __init__(self, path: Path, only: Collection[str] | None = None) -> None:
        self.path, self.artifact, self.period = path, read_artifact(path), path.name
        with_evidence = only is None or bool(only)
        check_files(self.artifact, lambda name: with_evidence or name != "evidence.parquet")
        self.policy = policy_of(self.artifact)
        self.verdict = read_verdict(path)
        self.card: dict[str, Any] = json.loads((path / "card.json").read_text(encoding="utf-8"))
        self.tokens = {row["contributor_id"]: int(row["tokens"]) for row in self._rows("tokens.csv", tables.TOKENS)}
        self.own: dict[str, ContributorRecords] = {}
        self._sort("lines", self._rows("allocation.csv", tables.ALLOCATION))
        self._sort("balances", self._rows("balances.csv", tables.BALANCES))
        self._sort("exclusions", self._rows("exclusions.csv", tables.EXCLUSIONS))
        self._journal = journal.read_journal(path / "journal.csv")
        for posting in self._journal:
            if posting.contributor_id:
                self.own.setdefault(posting.contributor_id, ContributorRecords()).entries.append(posting)
        self._sort("payments", map(_named, self._rows("payables.csv", tables.PAYABLES)))
        if with_evidence:
            self._read_evidence(self.own if only is None else only)

    def claim(self, row: Row) -> ContributorScore:
        """What a line of allocation.csv was calculated from."""
        return claim_of(row, self.tokens.get(row["contributor_id"], 0))

    def line(self, row: Row) -> AllocationLine:
        """A line of allocation.csv as the allocation made it."""
        key, weight = (row["pool"], row["currency"]), weight_of(row)
        quota = self.pools[key] * weight / self.weights[key]
        rule = TOKENS if row["rule"] == TOKENS else CREDIT
        return AllocationLine(self.claim(row), rule, weight, quota, int(row["amount_minor"]), row["status"])

    @cached_property
    def pools(self) -> dict[Key, int]:
        """What each pool paid, in minor units."""
        return {key: sum(int(row["amount_minor"]) for row in rows) for key, rows in self._by_pool.items()}

    @cached_property
    def weights(self) -> dict[Key, Fraction]:
        """Everybody's weights in each pool, added up."""
        return {key: summed(map(weight_of, rows)) for key, rows in self._by_pool.items()}

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
        own = self.own.get(contributor_id, ContributorRecords())
        return sum(int(row["amount_minor"]) for row in own.lines if row["currency"] == currency)

    def side(self, currency: str) -> PeriodInputs:
        """The period as a comparison with another one needs it."""
        pools = {pool: minor for (pool, code), minor in self.pools.items() if code == currency}
        claims = {
            pool: {row["contributor_id"]: self.claim(row) for row in self._by_pool[pool, currency]} for pool in pools
        }
        return PeriodInputs(pools, claims, self.policy.exact_kappa, self.verdict.rule)

    @cached_property
    def standing(self) -> dict[str, dict[str, dict[str, int]]]:
        """Contributor → currency → stage (Accrued, Held, Payable, Claim) → minor units at the end of the period."""
        months = sorted(self.path.with_name("journal").glob("*.csv"))
        earlier = [one for file in months if file.stem < self.period for one in journal.read_journal(file)]
        found: dict[str, dict[str, dict[str, int]]] = {}
        for posting in (*earlier, *self._journal):
            if stage := accounts.stage(posting.account):
                stages = found.setdefault(posting.contributor_id, {}).setdefault(posting.currency, {})
                stages[stage] = stages.get(stage, 0) + posting.credit
        return found

    @cached_property
    def _by_pool(self) -> dict[Key, list[Row]]:
        found: dict[Key, list[Row]] = {}
        for own in self.own.values():
            for row in own.lines:
                found.setdefault((row["pool"], row["currency"]), []).append(row)
        return found

    def _sort(self, name: str, rows: Iterable[Row]) -> None:
        for row in rows:
            if row["contributor_id"]:
                getattr(self.own.setdefault(row["contributor_id"], ContributorRecords()), name).append(row)

    def _rows(self, name: str, columns: tables.Columns) -> list[Row]:
        return tables.read_csv(self.path / name, columns)

    def _read_evidence(self, only: Iterable[str]) -> None:
        table = tables.read_evidence(self.path / "evidence.parquet")
        self.tag = str(table["dataset_tag"][0].as_py())
        owner = table["contributor_id"].cast(pa.string())
        own = table.filter(pc.is_in(owner, pa.array(only, pa.string())))
        for column, name in (("row_hash", "rows"), ("query", "slices")):
            by = own.group_by(["contributor_id", column]).aggregate([("score", "sum")])
            for group in by.to_pylist():
                getattr(self.own[group["contributor_id"]], name).append((group[column], group["score_sum"]))
        for one in self.own.values():
            one.rows.sort(key=lambda pair: (-pair[1], pair[0]))
            one.slices.sort(key=lambda pair: (-pair[1], pair[0]))


def _named(payable: Row) -> Row:
    return payable | {"contributor_id": ids.parse_payee_ref(payable["payee_ref"])}
