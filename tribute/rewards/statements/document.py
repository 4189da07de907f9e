"""`<id>.json`, a statement's numbers: what one contributor is owed for a period, why, and how to check and dispute it.

Holds hashes and numbers, never a contributed text, so that what was erased lives on in no statement. Amounts and
credits are text, since JSON knows only floats. Computes no amount: all of it stands in the period's folder.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tribute import ids, months
from tribute.artifacts import SEAL
from tribute.errors import RewardError
from tribute.formatting import decimal_floor
from tribute.rewards.allocation.weights import TOKENS, counted_credit
from tribute.rewards.disputes.dispute import Dispute
from tribute.rewards.ledger import accounts
from tribute.rewards.ledger.journal import Posting
from tribute.rewards.period import leaves
from tribute.rewards.statements.comparison import Comparison
from tribute.rewards.statements.records import ContributorRecords, PeriodRecords
from tribute.rewards.statements.use import PeriodUse, UsedModel
from tribute.rewards.statements.wording import EVENTS
from tribute.rewards.tables import PayableRow, as_text

TOP_ROWS = 10
LEAST_ROWS = 3 * TOP_ROWS
"""With fewer rows none is listed: the lists would name nearly all that were trained on, and so those that were not."""
LISTED = 10
"""How many of the rows not counted are listed; all are counted, reason by reason."""
SEALED = "near_evaluation"
"""Which rows came close to the sealed evaluation would tell what is in it: they are counted and never listed."""


@dataclass(frozen=True)
class Effect:
    """What the evaluation loss would lose without a contributor, nats (> 0: the model would be worse).

    `measured` by retraining without them, `se` between its seeds; else predicted from the training.
    """

    value: float
    se: float | None
    measured: bool


Document = dict[str, Any]


class Documents:
    """Makes the documents of one period; `before` is the period that changes are counted from."""

    def __init__(
        self,
        now: PeriodRecords,
        before: PeriodRecords | None,
        effects: Mapping[str, Effect],
        disputes: Sequence[Dispute] = (),
    ) -> None:
        self.now, self.before, self.effects = now, before, effects
        self.disputes = [dispute for dispute in disputes if dispute.period == now.period]
        self.proofs = leaves.Proofs.read(now.path)
        self.use = PeriodUse(now.folder).by_model()
        self.comparisons = (
            {code: Comparison(before.side(code), now.side(code)) for code in now.currencies} if before else {}
        )

    def make(self, contributor_id: str) -> Document:
        """One contributor's document. Raises RewardError for who is unknown to the period."""
        refuse_stranger(self.now.period, contributor_id, self.now.contributors)
        records = self.now.contributors[contributor_id]
        days = self.now.policy.dispute_days
        return {
            "period": self.now.period,
            "contributor_id": contributor_id,
            "closed": (self.now.path / SEAL).exists(),
            "standing": self._standing(contributor_id),
            "payments": [_payment(row) for row in records.payments],
            "corrections": _corrections(records),
            "credit": self._credit(contributor_id, records),
            "change": self._change(contributor_id),
            "rows": _extremes(records.rows),
            "slices": [{"slice": name, "credit": text(credit)} for name, credit in records.slices],
            "not_counted": _not_counted(records),
            "without_you": self._without(contributor_id),
            "use_seal": self.now.artifact.identity["config"].get("usage"),
            "use": [_used(line) for line in self.use.get(contributor_id, [])],
            "card": self.now.verdict.document(),
            "held_until": after(self.now.period, self.now.policy.holdback.days),
            "dispute": {"days": days, "until": after(self.now.period, days)},
            "disputes": [_disputed(dispute) for dispute in self.disputes if dispute.contributor_id == contributor_id],
            "made_from": dict(sorted(self.now.artifact.inputs.items())),
            "policy": {"id": self.now.policy.id, "version": self.now.policy.version},
            "proof": self.proofs(contributor_id),
        }

    def _credit(self, contributor_id: str, records: ContributorRecords) -> dict[str, str] | None:
        """The credit on the evaluation set with its interval, which lies evenly about it; None where it has none.

        Without the interval where no pool pays by it.
        """
        row = next((row for row in records.lines if self.now.policy.pools[row.pool].pays == "shares"), None)
        if row is None and any(line.rows_canonical for line in records.lines):
            return {"credit": text(self.now.evaluated.get(contributor_id, Decimal(0)))}
        if row is None or not row.rows_canonical or not self.now.card.get("intervals", True):
            return None
        score, high = row.score, row.score_high
        claim, kappa = self.now.claim(row), self.now.policy.exact_kappa
        counted = score if row.rule == TOKENS else decimal_floor(counted_credit(claim, kappa))
        return {
            "credit": text(score),
            "se": text(row.score_se),
            "low": text(2 * score - high),
            "high": text(high),
            "confidence": str(self.now.card["confidence"]),
            "counted": text(counted),
        }

    def _change(self, contributor_id: str) -> dict[str, Any] | None:
        if self.before is None:
            return None
        parts = {}
        for code, comparison in self.comparisons.items():
            was, is_ = self.before.amount(contributor_id, code), self.now.amount(contributor_id, code)
            causes = comparison.whole_causes(contributor_id, is_ - was)
            parts[code] = {"before": str(was), "now": str(is_)} | {name: str(minor) for name, minor in causes.items()}
        rules = {"before": self.before.verdict.words, "now": self.now.verdict.words}
        return {"since": self.before.period, "rules": rules, "currencies": parts}

    def _without(self, contributor_id: str) -> dict[str, Any] | None:
        effect = self.effects.get(contributor_id)
        if effect is None:
            return None
        return {
            "effect": f"{effect.value:.9f}",
            "se": None if effect.se is None else f"{effect.se:.9f}",
            "how": "retrained" if effect.measured else "predicted",
        }

    def _standing(self, contributor_id: str) -> dict[str, dict[str, str]]:
        """Where all that is owed stands at the end of the period: by currency, in minor units."""
        return {
            currency: {stage.lower(): str(amount) for stage, amount in sorted(stages.items())}
            for currency, stages in sorted(self.now.standing.get(contributor_id, {}).items())
        }


