"""`payers.csv`: to whom each payer's money goes in a pool that pays queries; the rule stands in queries.py.

A payer's money goes, whole, to those whose credit on the payer's own answers exceeds its uncertainty; where there is
nobody, as the evaluation pool's does: by the credit of the evaluation, and where that counts for nobody either, by
distinct content (or tokens, where the policy falls back to those).
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction

from tribute.rewards.allocation.allocate import largest_remainder
from tribute.rewards.allocation.weights import ContributorScore
from tribute.rewards.tables import PayerRow
from tribute.rewards.usage.queries import SCORE_STEP, Basket, QueryCredits, Score, shape

ANSWERS, EVALUATION, CONTENT, TOKENS = "answers", "evaluation", "content", "tokens"
"""What a payer's money is divided by."""
NOTHING = Decimal(0).quantize(SCORE_STEP)


def counted(score: Decimal, error: Decimal, kappa: Fraction) -> Fraction:
    """max(0, score − κ · error), exactly."""
    return max(Fraction(0), Fraction(score) - kappa * Fraction(error))


class PayerDivision:
    """Divides the money of one pool's payers; `claims` are everybody's on the evaluation set."""

    def __init__(
        self, pool: str, kappa: Fraction, period: str, claims: Sequence[ContributorScore], fallback: str
    ) -> None:
        """`fallback` is `content` or `tokens`."""
        self.pool, self.kappa, self.period = pool, kappa, period
        self.bases = [(EVALUATION, {claim.contributor_id: (claim.score, claim.score_se) for claim in claims})]
        amounts = {claim.contributor_id: 0 if claim.score_high < 0 else getattr(claim, fallback) for claim in claims}
        self.bases.append((fallback, {name: (Decimal(amount), NOTHING) for name, amount in amounts.items()}))
        self._paid, self._sums = 0, dict[str, tuple[int, int]]()

    def rows(self, baskets: Sequence[Basket], credits: QueryCredits, beta: Fraction) -> list[PayerRow]:
        """The lines of payers.csv, sorted by payer and contributor."""
        known: dict[tuple[tuple[str, int], ...], dict[str, Score]] = {}
        rows: list[PayerRow] = []
        for basket in baskets:
            key = shape(basket)
            if key not in known:
                known[key] = credits.of_basket(basket.paid, beta)
            rows += self.divided(basket.payer, basket.total, known[key])
            self.add(basket.total, known[key])
        return rows

    def scores(self) -> dict[str, Score]:
        """Contributor → mean of the payers' scores and of their errors, weighed by what they paid, cut down."""
        return {
            name: (SCORE_STEP * (score // self._paid), SCORE_STEP * (error // self._paid))
            for name, (score, error) in self._sums.items()
        }

    def add(self, paid: int, answers: Mapping[str, Score]) -> None:
        """Count a payer's scores in `scores`."""
        self._paid += paid
        for name, (score, error) in answers.items():
            before = self._sums.get(name, (0, 0))
            self._sums[name] = (before[0] + paid * int(score / SCORE_STEP), before[1] + paid * int(error / SCORE_STEP))

    def counts(self, answers: Mapping[str, Score]) -> bool:
        """Whether anybody's credit exceeds its uncertainty."""
        return any(counted(*score, self.kappa) for score in answers.values())

    def divided(
        self, payer: str, paid: int, answers: Mapping[str, Score], currency: str | None = None
    ) -> list[PayerRow]:
        """To whom `paid` goes; without answers that count, as the evaluation pool's money."""
        for basis, scores in ((ANSWERS, answers), *self.bases):  # noqa: B007
            weights = {name: counted(*score, self.kappa) for name, score in scores.items()}
            weights = {name: weight for name, weight in weights.items() if weight}
            if weights:
                break
        else:
            return []
        parts = largest_remainder(paid, weights, self.period)
        return [
            PayerRow(self.pool, payer, basis, paid, name, *scores[name], parts[name], currency)
            for name in sorted(parts)
        ]


def by_contributor(rows: Iterable[PayerRow]) -> dict[str, Fraction]:
    """Contributor → the part of all payers' money, exactly; they sum to 1, or nobody gets anything."""
    parts: dict[str, int] = {}
    for row in rows:
        parts[row.contributor_id] = parts.get(row.contributor_id, 0) + row.part
    total = sum(parts.values())
    return {name: Fraction(part, total) for name, part in parts.items()}
