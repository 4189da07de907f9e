"""What self-dealing returns where queries pay, and what noise earns: the rule of before 0.2.0 and today's.

    python benchmarks/markets.py [--draws 4]

Needs no data: contributors, their rows' credits per query, and payers are drawn. Writes docs/benchmarks/markets.md.
A draw has 20 contributors, each good at a few of 60 queries, and one whose rows are noise; each query helps by the
rows of whoever is good at it, plus noise on every row. The pool is 70 % of what payers paid. An attacker buys the three
queries at which own rows are best, by as much as is said, under one name.
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from statistics import mean

import pyarrow as pa

from tribute.rewards.allocation.allocate import Terms
from tribute.rewards.allocation.payers import PayerDivision, by_contributor
from tribute.rewards.allocation.recorded_queries import credit_of_queries
from tribute.rewards.allocation.weights import CREDIT, ContributorScore, summed
from tribute.rewards.policy.policy import RECORDED, Pool
from tribute.rewards.usage.queries import Payment, QueryCredits, baskets

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "markets.md"
CONTRIBUTORS, QUERIES, ROWS, PAYERS, ASKED = 20, 60, 4, 30, 300
PART = Fraction("0.7")
BETA = Fraction("0.05")
NOISE = 5e-5
"""Nats a row and query: then one standard error takes about a third off a contributor, as it does in real runs."""
ATTACKERS = ("c00", "c01", "c02", "c03", "c04")
SPENT = (0.01, 0.05, 0.1)
"""Of all honest money."""


@dataclass(frozen=True)
class Market:
    """One draw: row credits as a table, everybody's claim on the evaluation, and what honest payers paid."""

    scores: pa.Table
    claims: Sequence[ContributorScore]
    payments: Sequence[Payment]

    def best(self, name: str) -> list[str]:
        """The three queries at which somebody's rows are best."""
        sums: dict[str, Decimal] = {}
        for row in self.scores.to_pylist():
            if row["contributor_id"] == name:
                sums[row["query"]] = sums.get(row["query"], Decimal(0)) + row["credit"]
        return sorted(sums, key=lambda query: -sums[query])[:3]


def draw_market(seed: int, payers: str) -> Market:
    """`payers`: `equal`, or `one` that pays nine tenths of all."""
    chance = random.Random(seed)
    rows, totals, noise = [], {}, {}
    for number in range(CONTRIBUTORS + 1):
        name = f"c{number:02d}" if number < CONTRIBUTORS else "noise"
        good = set(chance.sample(range(QUERIES), 6)) if name != "noise" else set()
        squares = 0.0
        for query in range(QUERIES):
            for _ in range(ROWS):
                credit = (2e-4 * chance.random() if query in good else 0.0) + chance.gauss(0, NOISE)
                squares += NOISE**2
                rows.append((name, f"q{query}", Decimal(f"{credit:.12f}")))
                totals[name] = totals.get(name, Decimal(0)) + rows[-1][2]
        noise[name] = Decimal(f"{squares**0.5:.12f}")
    names, queries, credits = zip(*rows, strict=True)
    table = {"contributor_id": names, "query": queries, "credit": pa.array(credits, pa.decimal128(38, 12))}
    claims = [ContributorScore(name, totals[name], noise[name], 1, 1, 0, totals[name], 1, 1) for name in sorted(totals)]
    asked = [(f"q{chance.randrange(QUERIES)}", f"u{chance.randrange(PAYERS)}") for _ in range(ASKED)]
    first = 9 * sum(user != "u0" for _, user in asked) / max(1, sum(user == "u0" for _, user in asked))
    price = {"u0": Fraction(first)} if payers == "one" else {}
    return Market(
        pa.table(table), claims, [Payment(query, user, price.get(user, Fraction(1))) for query, user in asked]
    )


def recorded(market: Market, payments: Sequence[Payment], kappa: Fraction, cap: str) -> dict[str, Fraction]:
    """Contributor → part of the pool by the rule of before 0.2.0."""
    document = {"part": "1", "pays": "queries", "user_cap": cap}
    pool = Pool.model_validate(document, context={RECORDED: True})
    found = credit_of_queries(market.scores, pool, payments, "answers")
    claims = [ContributorScore(name, score, error, 1, 1, 0, score, 1) for name, (score, error) in found.items()]
    weights, _ = Terms(kappa, CREDIT).weights(claims)
    total = summed(weights.values())
    return {name: weight / total for name, weight in weights.items()}


def today(market: Market, payments: Sequence[Payment], kappa: Fraction, _: str) -> dict[str, Fraction]:
    """Contributor → part of the pool, each payer's money within the payer."""
    credits = QueryCredits.of(market.scores, {claim.contributor_id: claim.score_se for claim in market.claims})
    division = PayerDivision("answers", kappa, "2026-11", market.claims, "content")
    return by_contributor(division.rows(baskets(payments), credits, BETA))


RULES = {
    "before 0.2.0, κ 1, cap 1": (recorded, 1, "1"),
    "before 0.2.0, κ 0, cap 1": (recorded, 0, "1"),
    "before 0.2.0, κ 1, cap 0.1": (recorded, 1, "0.1"),
    "within the payer, κ 0": (today, 0, ""),
    "**within the payer, κ 1**": (today, 1, ""),
}


def measure(rule: str, payers: str, draws: int) -> list[str]:
    """Mean return per 1 spent and part of it that is most, what noise earns, and how many are paid."""
    divide, kappa, cap = RULES[rule]
    returns: dict[float, list[float]] = {spent: [] for spent in SPENT}
    noise, paid = [], []
    for seed in range(draws):
        market = draw_market(seed, payers)
        honest = sum(payment.amount for payment in market.payments)
        before = divide(market, market.payments, Fraction(kappa), cap)
        noise.append(float(before.get("noise", 0)))
        paid.append(sum(part > 0 for name, part in before.items() if name != "noise"))
        for spent in SPENT:
            cost = Fraction(str(spent)) * honest
            for name in ATTACKERS:
                bought = [Payment(query, "attacker", cost / 3) for query in market.best(name)]
                after = divide(market, [*market.payments, *bought], Fraction(kappa), cap)
                gain = PART * ((honest + cost) * after.get(name, 0) - honest * before.get(name, 0))
                returns[spent].append(float(gain / cost))
    cells = [f"{mean(found):.2f} ({max(found):.2f})" for found in returns.values()]
    return [rule, payers, *cells, f"{100 * mean(noise):.2f} %", f"{mean(paid):.1f}"]


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=4)
    draws = parser.parse_args().draws
    spends = [f"spends {100 * spent:.0f} %" for spent in SPENT]
    lines = [
        "# Self-dealing where queries pay",
        "",
        f"{draws} drawn markets, see `benchmarks/markets.py`: {CONTRIBUTORS} contributors and one of noise, {QUERIES} "
        f"queries, {ASKED} purchases by {PAYERS} payers, the contributors' part {float(PART)}. Return per 1 that the "
        "attacker spends on the three queries at which own rows are best, mean (most) of five attackers in each draw; "
        "an attack pays above 1.",
        "",
        "| " + " | ".join(["rule", "payers", *spends, "noise earns", f"paid, of {CONTRIBUTORS}"]) + " |",
        "|" + "---|" * (4 + len(SPENT)),
        *("| " + " | ".join(measure(rule, payers, draws)) + " |" for payers in ("equal", "one") for rule in RULES),
        "",
        "`one`: one payer pays nine tenths of all. Within the payer the return cannot exceed the contributors' part.",
    ]
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
