"""Payers who ask the model of a world: what their money pays, and what it returns to an attacker who asks, too.

Questions are sentences of the world's evaluation; whoever answers does not know their labels. The answer is the label
that the trained stand-in finds likeliest, and every trained row's credit for it is the stand-in's (credit/probe.py). In
a market of sources five rows are retrieved for each question and vote on the answer, by the functions of the server
(services/retrieval), whose exact credits come on top, as in an addendum. Money is divided by the product's own rule
(rewards/allocation/payers.py), each payer's within the payer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa

from tribute.attribution.credit import Probe, path_credits
from tribute.contributions.rows import ContributedRow
from tribute.incentives.pay import Earnings, Embeddings
from tribute.incentives.world import World
from tribute.rewards.allocation import ContributorScore, PayerDivision, by_contributor
from tribute.rewards.usage import Payment, QueryCredits, baskets
from tribute.services.retrieval import Hit, RowIndex, few_players, neighbour_credits, vote

QUESTIONS, PAYERS = 24, 8
"""Each question is asked once, for 1, by one of so many honest payers."""
RETRIEVED = 5
"""Rows for a question, as the server has it by default."""
PAID_OUT, BETA = 0.7, Fraction("0.05")
"""The contributors' part of what payers pay; see QueryCredits."""
BOUGHT, AGENTS, SPENT = 2, 4, 0.1
"""Questions that an attacker asks under as many names of agents, and what it pays for them in parts of honest money."""
LICENCE = "MIT"


@dataclass(frozen=True)
class Market:
    """The rows that a model was trained on, everybody's claim on the evaluation, and the stand-in of that model."""

    world: World
    rows: Sequence[ContributedRow]
    claims: Sequence[ContributorScore]
    probe: Probe
    embeddings: Embeddings
    retrieves: bool

    def earnings(self, buyers: Sequence[str] = ()) -> Earnings:
        """Parts of honest payers' money by name; less what `buyers`, who are one, pay for answers themselves."""
        credits = QueryCredits.of(self._scores(), {claim.contributor_id: claim.score_se for claim in self.claims})
        payments = [Payment(_query(place), f"payer-{place % PAYERS:02d}", Fraction(1)) for place in range(QUESTIONS)]
        bought = list(_bought(credits, buyers)) if buyers else []
        whole = PAID_OUT * (1 + SPENT * bool(bought))

        def parts(kappa: int) -> dict[str, float]:
            division = PayerDivision("answers", Fraction(kappa), "2026-11", self.claims, "content")
            rows = division.rows(baskets([*payments, *bought]), credits, BETA)
            money = {name: whole * float(part) for name, part in by_contributor(rows).items()}
            if bought:
                money[buyers[0]] = money.get(buyers[0], 0.0) - SPENT
            return money

        return Earnings(parts(0), parts(1), parts(1))

    def _scores(self) -> pa.Table:
        """`contributor_id, query, credit` of every trained row, and of every retrieved one, for every answer."""
        texts = [text for text, _ in self.world.evaluation[:QUESTIONS]]
        asked = replace(self.probe, evaluation=self.embeddings.of(texts))
        labels, chances = self.world.labels, self._chances(asked)
        hits = self._hits(texts, asked.evaluation)
        mixed = [vote(sources, labels, chance) for sources, chance in zip(hits, chances.tolist(), strict=True)]
        answers = np.array(mixed).argmax(1)
        learned = path_credits(replace(asked, answers=answers), len(self.rows), np.eye(len(texts)))
        lines = [
            (row.contributor_id, _query(place), credit)
            for place, credits in enumerate(learned.tolist())
            for row, credit in zip(self.rows, credits, strict=True)
        ]
        lines += [
            (credit.contributor, _query(place), credit.nats or 0.0)
            for place, (sources, answer) in enumerate(zip(hits, answers.tolist(), strict=True))
            for credit in neighbour_credits(sources, labels[answer], float(chances[place, answer]))
        ]
        names, queries, credits = zip(*lines, strict=True)
        exact = pa.array([Decimal(f"{credit:.12f}") for credit in credits], pa.decimal128(38, 12))
        return pa.table({"contributor_id": names, "query": queries, "credit": exact})

    def _chances(self, asked: Probe) -> np.ndarray:
        """The trained stand-in's probability of every label, [questions, labels]."""
        whole, count = np.ones(len(self.rows)), len(asked.evaluation)
        losses = [replace(asked, answers=np.full(count, place)).losses(whole) for place in range(len(asked.head))]
        return np.asarray(np.exp(-np.stack(losses, axis=1)))

    def _hits(self, texts: Sequence[str], vectors: np.ndarray) -> list[list[Hit]]:
        """The rows that are retrieved for each question; none where the market has no sources."""
        if not self.retrieves:
            return [[] for _ in texts]
        columns = ["row_id", "contribution_id", "contributor_id", "text", "target"]
        table = pd.DataFrame(
            [(row.row_id, row.contribution_id, row.contributor_id, row.row.text, row.row.target) for row in self.rows],
            columns=columns,
        )
        index = RowIndex(table, self.probe.train, dict.fromkeys(table["contribution_id"], LICENCE))
        searched = [index.search(text, vector, RETRIEVED) for text, vector in zip(texts, vectors, strict=True)]
        return [few_players(hits) for hits in searched]


def _query(place: int) -> str:
    return f"q{place:02d}"


def _bought(credits: QueryCredits, buyers: Sequence[str]) -> Iterator[Payment]:
    """What an attacker asks: the questions whose answers pay its own names best, under several names of agents."""

    def own(query: str) -> float:
        earned = sum(credits.signed[query].get(name, 0) for name in buyers)
        return earned / max(credits.positive[query], 1)

    best = sorted(credits.positive, key=own, reverse=True)[:BOUGHT]
    each = Fraction(str(SPENT)) * QUESTIONS / (BOUGHT * AGENTS)
    yield from (Payment(query, f"agent-{number}", each) for query in best for number in range(AGENTS))
