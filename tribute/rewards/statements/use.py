"""What a contributor earned by use: each payer's money as the period divides it, by the models that answered.

A payer's money is divided the same for all that this payer asked in the month, so of what a contributor gets of it each
model has the part that its answers cost. Exact rationals; the period's amounts are whole units and may differ by one.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from tribute.rewards.allocation.weights import TOKENS
from tribute.rewards.period.folder import PeriodFolder


@dataclass
class UsedModel:
    """A served model's part: answers of the month that were paid, those that name the contributor, and their credit.

    `credit` is in 10⁻¹² nats, signed; `earned` in minor units of `currency`.
    """

    model: str
    currency: str
    answers: int = 0
    moved: int = 0
    credit: int = 0
    earned: Fraction = field(default_factory=Fraction)


class PeriodUse:
    """The use that funded a period; nothing where none did, or its sealed month is not there."""

    def __init__(self, period: PeriodFolder) -> None:
        sealed = period.sealed
        self.period = period
        self.sealed = sealed if sealed and sealed.is_there else None

    def by_model(self, contributors: Collection[str] | None = None) -> dict[str, list[UsedModel]]:
        """Contributor → their part of every model, in the order of model and currency; of `contributors` alone."""
        lines: dict[str, dict[tuple[str, str], UsedModel]] = {}
        for (payer, model, currency), micro in self._spent.items():
            funded = next(each for each in self.period.fundings if each.currency == currency).payers.get(payer, 0)
            cost = self._costs[payer, currency]
            for name, part in reached(self.period, payer, currency).items():
                if (contributors is None or name in contributors) and cost > 0:
                    line = lines.setdefault(name, {}).setdefault((model, currency), UsedModel(model, currency))
                    line.earned += part * funded * Fraction(micro, cost)
        for name, models in lines.items():
            for line in models.values():
                line.answers = self._answers[line.model, line.currency]
                line.moved, line.credit = self._credited.get((name, line.model, line.currency), (0, 0))
        return {name: [models[key] for key in sorted(models)] for name, models in lines.items()}

    @cached_property
    def _spent(self) -> Counter[tuple[str, str, str]]:
        """(payer, model, currency) → micro-units."""
        spent = Counter[tuple[str, str, str]]()
        for funding in self.period.fundings:
            for batch in self.sealed.events(funding.currency) if self.sealed else ():
                for event in batch:
                    spent[event["payer"], event["model"], event["currency"]] += event["micro"]
        return spent

    @cached_property
    def _costs(self) -> Counter[tuple[str, str]]:
        costs = Counter[tuple[str, str]]()
        for (payer, _, currency), micro in self._spent.items():
            costs[payer, currency] += micro
        return costs

    @cached_property
    def _model_of(self) -> dict[str, tuple[str, str]]:
        """Receipt of a paid answer → model and currency."""
        models: dict[str, tuple[str, str]] = {}
        for funding in self.period.fundings:
            for batch in self.sealed.events(funding.currency) if self.sealed else ():
                calls = [event for event in batch if event["corrects"] is None]
                models |= {event["receipt"]: (event["model"], event["currency"]) for event in calls}
        return models

    @cached_property
    def _answers(self) -> Counter[tuple[str, str]]:
        return Counter(self._model_of.values())

    @cached_property
    def _credited(self) -> dict[tuple[str, str, str], tuple[int, int]]:
        """(contributor, model, currency) → how many answers name them, and the sum of their credit."""
        sums: dict[tuple[str, str, str], tuple[int, int]] = {}
        for batch in self.sealed.credits() if self.sealed else ():
            for row in batch:
                if place := self._model_of.get(row["receipt"]):
                    count, credit = sums.get((row["contributor"], *place), (0, 0))
                    sums[row["contributor"], *place] = (count + 1, credit + row["signed"])
        return sums


def reached(period: PeriodFolder, payer: str, currency: str) -> dict[str, Fraction]:
    """Contributor → the part of a payer's money that the period gives them; the rest is the platform's and others'."""
    [whole] = [each for each in period.fundings if each.currency == currency]
    parts = dict[str, Fraction]()
    for pool, minor in whole.pools.items():
        for name, part in _within(period, pool, payer, currency).items():
            parts[name] = parts.get(name, Fraction(0)) + Fraction(minor, whole.net) * part
    return parts


def _within(period: PeriodFolder, pool: str, payer: str, currency: str) -> dict[str, Fraction]:
    """Contributor → part of a payer's money in a pool: as payers.csv says, as far as credit counts there, and otherwise
    as the pool pays everybody."""
    lines = [line for line in period.allocation if (line.pool, line.currency) == (pool, currency)]
    own = _by_answers(period, pool, payer, currency)
    if not own or any(line.rule == TOKENS for line in lines):
        return _normal({line.contributor_id: Fraction(line.amount_minor) for line in lines})
    parts = {line.contributor_id: Fraction(line.content_share or 0) for line in lines}
    credit = Fraction(1) if lines[0].reliability is None else Fraction(lines[0].reliability)
    return _normal({name: credit * own.get(name, 0) + (1 - credit) * part for name, part in parts.items()})


def _by_answers(period: PeriodFolder, pool: str, payer: str, currency: str) -> dict[str, Fraction]:
    """Contributor → part of a payer's money in payers.csv; nothing in a pool that does not pay by it."""
    payers = period.payers if period.policy.pools[pool].by_payers else []
    mine = [row for row in payers if (row.pool, row.payer, row.currency) == (pool, payer, currency)]
    parts = Counter[str]()
    for row in mine:
        parts[row.contributor_id] += row.part
    return _normal({name: Fraction(part) for name, part in parts.items()})


def _normal(parts: dict[str, Fraction]) -> dict[str, Fraction]:
    total = sum(parts.values())
    return {name: part / total for name, part in parts.items() if part} if total else {}
