"""What a payer's answers pay: the rule of queries.py, where each answer is a query that its payer paid for.

For contributor k and answer q the addenda give S_kq, signed credit, and |a|_kq, absolute credit of their rows, N_q, the
sum of rows' credits above 0, and π_q, with which the answer was drawn; m_q is the answer's price less refunds.

    D_q   = max(N_q, β · median of N over the payer's answers)
    w_q   = m_q / π_q
    Z_ku  = Σ_q w_q · S_kq / D_q ÷ Σ_q w_q
    SE_ku = √(measured² + drawn²)
    measured = Σ_q w_q · SE_k · |a|_kq / (A_k · D_q) ÷ Σ_q w_q       SE_k and A_k of the evaluation set
    drawn    = √(n/(n−1) · Σ_q w_q² (S_kq/D_q − Z_ku)²) ÷ Σ_q w_q    n answers drawn; 0 where all were explained

Of an answer that was explained in part, as where only its retrieved sources could be told, w is that part of m/π. Of
the payer's money the part Σ w ÷ Σ m/π over drawn answers goes by this; the rest, and what was paid for answers that the
payer forbids to explain, goes as the evaluation pool's money. S/D has 12 decimals, cut down.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from statistics import median_low
from typing import Any

from tribute.collector import without_collector
from tribute.money import exponent
from tribute.rewards.allocation.allocate import largest_remainder
from tribute.rewards.allocation.funding import OPERATOR, Funding
from tribute.rewards.allocation.payers import ANSWERS, EVALUATION, PayerDivision
from tribute.rewards.tables import PayerRow
from tribute.rewards.usage.queries import PAID_STEPS, SCORE_STEP, STEPS, QueryCredits, Score
from tribute.rewards.usage.sealed_usage import SealedUsage

EXPLAINED, NOT_DRAWN = "explained", "not_drawn"
NEVER = "never"


@dataclass
class _Answer:
    """A call: its payer, its price less refunds, and what its addendum says."""

    payer: str
    paid: int
    status: str
    probability: int
    positive: int
    part: int

    @property
    def drawn(self) -> int:
        """m/π."""
        return self.paid * STEPS // self.probability

    @property
    def weight(self) -> int:
        """The part of it that is explained."""
        return self.drawn * self.part // STEPS


@dataclass
class _Payer:
    """What is summed over a payer's answers."""

    explained: int = 0
    """Σ w over explained answers, Σ m/π over drawn ones less that, money in the draw, and money beside it."""
    unexplained: int = 0
    drawable: int = 0
    beside: int = 0
    positives: list[int] = field(default_factory=list)
    floor: int = 0
    sampled: bool = False
    squares: int = 0
    signed: dict[str, int] = field(default_factory=dict)
    absolute: dict[str, int] = field(default_factory=dict)
    moments: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, answer: _Answer) -> None:
        """Count an answer's money."""
        if answer.status == NEVER:
            self.beside += answer.paid
            return
        self.drawable += answer.paid
        self.sampled |= answer.status == NOT_DRAWN or answer.probability < STEPS
        if answer.status == EXPLAINED:
            self.explained += answer.weight
            self.unexplained += answer.drawn - answer.weight
            self.squares += answer.weight**2
            self.positives.append(answer.positive)
        elif answer.status != NOT_DRAWN:
            self.unexplained += answer.drawn

    def credit(self, answer: _Answer, row: Mapping[str, Any]) -> None:
        """Count a contributor's credit on an answer."""
        name, weight, divisor = row["contributor"], answer.weight, max(answer.positive, self.floor)
        # An answer of a millionth may be worth less than the smallest step once its explained part is taken.
        if not divisor or not weight:
            return
        share = row["signed"] * STEPS // divisor
        self.signed[name] = self.signed.get(name, 0) + weight * share
        self.absolute[name] = self.absolute.get(name, 0) + weight * (row["absolute"] * STEPS // divisor)
        if self.sampled:
            first, second = self.moments.get(name, (0, 0))
            self.moments[name] = (first + weight**2 * share, second + (weight * share) ** 2)

    def scores(self, evaluation: QueryCredits) -> dict[str, Score]:
        """Contributor → (Z, SE)."""
        return {name: self._score(name, evaluation) for name in sorted(self.signed)}

    def _score(self, name: str, evaluation: QueryCredits) -> Score:
        mean = self.signed[name] // self.explained
        everywhere = evaluation.everywhere.get(name, 0)
        error = Fraction(0)
        if everywhere:
            relative = Fraction(evaluation.errors.get(name, Decimal(0))) * STEPS / everywhere
            error = relative * self.absolute[name] / self.explained
        steps = math.ceil(error)
        if self.sampled:
            steps = _root_up(steps**2 + self._drawn(name, mean))
        return SCORE_STEP * mean, SCORE_STEP * steps

    def _drawn(self, name: str, mean: int) -> int:
        """The square of the error that drawing leaves; of a single answer, as large as its credit."""
        count = len(self.positives)
        if count < 2:
            return mean**2
        first, second = self.moments[name]
        spread = second - 2 * mean * first + mean**2 * self.squares
        return -(-count * spread // ((count - 1) * self.explained**2))

    def parts(self, paid: int, period: str) -> dict[str, int]:
        """What of the payer's money goes by answers, and what as the evaluation pool's."""
        drawn = self.explained + self.unexplained
        by_answers = Fraction(self.drawable * self.explained, drawn) if drawn else Fraction(0)
        rest = self.drawable + self.beside - by_answers
        if not by_answers and not rest:
            # Nothing but refunds of this month: what was brought forward pays.
            return {EVALUATION: paid}
        return largest_remainder(paid, {ANSWERS: by_answers, EVALUATION: rest}, period)


@without_collector()
def payer_rows(
    usage: SealedUsage, division: PayerDivision, funding: Funding, evaluation: QueryCredits, beta: Fraction
) -> list[PayerRow]:
    """To whom each payer's money of one currency goes; the operator's goes as the evaluation pool's."""
    answers, payers = _answers(usage, funding.currency, beta)
    for batch in usage.credits():
        for row in batch:
            answer = answers.get(row["receipt"])
            if answer is not None and answer.status == EXPLAINED:
                payers[answer.payer].credit(answer, row)
    rows, unit = list[PayerRow](), PAID_STEPS // 10 ** exponent(funding.currency)
    for name, minor in sorted(funding.funders.items()):
        payer = payers.get(name, _Payer()) if name != OPERATOR else _Payer()
        scores, parts = payer.scores(evaluation), payer.parts(minor * unit, division.period)
        if not division.counts(scores):
            scores, parts = {}, {EVALUATION: minor * unit}
        for basis, paid in sorted(parts.items()):
            if paid:
                by = scores if basis == ANSWERS else {}
                rows += division.divided(name, paid, by, funding.currency)
                division.add(paid, by)
    return rows


def _answers(usage: SealedUsage, currency: str, beta: Fraction) -> tuple[dict[str, _Answer], dict[str, _Payer]]:
    """The answers of the month that are paid, and their payers with all that no credit is needed for."""
    answers, back = dict[str, _Answer](), dict[str, int]()
    for batch in usage.events(currency):
        for event in batch:
            if event["corrects"] is not None:
                back[event["corrects"]] = back.get(event["corrects"], 0) + event["micro"]
                continue
            status, drawn = event["status"] or NEVER, (event["probability"] or STEPS, event["positive"] or 0)
            part = STEPS if event["part"] is None else event["part"]
            answers[event["receipt"]] = _Answer(event["payer"], event["micro"], status, *drawn, part)
    for receipt, micro in back.items():
        # A refund of an earlier month's answer only lowers what its payer funds.
        if receipt in answers:
            answers[receipt].paid += micro
    payers = dict[str, _Payer]()
    for answer in answers.values():
        if answer.paid > 0:
            payers.setdefault(answer.payer, _Payer()).add(answer)
    for payer in payers.values():
        if payer.positives:
            payer.floor = math.ceil(beta * median_low(payer.positives))
    return {receipt: answer for receipt, answer in answers.items() if answer.paid > 0}, payers


def _root_up(value: int) -> int:
    root = math.isqrt(value)
    return root + (root * root < value)
