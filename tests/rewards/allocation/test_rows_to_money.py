"""Theorems that reach from rows to money: copies earn nothing, and evidence carries the score that is paid."""

from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rewards.helpers.books import proved
from tests.rewards.helpers.cards import CARD
from tribute.contributions.rows import Row, contributed
from tribute.contributions.schema import DatasetSchema
from tribute.contributions.screening import BASIC, Screening, excluded, find
from tribute.errors import RewardError
from tribute.rewards.allocation import evidence
from tribute.rewards.allocation.allocate import Terms, allocate
from tribute.rewards.allocation.inputs import Sources
from tribute.rewards.allocation.weights import ContributorScore, exact_score

SCHEMA = DatasetSchema(name="docs", task="causal-lm")
PEOPLE = ("ada", "bob", "cy")
TEXTS = ("draw a line", "sort a list", "sum the squares", "find a root")
HANDED_IN = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=6)
CREDITS = st.lists(
    st.tuples(st.integers(0, 2), st.floats(-10, 10, allow_subnormal=False), st.sampled_from("qr")),
    min_size=1,
    max_size=8,
)


def kept(handed_in):
    """(Contributor, text) of the rows that are trained on: of equal ones the first."""
    rows = [
        one
        for place, (name, text) in enumerate(handed_in)
        for one in contributed(f"{name}-{place:08d}", name, [Row(1, text, "answer", "answer")])
    ]
    out = {finding.row.row_id for finding in excluded(rows, find(Screening(rows, [], SCHEMA, BASIC)), {})}
    return [(one.contributor_id, one.row.text) for one in rows if one.row_id not in out]


def pay(rows):
    """What 1000 units pay where a row is worth what its text says, with κ = 1."""
    scores = dict.fromkeys(PEOPLE, 0)
    for name, text in rows:
        scores[name] += int.from_bytes(sha256(text.encode()).digest()[:2], "big")
    claims = [ContributorScore(name, Decimal(z), Decimal(5), 1, 1, 0, Decimal(z), 1) for name, z in scores.items()]
    lines = allocate(claims, pool=1000, terms=Terms(Fraction(1), "credit"), period="2026-11")
    return {line.contributor_id: line.amount for line in lines}


@proved
@given(HANDED_IN, st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.booleans()), max_size=5))
def test_copies_earn_nothing(handed_in, copies):
    """Replication inside a cluster changes nothing, whoever copies and however it is written."""
    rows = [(PEOPLE[name], TEXTS[text]) for name, text in handed_in]
    copied = [(PEOPLE[name], shouted(rows[place % len(rows)][1], loud)) for name, place, loud in copies]

    assert kept(rows + copied) == kept(rows)
    assert pay(kept(rows + copied)) == pay(kept(rows))


def shouted(text, loud):
    return f"  {text.upper().replace(' ', '   ')} " if loud else text


def sources(credits):
    """What `build_evidence` reads of these (contributor, credit, query)."""
    ids = [f"{PEOPLE[name]}-00000000:{n}" for n, (name, _, _) in enumerate(credits)]
    names = [PEOPLE[name] for name, _, _ in credits]
    train = pa.table({"row_id": ids, "contributor_id": names, "content_sha256": ids})
    columns = {"query": [query for *_, query in credits], "credit": [credit for _, credit, _ in credits]}
    scores = pa.table({"row_id": ids, "contributor_id": names, **columns})
    about = {"dvc_md5": "d" * 32 + ".dir", "tag": "docs@v1.0.0"}
    return Sources(about, train, [], scores, {}, {}, {}, CARD, Path("card.json"), "run again")


@proved
@given(CREDITS, st.floats(2e-9, 1))
def test_evidence_carries_the_score(credits, more):
    """Evidence sums to the score within 1e-9, or the period is not paid."""
    table = evidence.build_evidence(sources(credits), period="2026-11", adapters=["a"])
    scores = {name: sum((one for n, one, _ in credits if PEOPLE[n] == name), 0.0) for name in PEOPLE}
    claims = [
        ContributorScore(name, exact_score(z, "z", name), Decimal(0), 1, 1, 0, Decimal(0), 1)
        for name, z in scores.items()
    ]

    evidence.check_sums(table, claims, "run again")

    sums = evidence.sums(table)
    assert all(abs(sums.get(one.contributor_id, Decimal(0)) - one.score) <= Decimal("1e-9") for one in claims)
    raised = ContributorScore("ada", exact_score(scores["ada"] + more, "z", "ada"), Decimal(0), 1, 1, 0, Decimal(0), 1)
    with pytest.raises(RewardError, match="disagree: ada: evidence sums to"):
        evidence.check_sums(table, [raised, *claims[1:]], "run again")
