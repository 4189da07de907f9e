"""What a period's draft is made from: what is asked for, what a run made, and all that decides its bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from tribute.artifacts import Artifact
from tribute.rewards.allocation.funding import Funding
from tribute.rewards.ledger.books import Ledger
from tribute.rewards.ledger.entries import Entry
from tribute.rewards.policy.policy import Policy
from tribute.rewards.usage.sealed_usage import SealedUsage


class PeriodRequest(NamedTuple):
    """What a period is to pay, and by which policy."""

    policy: Path
    period: str
    fees: Sequence[tuple[str, str]]
    """Net fees with their currencies, plain decimal text in major units, each currency once."""
    usage: Path | None = None
    """A CSV of query, user, amount, or the folder of a sealed month, whose payers' money is added to the fees."""


@dataclass(frozen=True)
class PaidFrom:
    """What a run made that a period is paid from; `mlflow_runs` maps a seed to its run id."""

    dataset: Artifact
    adapters: Sequence[Artifact]
    attribution: Artifact
    mlflow_runs: Mapping[str, str]

    @property
    def ids(self) -> dict[str, str]:
        """Their ids as a manifest's inputs name them."""
        adapters = sorted(adapter.id for adapter in self.adapters)
        numbered = {f"adapter-{number}": id_ for number, id_ in enumerate(adapters)}
        return {"dataset": self.dataset.id, "attribution": self.attribution.id, **numbered}


@dataclass(frozen=True)
class DraftSpec:
    """Everything that decides the bytes of a period."""

    period: str
    policy: Policy
    fundings: Sequence[Funding]
    usage: Path | None
    inputs: Mapping[str, str]
    books: Ledger
    terms: Mapping[str, Policy]
    previous: str
    closers: Mapping[str, str]
    seeds: Sequence[int]
    sealed: SealedUsage | None
    drawn: Sequence[Entry]
    """What earlier months deferred and funds this period."""
    payees: Mapping[str, str]
    """Contributor → payee, where several are netted."""
    evaluation: str
    """sha256 of the rows that credit was measured on, which is thereby committed to."""

    @property
    def adapters(self) -> list[str]:
        """The adapters' ids, sorted."""
        return sorted(id_ for name, id_ in self.inputs.items() if name.startswith("adapter-"))

    @property
    def config(self) -> dict[str, Any]:
        """The manifest's config; numbers as text, since JSON knows only floats."""
        return {
            "period": self.period,
            "funding": [funding.document() for funding in self.fundings],
            "policy": self.policy.model_dump(mode="json"),
            "ledger": {"seq": str(len(self.books.postings)), "head": self.books.head},
            "previous": self.previous,
            "closers": dict(self.closers),
            "seeds": list(self.seeds),
            "evaluation_sha256": self.evaluation,
            **({"payees": dict(self.payees)} if self.payees else {}),
            **({"usage": self.sealed.record} if self.sealed else {}),
            **({"calendar": calendar} if (calendar := self.books.calendar.record) else {}),
        }
