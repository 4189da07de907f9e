"""A period's folder read once, for checks. Checks nothing itself but that the tables can be read."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tribute.artifacts import Artifact
from tribute.errors import IntegrityError
from tribute.rewards import tables
from tribute.rewards.allocation.gate import VERDICT
from tribute.rewards.ledger.journal import Posting, read_journal
from tribute.rewards.period.closed import policy_of
from tribute.rewards.policy.policy import Policy

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Opened:
    """The tables as text, the evidence as an Arrow table, the manifest's config and its policy."""

    artifact: Artifact
    policy: Policy
    verdict: dict[str, Any]
    allocation: Rows
    journal: list[Posting]
    balances: Rows
    payables: Rows
    exclusions: Rows
    tokens: Rows
    leaves: Rows
    usage: Rows
    evidence: Any

    @classmethod
    def of(cls, artifact: Artifact) -> "Opened":
        """Read everything. Raises IntegrityError naming the file."""
        folder = artifact.path
        try:
            policy = policy_of(artifact)
            verdict: dict[str, Any] = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
        except (KeyError, ValueError) as error:
            raise IntegrityError(f"{folder}: policy or {VERDICT} cannot be read ({error}); make it again") from error
        usage = folder / tables.USAGE_FILE
        return cls(
            artifact,
            policy,
            verdict,
            tables.read_csv(folder / "allocation.csv", tables.ALLOCATION),
            read_journal(folder / "journal.csv"),
            tables.read_csv(folder / "balances.csv", tables.BALANCES),
            tables.read_csv(folder / "payables.csv", tables.PAYABLES),
            tables.read_csv(folder / "exclusions.csv", tables.EXCLUSIONS),
            tables.read_csv(folder / "tokens.csv", tables.TOKENS),
            tables.read_csv(folder / "leaves.csv", tables.LEAVES),
            tables.read_csv(usage, tables.USAGE) if usage.exists() else [],
            tables.read_evidence(folder / "evidence.parquet"),
        )

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.artifact.path

    @cached_property
    def config(self) -> dict[str, Any]:
        """The manifest's config."""
        return dict(self.artifact.identity["config"])

    @cached_property
    def period(self) -> str:
        """YYYY-MM, as the manifest has it."""
        return str(self.config["period"])

    def wrong(self, name: str, what: str) -> IntegrityError:
        """The error for a file of this folder."""
        return IntegrityError(f"{self.folder / name}: {what}; make the period again")