def refuse_stranger(period: str, contributor_id: str, known: Collection[str]) -> None:
    """Raise RewardError for somebody who is neither in a period's allocation nor in its balances."""
    if contributor_id not in known:
        raise RewardError(
            f"{contributor_id} is unknown to {period}; its contributors stand in its allocation.csv and balances.csv"
        )


def after(period: str, days: int) -> str:
    """The day that many days after a period's last one."""
    return (date.fromisoformat(months.last_day(period)) + timedelta(days=days)).isoformat()


def text(value: Decimal) -> str:
    """A credit as text, without an exponent."""
    return f"{value:f}"


def _used(line: UsedModel) -> dict[str, str]:
    """What a contributor earned by a model's answers: `earned_minor` exact to 12 decimals, credit in nats."""
    return {
        "model": line.model,
        "currency": line.currency,
        "earned_minor": text(decimal_floor(line.earned)),
        "answers": str(line.answers),
        "moved": str(line.moved),
        "credit": text(Decimal(line.credit).scaleb(-12)),
    }


def _disputed(dispute: Dispute) -> dict[str, Any]:
    """A dispute as it stands now; `amount_minor` is the total of the decision and of the appeal's, if any."""
    about: dict[str, Any] = {"id": dispute.id, "state": dispute.state, "currency": dispute.currency}
    if not dispute.outcomes:
        return about
    outcomes = [{"amount_minor": outcome["amount_minor"], "decided_at": outcome["at"]} for outcome in dispute.outcomes]
    total = sum(int(outcome["amount_minor"]) for outcome in outcomes)
    return about | {
        "amount_minor": str(total),
        "decided_at": outcomes[-1]["decided_at"],
        "outcomes": outcomes,
    }


def _corrections(records: ContributorRecords) -> list[dict[str, Any]]:
    """What changed the balance unexpectedly, in the journal's order; entries of one cause are one correction.

    `amount_minor` is signed: > 0 is in the contributor's favour. `dispute` is the dispute that decided it, or None.
    """
    causes: dict[tuple[str, ...], list[Posting]] = {}
    for posting in records.entries:
        if posting.event in EVENTS and accounts.owner(posting.account)[0]:
            cause = (posting.day, posting.event, posting.currency, posting.reason)
            causes.setdefault(cause, []).append(posting)
    return [
        {
            "date": day,
            "event": event,
            "currency": currency,
            "amount_minor": str(sum(posting.credit for posting in postings)),
            "reason": reason,
            "entries": list(dict.fromkeys(posting.entry_id for posting in postings)),
            "corrects": sorted({posting.ref for posting in postings}),
            "dispute": _dispute_of(reason),
        }
        for (day, event, currency, reason), postings in causes.items()
        if sum(posting.credit for posting in postings)
    ]


def _dispute_of(reason_code: str) -> str | None:
    """The dispute that a journal line's reason names, as `<dispute id>/<round>`; None for a reason in words."""
    id_ = reason_code.partition("/")[0]
    return id_ if ids.is_dispute_id(id_) else None


def _payment(row: PayableRow) -> dict[str, str]:
    names = ("payment_id", "currency", "amount_minor", "withheld_minor", "value_date", "end_to_end_id")
    return {name: as_text(getattr(row, name)) for name in names}


def _extremes(rows: list[tuple[str, Decimal]]) -> dict[str, list[dict[str, str]]]:
    """The rows that helped most, and those that helped least, the least first; none of fewer than `LEAST_ROWS`."""
    listed = rows if len(rows) >= LEAST_ROWS else []
    helped, least = [row for row in listed[:TOP_ROWS] if row[1] > 0], listed[-TOP_ROWS:][::-1]
    return {
        name: [{"row_hash": digest, "credit": text(credit)} for digest, credit in ranked]
        for name, ranked in (("helped", helped), ("least", least))
    }


def _not_counted(records: ContributorRecords) -> dict[str, Any]:
    names = ("row_hash", "reason_code", "canonical_row_hash", "canonical_contributor_id")
    listed = [row for row in records.exclusions if row.reason_code != SEALED]
    return {
        "reasons": dict(sorted(Counter(row.reason_code for row in records.exclusions).items())),
        "rows": [{name: getattr(row, name) for name in names} for row in listed[:LISTED]],
    }
