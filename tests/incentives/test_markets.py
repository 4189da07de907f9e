"""Theorem: payers' money is divided whole, within the payer, so that asking oneself returns less than it costs."""

from dataclasses import replace

import pytest

from tests.incentives.conftest import SMALL, hashed_words
from tribute.contributions.releases import Tokenizer
from tribute.incentives.attacks import ATTACKS
from tribute.incentives.markets import PAID_OUT, SPENT, Market
from tribute.incentives.pay import Embeddings, measure, probe_of
from tribute.incentives.screened import trained_rows
from tribute.incentives.suite import Suite
from tribute.incentives.world import ATTACKER, Corpus, draw_world


@pytest.fixture(scope="module")
def market(corpus: Corpus, tokenizer: Tokenizer) -> Market:
    world, embeddings = draw_world(corpus, 2, SMALL), Embeddings(hashed_words)
    rows = trained_rows(world, world.uploads, tokenizer).rows
    probe = probe_of(world, rows, embeddings)
    return Market(world, rows, measure(probe, rows).claims, probe, embeddings, retrieves=False)


def test_money_is_divided_whole(market: Market):
    """What contributors get is their part of what payers paid; a buyer's own payments come off."""
    alone, bought = market.earnings(), market.earnings([ATTACKER])

    assert sum(alone.certain.values()) == pytest.approx(PAID_OUT)
    assert sum(bought.certain.values()) == pytest.approx(PAID_OUT * (1 + SPENT) - SPENT)
    assert sum(alone.credit.values()) == pytest.approx(PAID_OUT)


def test_asking_oneself_costs_more_than_it_returns(market: Market):
    """Of what is spent the contributors' part comes back at most, even where all of it is the buyer's."""
    before, after = market.earnings(), market.earnings([ATTACKER])

    for spent, earned in ((before.credit, after.credit), (before.certain, after.certain)):
        assert -SPENT <= earned[ATTACKER] - spent.get(ATTACKER, 0.0) <= (PAID_OUT - 1) * SPENT + 1e-9


def test_retrieved_rows_are_paid_beside_trained_ones(market: Market):
    """The same model and questions: with sources some money moves, and none is lost."""
    sources = replace(market, retrieves=True).earnings()

    assert sum(sources.credit.values()) == pytest.approx(PAID_OUT)
    assert sources.credit != market.earnings().credit


@pytest.mark.parametrize("name", ["self-dealing", "sources-stuffed", "sources-orders"])
def test_attacks_on_payers_money_are_drawn_like_others(name: str, corpus: Corpus, tokenizer: Tokenizer):
    """A draw is of honest payers' money, and never exact where the attacker spends its own."""
    draw = Suite(corpus, Embeddings(hashed_words), tokenizer, SMALL).draw(ATTACKS[name], 0)

    assert 0 < draw.credit[0] <= PAID_OUT
    assert not draw.exact
