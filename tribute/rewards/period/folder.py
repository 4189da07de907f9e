"""A period's folder, `rewards/<period>/`, open or closed: each part read when it is first asked for, and once.

The only reader of these files beside the outsider's scripts. Checks nothing but that they can be read.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from tribute.artifacts import Artifact, read_artifact
from tribute.errors import IntegrityError
from tribute.rewards import tables
from tribute.rewards.allocation.allocate import Terms, claim_of
from tribute.rewards.allocation.funding import Funding
from tribute.rewards.allocation.gate import Verdict, read_verdict
from tribute.rewards.allocation.payers import by_contributor
from tribute.rewards.allocation.weights import ContributorScore, harm_by_name, net
from tribute.rewards.ledger.journal import Posting, read_journal
from tribute.rewards.period.closed import policy_of
from tribute.rewards.policy.policy import Policy
from tribute.rewards.tables import AllocationRow, Balance, ExclusionRow, LeafRow, PayableRow, PayerRow, UsageRow
from tribute.rewards.usage.sealed_usage import COPY, SealedUsage, read_seal
from tribute.strict import parse_json


@dataclass(frozen=True)
class PeriodFolder:
    """The tables as typed rows, the evidence as an Arrow table, the manifest and what it names.

    Every part raises IntegrityError naming the file where it cannot be read.
    """

    path: Path

    @cached_property
    def artifact(self) -> Artifact:
        """The manifest."""
        return read_artifact(self.path)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The manifest's config."""
        return dict(self.artifact.identity["config"])

    @cached_property
    def period(self) -> str:
        """YYYY-MM, as the manifest has it."""
        return str(self.config["period"])

    @cached_property
    def policy(self) -> Policy:
        """The policy that it is paid by."""
        try:
            return policy_of(self.artifact)
        except (KeyError, ValueError) as error:
            raise self.wrong("manifest.json", f"its policy cannot be read ({error})") from error

    @cached_property
    def fundings(self) -> list[Funding]:
        """How the net fee of each currency is divided."""
        try:
            return [Funding.parse(document) for document in self.config["funding"]]
        except (KeyError, ValueError, TypeError) as error:
            raise self.wrong("manifest.json", f"its funding cannot be read ({error})") from error

    @cached_property
    def adapters(self) -> list[str]:
        """The adapters' ids, sorted."""
        return sorted(id_ for name, id_ in self.artifact.inputs.items() if name.startswith("adapter-"))

    @cached_property
    def verdict(self) -> Verdict:
        """What the gate found."""
        return read_verdict(self.path)

    @cached_property
    def card(self) -> dict[str, Any]:
        """The attribution card."""
        path = self.path / "card.json"
        try:
            return dict(parse_json(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise self.wrong(path.name, f"cannot be read ({error})") from error

    @cached_property
    def allocation(self) -> list[AllocationRow]:
        """Who gets what."""
        return tables.read(self.path / "allocation.csv", tables.ALLOCATION)

    @cached_property
    def journal(self) -> list[Posting]:
        """The ledger's month."""
        return read_journal(self.path / "journal.csv")

    @cached_property
    def balances(self) -> list[Balance]:
        """How everybody stands."""
        return tables.read(self.path / "balances.csv", tables.BALANCES)

    @cached_property
    def payables(self) -> list[PayableRow]:
        """Who is paid."""
        return tables.read(self.path / "payables.csv", tables.PAYABLES)

    @cached_property
    def exclusions(self) -> list[ExclusionRow]:
        """The rows that were not counted."""
        return tables.read(self.path / "exclusions.csv", tables.EXCLUSIONS)

    @cached_property
    def tokens(self) -> dict[str, int]:
        """Contributor → training tokens."""
        return {row.contributor_id: row.tokens for row in tables.read(self.path / "tokens.csv", tables.TOKENS)}

    @cached_property
    def content(self) -> dict[str, int]:
        """Contributor → distinct word shingles; 0 where tokens are the fallback."""
        rows = tables.read(self.path / "tokens.csv", tables.TOKENS)
        return {row.contributor_id: row.content or 0 for row in rows}

    @cached_property
    def payees(self) -> dict[str, str]:
        """Contributor → payee, of those whom the period netted."""
        return dict(self.config.get("payees", {}))

    @cached_property
    def harm(self) -> dict[str, Decimal]:
        """Contributor → what its rows that were left out as harmful took off the gain, nats."""
        return harm_by_name((row.contributor_id, row.reason_code, row.similarity) for row in self.exclusions)

    @cached_property
    def payers(self) -> list[PayerRow]:
        """To whom each payer's money goes, where a pool pays by query."""
        return tables.read(self.path / tables.PAYERS_FILE, tables.PAYERS)

    def claim(self, row: AllocationRow) -> ContributorScore:
        """What a line of allocation.csv was calculated from."""
        name = row.contributor_id
        pool = self.policy.pools[row.pool]
        if pool.pays == "shares" and (name in self.payees or name in self.harm):
            return self._netted[row.pool, row.currency][name]
        claim = self._alone(row)
        if not pool.by_payers:
            return claim
        # Where use was not metered, the same parts hold in every currency.
        key = (row.pool, row.currency if self.seal else None)
        return replace(claim, by_payers=self._payer_parts.get(key, {}).get(name, Fraction(0)))

    def _alone(self, row: AllocationRow) -> ContributorScore:
        name = row.contributor_id
        return claim_of(row, self.tokens.get(name, 0), self.content.get(name, 0))

    @cached_property
    def _netted(self) -> dict[tuple[str, str], dict[str, ContributorScore]]:
        groups: dict[tuple[str, str], list[ContributorScore]] = {}
        for row in self.allocation:
            if row.contributor_id in self.payees or row.contributor_id in self.harm:
                groups.setdefault((row.pool, row.currency), []).append(self._alone(row))
        kappa = self.policy.exact_kappa
        return {
            key: {claim.contributor_id: claim for claim in net(claims, self.payees, kappa, self.harm)}
            for key, claims in groups.items()
        }

    @cached_property
    def _payer_parts(self) -> dict[tuple[str, str | None], dict[str, Fraction]]:
        groups: dict[tuple[str, str | None], list[PayerRow]] = {}
        for row in self.payers:
            groups.setdefault((row.pool, row.currency), []).append(row)
        return {key: by_contributor(rows) for key, rows in groups.items()}

    @cached_property
    def terms(self) -> Terms:
        """How its pools weigh."""
        return Terms(self.policy.exact_kappa, self.verdict.rule, self.verdict.credit_part)

    @cached_property
    def leaves(self) -> list[LeafRow]:
        """The leaves of the Merkle tree over the statements."""
        return tables.read(self.path / "leaves.csv", tables.LEAVES)

    @property
    def usage_file(self) -> Path | None:
        """What users paid for which query; None where no file said so."""
        path = self.path / tables.USAGE_FILE
        return path if path.exists() else None

    @cached_property
    def seal(self) -> dict[str, Any] | None:
        """The seal of the month's metered usage; None where that did not fund the period."""
        path = self.path / COPY
        return read_seal(path) if path.exists() else None

    @property
    def sealed(self) -> SealedUsage | None:
        """The sealed months of metered use in its workspace, whether they are there or not; None as `seal`."""
        if self.seal is None:
            return None
        return SealedUsage.recorded(self.path.parent.parent / "usage" / self.period, self.config["usage"])

    @property
    def usage_source(self) -> Path | SealedUsage | None:
        """What says what was paid for answers: the file of this folder, or the sealed months in its workspace."""
        return self.sealed or self.usage_file

    @cached_property
    def usage(self) -> list[UsageRow]:
        """The rows of that file."""
        return tables.read(self.usage_file, tables.USAGE) if self.usage_file else []

    @cached_property
    def evidence(self) -> Any:
        """Credit per row and query, an Arrow table."""
        return tables.read_evidence(self.path / "evidence.parquet")

    def wrong(self, name: str, what: str) -> IntegrityError:
        """The error for a file of this folder."""
        return IntegrityError(f"{self.path / name}: {what}; make the period again")
